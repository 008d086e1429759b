"""Runs, points, spans and records as tables of pandas, polars and Arrow."""
