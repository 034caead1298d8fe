"""Importance methods, one file each."""
