"""Adapters on models, outside a search: attached, loaded, saved, trained, and cut for good."""
