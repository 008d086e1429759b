"""Telemetry that other programs made, as what a store keeps: one room for each form it comes in."""
