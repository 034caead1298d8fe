"""Packed training of K configurations on one frozen base."""
