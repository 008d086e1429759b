"""The command line. One module a command, imported when the command is asked for."""

from __future__ import annotations

from otel_experiments.cli.root import root


def main() -> None:
    """Run the command line on the process's arguments and exit with one of the documented codes."""
    root(prog_name="otel-experiments")
