"""`otel-experiments doctor`: is everything in place, and what to do where it is not."""

from otel_experiments.cli.doctor.command import command

__all__ = ["command"]
