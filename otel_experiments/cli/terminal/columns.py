"""Which params and metrics a table of runs shows, and what they are called there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.model.search import (
    ArtifactField,
    AttributeField,
    DirtyField,
    EventCountField,
    FactField,
    LogTextField,
    MetricField,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    SearchField,
    SpanStatField,
    TagField,
)
from otel_experiments.query import RunView
from otel_experiments.query.natural import natural_key
from otel_experiments.query.search.told import short
from otel_experiments.query.search.value import TIME_FIELDS

MAX_CELL = 16
"""Characters of a chosen column; longer values are cut."""


def label(field: SearchField) -> str:
    """Return the column's heading: the name alone, the statistic only where it is not the last value."""
    match field:
        case RunField(name) | FactField(name):
            return name
        case ArtifactField(name, part):
            return f"{fmt.clean(name)} {part}"
        case ParamField(key) | TagField(key):
            return fmt.clean(key)
        case (
            SpanStatField()
            | EventCountField()
            | LogTextField()
            | DirtyField()
            | PackageField()
            | RecordField()
            | AttributeField()
        ):
            return fmt.clean(short(field))
        case MetricField(name, stat, phase):
            return (
                fmt.clean(name)
                + (f" [{fmt.clean(phase)}]" if phase else "")
                + ("" if stat == "last" else f" {stat}")
            )


def heading(field: SearchField, runs: Sequence[RunView]) -> str:
    """Return the label, with `metrics.` before a metric that shares its name with a param of one of the runs."""
    is_shared = isinstance(field, MetricField) and any(field.name in run.params.flat for run in runs)
    return f"metrics.{label(field)}" if is_shared else label(field)


def cell(run: RunView, field: SearchField, *, now_s: float) -> str:
    """Return what the run has in the column; times of the run as how long ago they were."""
    found = run.value(field)
    if isinstance(field, RunField) and found is not None:
        if field.name in TIME_FIELDS and isinstance(found, int | float):
            return fmt.age(now_s - found)
        if field.name == "duration" and isinstance(found, int | float):
            return fmt.duration(found)
    return fmt.value(found)


def choose(runs: Sequence[RunView], *, room: int) -> list[SearchField]:
    """Return the columns that tell these runs apart, as many as fit into `room` characters.

    Metrics that most runs have and parameters that differ between runs, in turns; a metric with a declared
    direction shows its best value, another one its last.
    """
    metrics = _metrics(runs)
    params = _varying_params(runs)
    chosen: list[SearchField] = []
    for i in range(max(len(metrics), len(params))):
        for field in [*metrics[i : i + 1], *params[i : i + 1]]:
            width = 2 + max([len(heading(field, runs)), *(len(cell(run, field, now_s=0)) for run in runs)])
            if width <= min(room, MAX_CELL + 2):
                chosen.append(field)
                room -= width
    # Parameters first, as causes stand before effects.
    return sorted(chosen, key=lambda field: isinstance(field, MetricField))


def _metrics(runs: Sequence[RunView]) -> list[SearchField]:
    counts: Counter[str] = Counter()
    directed: set[str] = set()
    for run in runs:
        counts.update(run.metrics.keys())
        directed.update(name for name, series in run.metrics.items() if series.direction is not None)

    def rank(name: str) -> tuple[bool, bool, int, object]:
        # What somebody said a direction of is what the run is about; of that, how it does on unseen data.
        return (
            name not in directed,
            re.search(r"val|test|eval", name) is None,
            -counts[name],
            natural_key(name),
        )

    names = sorted(counts, key=rank)
    return [MetricField(name, "best" if name in directed else "last") for name in names[:8]]


def _varying_params(runs: Sequence[RunView]) -> list[SearchField]:
    values: dict[str, set[str]] = {}
    for run in runs:
        for key, found in run.params.flat.items():
            values.setdefault(key, set()).add(fmt.value(found))
    varying = [key for key, found in values.items() if len(found) > 1]
    # What takes the most values was searched over; seeds differ everywhere and say nothing.
    varying.sort(key=lambda key: ("seed" in key, -len(values[key])))
    return [ParamField(key) for key in varying[:8]]
