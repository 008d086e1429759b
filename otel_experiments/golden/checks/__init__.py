"""Checks beside the structure: curves, times, clocks and staleness, drift over many runs, unused rules."""
