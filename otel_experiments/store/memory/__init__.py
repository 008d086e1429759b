"""The store in plain Python objects."""
