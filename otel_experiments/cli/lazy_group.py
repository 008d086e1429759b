"""A group whose commands are imported when they are used, so that `--help` answers at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from keyword import iskeyword
from typing import ClassVar, NamedTuple

import click


class LazyCommand(NamedTuple):
    """Where a command is: the module, the name in it, and the line that help shows."""

    module: str
    name: str
    brief: str


class LazyGroup(click.Group):
    """A group over a table of commands; a group sets `table` and may say what does the work of an unknown one."""

    table: ClassVar[Mapping[str, LazyCommand]] = {}

    def hint_for(self, typed: str) -> str:  # noqa: ARG002 - groups that know better words use it
        """Return what to type instead of a command that there is not; empty when nothing comes to mind."""
        return ""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the commands in the order of the documentation."""
        return list(self.table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's
        """Return the command, imported now; None for a name there is not."""
        place = self.table.get(cmd_name)
        if place is None:
            return None
        found: click.Command = getattr(importlib.import_module(place.module), place.name)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is meant; for one that there is not, say what does it here.

        Raises:
            click.UsageError: there is no such command.
        """
        typed = args[0]
        if typed in self.table or typed.startswith("-"):
            return super().resolve_command(ctx, args)
        from otel_experiments.cli.terminal.format import clean_lines  # noqa: PLC0415 - only to explain a mistake

        hint = self.hint_for(typed)
        message = f"No such command {clean_lines(repr(typed))}." + (f"\n  {hint}" if hint else "")
        raise click.UsageError(message, ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, place.brief) for name, place in self.table.items()])


def in_modules(package: str, briefs: Mapping[str, str]) -> dict[str, LazyCommand]:
    """Return the table of commands that are each a module of the package, called `command` in it."""
    return {
        # A word of Python, such as import, is no name of a module: an underscore follows it.
        name: LazyCommand(f"{package}.{name}{'_' * iskeyword(name)}", "command", brief)
        for name, brief in briefs.items()
    }
