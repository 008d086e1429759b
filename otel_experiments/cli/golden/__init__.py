"""`otel-experiments golden`: capture, compare and keep goldens."""

from otel_experiments.cli.golden.group import command

__all__ = ["command"]
