"""Crash-safe, per-process append log: write from the hot path, recover, read. Knows no SQL."""
