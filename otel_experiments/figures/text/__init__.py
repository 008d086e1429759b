"""Figures in characters."""
