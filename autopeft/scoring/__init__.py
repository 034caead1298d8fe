"""Scores of sites: what importance methods work with, and what is made of their scores."""
