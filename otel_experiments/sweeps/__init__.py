"""Sweeps: one function called with many configs, a run each, in this process or in several."""
