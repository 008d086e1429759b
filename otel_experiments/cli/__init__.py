"""The command line. One module a command, imported when the command is asked for."""

from __future__ import annotations

from otel_experiments.cli.root import root
from otel_experiments.cli.terminal.streams import have_streams, let_streams_carry_anything


def main() -> None:
    """Run the command line on the process's arguments and exit with one of the documented codes."""
    have_streams()
    let_streams_carry_anything()
    root(prog_name="otel-experiments")
