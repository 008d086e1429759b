"""One row a run: its fields, `tags.*`, `params.*`, `metrics.NAME.last` and so on. CSV, Parquet and frames have these columns."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, Literal, get_args

from otel_experiments.errors import QueryError
from otel_experiments.model.metric import Summary
from otel_experiments.model.run import RunFacts
from otel_experiments.query.frames.columns import Column, Columns, Kind, KindGuess, as_kind, guessed
from otel_experiments.query.natural import natural_key
from otel_experiments.query.run_view import RunView
from otel_experiments.query.series_view import SeriesView

RUN_COLUMNS: Final = (
    "run_id", "experiment", "name", "state", "reason", "error_type", "created", "started", "ended",
    "duration_s", *(one.name for one in fields(RunFacts)), "parent_run_id", "attempt", "note", "pinned", "archived", "removed",
)  # fmt: skip
SeriesStat = Literal[
    "last", "last_step", "min", "min_step", "max", "max_step", "mean", "best", "best_step", "count", "nan_count"
]  # fmt: skip
SERIES_STATS: Final[tuple[SeriesStat, ...]] = get_args(SeriesStat)
"""What there is of a series, each in a column of its own."""

_KINDS: Final[dict[str, Kind]] = {
    "created": "time", "started": "time", "ended": "time", "duration_s": "float", "attempt": "int",
    "pinned": "time", "archived": "time", "removed": "time",
}  # fmt: skip
_STAT_KINDS: Final[dict[str, Kind]] = {"count": "int", "nan_count": "int"}
_NAMESPACES: Final = ("tags", "params", "metrics")


def cells_of(run: RunView, stats: Sequence[SeriesStat] = SERIES_STATS) -> Iterator[tuple[str, object]]:
    """Yield the cells of a run with their columns, those that it has; times are nanoseconds since the Unix epoch."""
    record = run.record
    yield "run_id", run.id
    yield "experiment", run.experiment
    yield "name", run.name
    yield "state", str(run.state)
    yield "reason", run.reason
    yield "error_type", run.error_type
    yield "created", run.created_ns
    yield "started", run.started_ns
    yield "ended", run.ended_ns
    yield "duration_s", run.duration_s
    for one in fields(RunFacts):
        yield one.name, getattr(record, one.name)
    yield "parent_run_id", record.parent_run_id
    yield "attempt", record.attempt
    yield "note", record.note
    yield "pinned", record.pinned_ns
    yield "archived", record.archived_ns
    yield "removed", record.removed_ns
    for key, tag in run.tags.items():
        yield f"tags.{key}", tag
    for key, value in run.params.flat.items():
        yield f"params.{key}", value
    taken: set[str] = set()
    for series in run.metrics.all():
        values = _values_of(series, stats)
        label = series.name
        if series.phase or label.endswith(
            "]"
        ):  # a metric may be called as the phase of another one is written
            label = _free_label(label, series.phase, taken)
        for column, number in zip(_columns_of(label, tuple(stats)), values, strict=True):
            if number is not None:
                yield column, number


def _free_label(name: str, phase: str, taken: set[str]) -> str:
    """Return `NAME[PHASE]`, with `[]` behind it while another series of the run has it, and add it to those."""
    label = f"{name}[{phase}]" if phase else name
    while label in taken:
        label += "[]"
    taken.add(label)
    return label


def _values_of(series: SeriesView, stats: Sequence[SeriesStat]) -> list[float | None]:
    summary = series.summary
    if summary.first_step != summary.first_step and summary.last_step != summary.last_step:
        return [getattr(series, stat) for stat in stats]  # the steps are those of the points
    # Past the view's properties: a table of 10,000 runs asks millions of times.
    return [_OF_SUMMARY[stat](summary) for stat in stats]


def _whole(step: float | None) -> float | None:
    return int(step) if step is not None and step.is_integer() else step


_OF_SUMMARY: Final[Mapping[SeriesStat, Callable[[Summary], float | None]]] = {
    "last": attrgetter("last"),
    "last_step": lambda summary: _whole(summary.last_step),
    "min": attrgetter("minimum"),
    "min_step": lambda summary: _whole(summary.minimum_step),
    "max": attrgetter("maximum"),
    "max_step": lambda summary: _whole(summary.maximum_step),
    "mean": attrgetter("mean"),
    "best": attrgetter("best"),
    "best_step": lambda summary: _whole(summary.best_step),
    "count": attrgetter("count"),
    "nan_count": attrgetter("nan_count"),
}


@lru_cache(maxsize=4096)
def _columns_of(label: str, stats: Sequence[SeriesStat]) -> tuple[str, ...]:
    return tuple(f"metrics.{label}.{stat}" for stat in stats)


def column_order(columns: Iterable[str]) -> list[str]:
    """Return the columns of some runs in the order of a table: the fields, then tags, params and metrics by name."""
    return [*RUN_COLUMNS, *sorted(set(columns) - set(RUN_COLUMNS), key=_place_of)]


def _place_of(column: str) -> tuple[int, object, int]:
    namespace, _, rest = column.partition(".")
    if namespace == "metrics":
        name, _, stat = rest.rpartition(".")
        return 2, natural_key(name), SERIES_STATS.index(stat)
    return _NAMESPACES.index(namespace), natural_key(rest), 0


def kind_of(column: str) -> Kind | None:
    """Return the kind that a column has by its name; None where its values decide."""
    if "." not in column:
        return _KINDS.get(column, "text")
    namespace, _, rest = column.partition(".")
    stat = rest.rpartition(".")[2]
    if namespace == "tags":
        return "text"
    if namespace == "params" or stat.endswith("_step"):
        return None
    return _STAT_KINDS.get(stat, "float")


def is_time(column: str) -> bool:
    """Tell whether a column holds points in time."""
    return _KINDS.get(column) == "time"


def check_stats(stats: Sequence[str]) -> tuple[SeriesStat, ...]:
    """Return which columns of a metric are wanted, each once, in their order in a table.

    Raises:
        QueryError: one of them is not known.
    """
    wanted = tuple(dict.fromkeys([stats] if isinstance(stats, str) else stats))
    if unknown := [stat for stat in wanted if stat not in SERIES_STATS]:
        raise QueryError(
            f"A table of runs has no column {unknown[0]!r} of a metric.\n  There are: {', '.join(SERIES_STATS)}."
        )
    return tuple(stat for stat in SERIES_STATS if stat in wanted)


class RunKinds:
    """Finds out which columns some runs have in a file, and of which kind each is, a run at a time. Steps are floats there."""

    def __init__(self) -> None:
        self._guesses: dict[str, KindGuess | None] = {}

    def see(self, run: RunView) -> None:
        """Take a run into account."""
        guesses = self._guesses
        for column, value in cells_of(run):
            if column not in guesses:
                is_open = column.startswith("params.")
                guesses[column] = KindGuess() if is_open else None
            guess = guesses[column]
            if guess is not None:
                guess.see(value)

    def kinds(self) -> dict[str, Kind]:
        """Return the kind of each column, in the order of a table."""
        found: dict[str, Kind] = {}
        for column in column_order(self._guesses):
            guess = self._guesses.get(column)
            found[column] = guess.kind() if guess is not None else kind_of(column) or "float"
        return found


def run_columns(
    runs: Iterable[RunView],
    count: int,
    stats: Sequence[SeriesStat] = SERIES_STATS,
    *,
    kinds: Mapping[str, Kind] | None = None,
) -> Columns:
    """Return so many runs as columns, each looked at once; a column that a run lacks is missing there.

    `kinds`: these columns, and no other; without it those that the runs have, of the kinds that their values have.
    """
    table: dict[str, list[object]] = {}
    for row, run in enumerate(runs):
        for column, value in cells_of(run, stats):
            values = table.get(column)
            if values is None:
                values = table[column] = [None] * count
            values[row] = value
    made = {}
    for name in column_order(table) if kinds is None else kinds:
        values = table.pop(name, None) or [None] * count
        kind = kind_of(name) if kinds is None else kinds[name]
        made[name] = guessed(values) if kind is None else Column(kind, _as_column(name, kind, values))
    return Columns(count, made)


def _as_column(name: str, kind: Kind, values: list[object]) -> list[Any]:
    if kind == "text" and name in RUN_COLUMNS:
        values = [value or None for value in values]  # "": there is none
    return as_kind(values, kind)
