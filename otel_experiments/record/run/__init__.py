"""A run from its start to its end, and what user code calls on it."""
