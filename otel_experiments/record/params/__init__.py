"""Params of a run: flattening, conversion of values, and access by attribute."""
