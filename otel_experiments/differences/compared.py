"""Several runs side by side: the params, metrics and facts in which they differ, the most telling first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from otel_experiments._short_repr import fields_repr
from otel_experiments.differences import weights
from otel_experiments.differences.code import command_of
from otel_experiments.differences.found import RunSide
from otel_experiments.differences.metrics import change_text
from otel_experiments.differences.values import are_equal
from otel_experiments.query import RunView, SeriesView
from otel_experiments.query.shown.curves import label_of
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.query.json_values import Plain

Kind = Literal["param", "metric", "run"]
_KINDS: Final = ("param", "metric", "run")
_UNSEEN_DATA: Final = re.compile(r"val|test|eval")
_TIME_RELEVANCE: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRow:
    """One thing in which runs differ.

    Attributes:
        kind: `param`, `metric` or `run` (state, duration, code).
        key: which one.
        values: of each run, in the order of the runs; None where one has none.
        which: of a metric the statistic: `best` where all runs declared one direction, else `last`.
        direction: of a metric `min` or `max`; None where none was declared.
        relevance: from 0 to 1, what rows of a kind are sorted by.
    """

    kind: Kind
    key: str
    values: tuple[object, ...]
    which: str = ""
    direction: str | None = None
    relevance: float = 0.5

    def change(self, at: int) -> str:
        """Return how far a number lies from the baseline's: `-12.5 %, better`; empty where both are the same, or no numbers.

        Args:
            at: the position of the run.
        """
        base, value = self.values[0], self.values[at]
        if at == 0 or not (_is_number(base) and _is_number(value)):
            return ""
        return change_text(float(base), float(value), self.direction)  # type: ignore[arg-type] # numbers, as just checked

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Several runs side by side; the first is the baseline.

    A notebook shows it as a table; `print` prints it.

    Attributes:
        runs: the runs, the baseline first.
        rows: what differs: params, then metrics, then facts of the runs, the most telling of each first.
    """

    runs: tuple[RunSide, ...]
    rows: tuple[ComparedRow, ...]

    def text(self, *, width: int = 100) -> str:
        """Return the table as text; runs for which there is no room are counted below.

        Args:
            width: how many columns wide.
        """
        from otel_experiments.differences.report.side_by_side import render_text  # noqa: PLC0415 - one form of four

        return render_text(self.runs, self.rows, width=width)

    def json(self) -> dict[str, Plain]:
        """Return everything as values that JSON can hold; keys are only ever added."""
        from otel_experiments.differences.report.side_by_side import render_json  # noqa: PLC0415 - as above

        return render_json(self.runs, self.rows)

    def markdown(self) -> str:
        """Return the table in Markdown."""
        from otel_experiments.differences.report.side_by_side import render_markdown  # noqa: PLC0415 - as above

        return render_markdown(self.runs, self.rows)

    def csv(self) -> str:
        """Return the table as CSV, a column a run; texts that a spreadsheet would run as a formula begin with an apostrophe."""
        from otel_experiments.differences.report.side_by_side import render_csv  # noqa: PLC0415 - as above

        return render_csv(self.runs, self.rows)

    def _repr_html_(self) -> str:
        from otel_experiments.differences.report.side_by_side import render_html  # noqa: PLC0415 - as above

        return render_html(self.runs, self.rows)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        return f"RunComparison({len(self.runs)} runs, {len(self.rows)} rows)"


def compare_runs(runs: Sequence[RunView]) -> RunComparison:
    """Return what several runs differ in.

    Args:
        runs: the runs; the first is the baseline.
    """
    sides = tuple(
        RunSide(
            id=one.id,
            name=one.name,
            experiment=one.experiment,
            state=str(one.state),
            duration_s=one.duration_s,
        )
        for one in runs
    )
    rows = [*_params(runs), *_metrics(runs), *_facts(runs)]
    rows.sort(key=lambda row: (_KINDS.index(row.kind), -row.relevance))
    return RunComparison(sides, tuple(rows))


def _differ(values: Sequence[object]) -> bool:
    return any(not are_equal(values[0], one) for one in values[1:])


def _params(runs: Sequence[RunView]) -> Iterator[ComparedRow]:
    flats = [run.params.flat for run in runs]
    for key in dict.fromkeys(key for flat in flats for key in flat):
        values = tuple(flat.get(key) for flat in flats)
        if _differ(values):
            spread = len({repr(value) for value in values}) / len(values)
            relevance = weights.param_weight(key, None, None) * (0.5 + spread / 2)
            yield ComparedRow(kind="param", key=key, values=values, relevance=relevance)


def _metrics(runs: Sequence[RunView]) -> Iterator[ComparedRow]:
    all_series = [{label_of(series): series for series in run.metrics.all()} for run in runs]
    for label in dict.fromkeys(label for held in all_series for label in held):
        found = [held.get(label) for held in all_series]
        directions = {one.direction for one in found if one is not None}
        direction = directions.pop() if len(directions) == 1 else None
        values = tuple(None if one is None else _value(one, is_best=direction is not None) for one in found)
        if not _differ(values):
            continue
        numbers = [value for value in values if value is not None and math.isfinite(value)]
        largest = max(map(abs, numbers), default=0.0)
        spread = (max(numbers) - min(numbers)) / largest / 2 if largest else 0.0
        is_unseen = _UNSEEN_DATA.search(label) is not None
        relevance = min(1.0, 0.4 * spread + 0.4 * (direction is not None) + 0.2 * is_unseen)
        which = "last" if direction is None else "best"
        yield ComparedRow(
            kind="metric", key=label, values=values, which=which, direction=direction, relevance=relevance
        )


def _value(series: SeriesView, *, is_best: bool) -> float:
    best = series.best if is_best else None
    return series.last if best is None else best


def _facts(runs: Sequence[RunView]) -> Iterator[ComparedRow]:
    facts: tuple[tuple[str, tuple[object, ...], float], ...] = (
        ("state", tuple(str(run.state) for run in runs), 0.9),
        ("git commit", tuple(_short(run.resource.get(attr.VCS_REF_HEAD_REVISION)) for run in runs), 0.8),
        ("uncommitted changes", tuple(run.snapshot.is_dirty for run in runs), 0.7),
        ("command", tuple(command_of(run.resource) or None for run in runs), 0.4),
        ("python", tuple(run.resource.get(attr.PROCESS_RUNTIME_VERSION) for run in runs), 0.5),
        ("host", tuple(run.resource.get(attr.HOST_NAME) for run in runs), 0.3),
        ("duration_s", tuple(run.duration_s for run in runs), _TIME_RELEVANCE),
    )
    for key, values, relevance in facts:
        if _differ(values):
            yield ComparedRow(kind="run", key=key, values=values, relevance=relevance)


def _short(revision: object) -> object:
    return revision[:12] if isinstance(revision, str) else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
