"""`otel-experiments artifacts`: what runs kept, one version a line, and what can be done with it."""

from otel_experiments.cli.artifacts.group import command

__all__ = ["command"]
