"""Report views, one file each."""
