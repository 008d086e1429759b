"""OTLP of any program: which run an item belongs to, at which step, and what becomes a point."""
