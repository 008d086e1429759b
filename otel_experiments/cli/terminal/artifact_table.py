"""Artifacts as a table: for `show` and for commands that list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.cli.terminal.table import Column, print_table
from otel_experiments.query.artifact_view import ArtifactView

_DIGITS: Final = len("sha256:") + 8
_LAYOUT: Final = (
    Column("artifact", is_elastic=True, max_width=60),
    Column("aliases", is_elastic=True, max_width=30),
    Column("type", is_elastic=True, max_width=16),
    Column("files", is_right=True),
    Column("size", is_right=True),
    Column("step", is_right=True),
    Column("digest", style="dim"),
)


def print_artifacts(
    console: Console, artifacts: Sequence[ArtifactView], *, experiment: str | None = None
) -> None:
    """Print a line for each artifact; `experiment` is known, and not said again of its artifacts."""
    rows = [
        [
            fmt.clean(_name(one, experiment)),
            fmt.clean(", ".join(one.aliases)),
            fmt.clean(one.type),
            f"{one.file_count:,}" if one.is_folder else "",
            fmt.size(one.size_bytes) if one.file_count else "",
            "" if one.step is None else fmt.value(int(one.step) if one.step == one.step // 1 else one.step),
            one.digest[:_DIGITS],
        ]
        for one in artifacts
    ]
    used = [index for index, column in enumerate(_LAYOUT) if not index or any(row[index] for row in rows)]
    print_table(console, [_LAYOUT[index] for index in used], [[row[index] for index in used] for row in rows])


def _name(one: ArtifactView, experiment: str | None) -> str:
    if one.version is None:
        return one.name or "(not known here)"
    return f"{one.name}:v{one.version}" if one.experiment == experiment else one.ref
