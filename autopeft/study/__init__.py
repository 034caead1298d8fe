"""A study: its journal, what it is about, and its results as an immutable snapshot."""
