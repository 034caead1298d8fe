"""Backbone families that discovery needs help with, one file each."""
