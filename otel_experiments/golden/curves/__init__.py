"""Comparison of metric curves: aligned indexes, a band around several runs, the pace to a target."""
