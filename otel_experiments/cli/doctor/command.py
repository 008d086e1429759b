"""`otel-experiments doctor`: is everything in place, and what to do where it is not."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Iterator

import click
from rich.text import Text

from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.cli.doctor.environment import (
    check_instrumentation,
    check_otlp,
    check_settings,
    check_versions,
)
from otel_experiments.cli.doctor.store import check_store
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, named_store, store_option
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.console import is_unicode, make_console
from otel_experiments.errors import ConfigurationError, StorePathError
from otel_experiments.query.json_values import json_line
from otel_experiments.record.base.settings import Settings

_SIGNS = {"ok": ("✓", "green"), "note": ("·", "cyan"), "warning": ("!", "yellow"), "problem": ("✗", "red")}


@click.command("doctor")
@store_option
@click.option(
    "--deep", "is_deep", is_flag=True, help="Check the whole database, however large, and all artifacts."
)
@json_option
@click.pass_context
def command(ctx: click.Context, *, is_deep: bool, as_json: bool) -> None:
    """Check versions, settings, store, journals and OTLP; say what to do.

    Exits with 3 when there is a problem; warnings and notes are not.
    """
    findings = list(diagnose(named_store(ctx), is_deep=is_deep))
    if as_json:
        shown = [
            {"level": one.level, "subject": one.subject, "text": one.text, "fix": one.fix} for one in findings
        ]
        click.echo(json_line({"findings": shown}))
    else:
        _print(findings)
    if any(one.level == "problem" for one in findings):
        ctx.exit(ExitCode.STORE)


def diagnose(location: str | None, *, is_deep: bool = False) -> Iterator[Diagnosis]:
    """Yield everything that the doctor has to say, as it is found.

    Args:
        location: the store; None for the one that the settings name.
        is_deep: check the whole database, however large.
    """
    yield from check_versions()
    try:
        settings = Settings.resolve(store=location)
        path = settings.store_path
    except (ConfigurationError, StorePathError) as error:
        text, _, fix = str(error).partition("\n")
        subject = "store" if isinstance(error, StorePathError) else "settings"
        yield Diagnosis("problem", subject, text, fix.strip())
        return
    yield from check_settings(settings, os.environ)
    yield from check_instrumentation(settings)
    if settings.is_stored:
        yield from check_store(settings.location, path, artifacts=settings.artifacts, is_deep=is_deep)
    else:
        yield Diagnosis("note", "store", "The settings say none: nothing is kept locally.")
    yield from check_otlp(settings, os.environ)


def _print(findings: list[Diagnosis]) -> None:
    console = make_console()
    width = max(len(one.subject) for one in findings)
    for one in findings:
        sign, style = _SIGNS[one.level]
        line = Text(f"{sign if is_unicode(console) else one.level[0]} ", style=style)
        line.append(f"{one.subject:<{width}}  ", style="bold")
        margin = width + 4
        room = max(30, console.width - margin)
        # Names of packages and files stay whole, hyphens or not.
        parts = textwrap.wrap(fmt.clean(one.text), room, break_long_words=False, break_on_hyphens=False)
        for i, part in enumerate(parts):
            line.append(f"\n{'':<{margin}}{part}" if i else part, style="default")
        console.print(line, soft_wrap=True)
        if one.fix:
            # Never wrapped: it is there to be copied.
            console.print(Text(f"{'':<{margin}}-> {fmt.clean(one.fix)}", style=style), soft_wrap=True)
    problems = sum(one.level == "problem" for one in findings)
    warnings = sum(one.level == "warning" for one in findings)
    console.print(Text(f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}.", style="bold"))


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
