"""`otel-experiments semconv [NAME]`: what the names in recorded telemetry mean."""

from __future__ import annotations

import dataclasses
import difflib
import fnmatch
from collections.abc import Sequence
from typing import TypeAlias

import click
from rich.text import Text

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option
from otel_experiments.cli.terminal.console import make_console
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.query.json_values import json_line
from otel_experiments.semconv import entities, events, metrics, registry, spans
from otel_experiments.semconv.definitions import AttributeDef, EntityDef, EventDef, MetricDef, SpanDef

Definition: TypeAlias = AttributeDef | SpanDef | MetricDef | EventDef | EntityDef

_KINDS: dict[str, Sequence[Definition]] = {
    "attribute": tuple(registry.ATTRIBUTES.values()),
    "span": spans.ALL,
    "metric": metrics.ALL,
    "event": events.ALL,
    "entity": entities.ALL,
}


@click.command("semconv")
@click.argument("name", required=False)
@click.option("--kind", type=click.Choice(list(_KINDS)), help="Only names of this kind.")
@json_option
@click.pass_context
def command(ctx: click.Context, *, name: str | None, kind: str | None, as_json: bool) -> None:
    """List the vocabulary; with NAME, the whole definition.

    NAME may be a glob such as 'ml.run.*', or the beginning of a name.
    """
    known = [(of, one) for of, group in _KINDS.items() if kind in {None, of} for one in group]
    exact = [(of, one) for of, one in known if name_of(one) == name]
    found = exact or [(of, one) for of, one in known if name is None or _is_meant(name_of(one), name)]
    if not found:
        close = difflib.get_close_matches(name or "", [name_of(one) for _, one in known], n=1)
        hint = f"Did you mean {close[0]!r}? " if close else ""
        click.echo(
            f"No name {name!r} in the vocabulary.\n  {hint}List all: otel-experiments semconv", err=True
        )
        ctx.exit(ExitCode.NOT_FOUND)
    if as_json:
        click.echo(
            json_line(
                [{"definition": of, "name": name_of(one), **dataclasses.asdict(one)} for of, one in found]
            )
        )
    elif exact:
        for of, one in exact:
            _print_definition(of, one)
    else:
        _print_list(found)


def name_of(definition: Definition) -> str:
    """Return the name under which the definition is looked up; for spans and entities, their type."""
    return definition.type if isinstance(definition, SpanDef | EntityDef) else definition.name


def _is_meant(name: str, wanted: str) -> bool:
    return fnmatch.fnmatchcase(name, wanted) or name.startswith(wanted)


def _print_list(found: Sequence[tuple[str, Definition]]) -> None:
    console = make_console()
    layout = [
        Column("kind", style="dim"),
        Column("name"),
        Column("type", max_width=14),
        Column("meaning", is_elastic=True),
    ]
    print_table(console, layout, [[of, name_of(one), _type_of(one), one.brief] for of, one in found])


def _type_of(definition: Definition) -> str:
    match definition:
        case AttributeDef():
            return definition.type
        case SpanDef():
            return definition.kind
        case MetricDef():
            return f"{definition.instrument} {definition.unit}".rstrip()
        case _:
            return ""


def _print_definition(kind: str, definition: Definition) -> None:
    console = make_console()
    console.print(Text.assemble((name_of(definition), "bold"), f"  ({kind})"))
    console.print(Text(definition.brief))
    for field in dataclasses.fields(definition):
        found = getattr(definition, field.name)
        if field.name in {"name", "type", "brief"} and name_of(definition) == found:
            continue
        if field.name == "brief" or found in ("", (), {}, None, False):
            continue
        console.print(Text(field.name.replace("_", " "), style="dim"))
        for line in _shown(found).splitlines():
            console.print(Text(f"  {line}"), soft_wrap=True)


def _shown(found: object) -> str:
    if isinstance(found, tuple):
        return ", ".join(str(one) for one in found)
    if hasattr(found, "items"):
        return "\n".join(f"{key}: {level}" for key, level in found.items())
    return "yes" if found is True else str(found)
