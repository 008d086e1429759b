"""What `gc` does to runs: options, question, and what is printed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final, TypeVar

import click

from otel_experiments._retention import (
    Retention,
    RetentionPlan,
    apply_retention,
    plan_retention,
    shrink_store,
)
from otel_experiments.cli.run_edits import ask, counted, in_words, named
from otel_experiments.cli.terminal.format import size
from otel_experiments.edit.runs import REMOVED_DAYS
from otel_experiments.model.store_location import StoreLocation

_Command = TypeVar("_Command", bound=Callable[..., object])
_UNITS_S: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_UNITS_BYTES: Final = {
    "": 1, "b": 1, "k": 1000, "kb": 1000, "kib": 1 << 10, "m": 10**6, "mb": 10**6, "mib": 1 << 20,
    "g": 10**9, "gb": 10**9, "gib": 1 << 30, "t": 10**12, "tb": 10**12, "tib": 1 << 40,
}  # fmt: skip
_AMOUNT: Final = re.compile(r"\s*(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]*)\s*\Z")


class _Amount(click.ParamType):  # type: ignore[type-arg] # no class that can be indexed in each release of click
    """A number with its unit."""

    def __init__(self, name: str, units: dict[str, int], example: str) -> None:
        self.name, self._units, self._example = name, units, example

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:  # click's
        """Return the amount in seconds or bytes."""
        if isinstance(value, float):
            return value
        found = _AMOUNT.match(str(value))
        unit = None if found is None else self._units.get(found[2].lower())
        if found is None or unit is None:
            units = ", ".join(one for one in self._units if one)
            self.fail(
                f"{value!r} is no {self.name}. Write a number and a unit, such as {self._example} ({units}).",
                param,
                ctx,
            )
        return float(found[1]) * unit


AGE: Final = _Amount("age", _UNITS_S, "90d")
SIZE: Final = _Amount("size", _UNITS_BYTES, "20GB")


def retention_options(command: _Command) -> _Command:
    """Give `gc` what chooses runs."""
    for option in (
        click.option("--where", metavar="EXPRESSION", help="Of runs, only those that match."),
        click.option(
            "--max-size",
            type=SIZE,
            metavar="SIZE",
            help="Purge removed runs, then those that ended first, until no more is taken: 20GB.",
        ),
        click.option(
            "--keep-last",
            type=click.IntRange(min=0),
            metavar="N",
            help="Keep the newest N runs of each experiment.",
        ),
        click.option(
            "--runs-older-than",
            type=AGE,
            metavar="AGE",
            help="Purge runs whose last end was longer ago: 90d.",
        ),
        click.option(
            "--removed-for",
            type=AGE,
            metavar="AGE",
            help=f"Purge runs that were removed longer ago; {REMOVED_DAYS}d by default.",
        ),
    ):
        command = option(command)
    return command


@dataclass(slots=True)
class RunsPurged:
    """What was purged, or would be.

    Attributes:
        plan: the runs, and what hangs on them.
        is_dry_run: whether nothing was purged.
        freed_bytes: how much smaller the store's file is.
        why_not: why it is not smaller; empty where it is, or where nothing was purged.
    """

    plan: RetentionPlan
    is_dry_run: bool
    freed_bytes: int = 0
    why_not: str = ""

    @property
    def plain(self) -> dict[str, Any]:
        """What JSON has of it."""
        return {
            "count": len(self.plan.runs),
            "run_ids": [run.id for run in self.plan.runs],
            "contents": asdict(self.plan.contents),
            "store_bytes": self.plan.store_bytes,
            "artifact_bytes": self.plan.artifact_bytes,
            "kept_pinned": self.plan.pinned_count,
            "kept_live": self.plan.live_count,
            "kept_sources": self.plan.source_count,
            "kept_families": self.plan.family_count,
            "kept_changed": self.plan.changed_count,
            "file_bytes_freed": self.freed_bytes,
        }

    @property
    def text(self) -> str:
        """What a person is told."""
        plan = self.plan
        verb = "Would purge" if self.is_dry_run else "Purged"
        lines = [f"{verb} {_what(plan)}: {named(plan.runs)}." if plan.runs else "No run is purged."]
        kept = [
            f"{count:,} {word}"
            for count, word in (
                (plan.pinned_count, "pinned"),
                (plan.live_count, "recorded now"),
                (plan.source_count, "that forks go on from"),
                (plan.family_count, "that a run which stays is part of, or that are part of one"),
                (plan.changed_count, "changed meanwhile"),
            )
            if count
        ]
        if kept:
            lines.append(f"Kept all the same: {', '.join(kept)}.")
        if self.freed_bytes:
            lines.append(f"The store's file is {size(self.freed_bytes)} smaller.")
        if self.why_not:
            lines.append(f"The store's file is as large as before: {self.why_not}.")
        return "\n".join(lines)


def purge_runs(
    ctx: click.Context, location: StoreLocation, retention: Retention, *, dry_run: bool, yes: bool
) -> RunsPurged:
    """Purge the runs that a retention says, after a question."""
    plan = plan_retention(location, retention)
    if dry_run or not plan.runs:
        return RunsPurged(plan, is_dry_run=dry_run)
    ask(ctx, f"Purge {_what(plan)}: {named(plan.runs)}, for good", yes=yes)
    done = apply_retention(location, retention, shown=plan)
    return RunsPurged(done, False, *shrink_store(location))


def _what(plan: RetentionPlan) -> str:
    bytes_ = f"about {size(plan.store_bytes)}"
    if plan.artifact_bytes:
        bytes_ += f" and {size(plan.artifact_bytes)} of artifacts"
    return f"{counted(plan.runs)} with {in_words(plan.contents)} ({bytes_})"
