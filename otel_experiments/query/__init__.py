"""The read API: runs, search expressions, series."""
