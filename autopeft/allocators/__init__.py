"""Allocators: scores and a parameter budget -> placements. One file each."""
