"""The points of series as columns: one row a point, or one row a step with a column for each metric."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, Protocol

from otel_experiments.errors import QueryError
from otel_experiments.model.metric import Points
from otel_experiments.query.frames.columns import Column, Columns, Kind, Repeated, step_column

_PART: Final = 100_000
"""Points that are made ready for a file together; the texts beside them take more room than the points."""

Duplicates = Literal["last", "first", "mean", "min", "max"]
"""Which value a step has in a wide table that was logged more than once."""


class Labeled(Protocol):
    """A series, as far as a table of points looks at it."""

    @property
    def name(self) -> str:
        """The metric's name."""
        ...

    @property
    def phase(self) -> str:
        """The phase; empty for none."""
        ...

    @property
    def rank(self) -> int:
        """The rank that recorded it."""
        ...

    def points(self) -> Points:
        """Return the history."""
        ...


def point_columns(points: Points) -> Columns:
    """Return one series: `step`, `time`, `value`, in the order of recording."""
    return Columns(
        len(points),
        {
            "step": step_column(points.steps),
            "time": Column("time", points.times_ns),
            "value": Column("float", points.values),
        },
    )


def file_columns(run_id: str, series: Labeled) -> Iterator[Columns]:
    """Yield one series as files have it, a part at a time: with its run and metric in each row, and each step a float."""
    points = series.points()
    for start in range(0, len(points), _PART):
        part = slice(start, start + _PART)
        steps = points.steps[part]
        count = len(steps)
        yield Columns(
            count,
            {
                "run_id": Column("text", Repeated(run_id, count)),
                "metric": Column("text", Repeated(series.name, count)),
                "phase": Column("text", Repeated(series.phase or None, count)),
                "rank": Column("int", Repeated(series.rank, count)),
                "step": Column("float", steps),
                "time": Column("time", points.times_ns[part]),
                "value": Column("float", points.values[part]),
            },
        )


FILE_KINDS: Final[Mapping[str, Kind]] = {
    "run_id": "text", "metric": "text", "phase": "text", "rank": "int", "step": "float", "time": "time", "value": "float",
}  # fmt: skip
"""The columns of `file_columns`."""


def long_columns(series: Iterable[Labeled]) -> Columns:
    """Return several series below each other: `metric`, `phase`, `rank`, `step`, `time`, `value`; nothing is left out."""
    metrics: list[str] = []
    phases: list[str | None] = []
    ranks, steps, times_ns, values = array("q"), array("d"), array("q"), array("d")
    for one in series:
        points = one.points()
        metrics += [one.name] * len(points)
        phases += [one.phase or None] * len(points)
        ranks.extend([one.rank] * len(points))
        steps.extend(points.steps)
        times_ns.extend(points.times_ns)
        values.extend(points.values)
    return Columns(
        len(values),
        {
            "metric": Column("text", metrics),
            "phase": Column("text", phases),
            "rank": Column("int", ranks),
            "step": step_column(steps),
            "time": Column("time", times_ns),
            "value": Column("float", values),
        },
    )


_PICK: Final[dict[str, Callable[[float, float], float]]] = {
    "last": lambda _, new: new,
    "first": lambda old, _: old,
    # NaN is not a number to choose: it stays only where every value is NaN.
    "min": lambda old, new: new if old != old or new < old else old,  # noqa: PLR0124 - NaN
    "max": lambda old, new: new if old != old or new > old else old,  # noqa: PLR0124 - NaN
}


def wide_columns(series: Sequence[Labeled], *, duplicates: Duplicates) -> Columns:
    """Return one row a step: `step`, and a column for each series; a step at which a series has no point is missing there.

    Points without a step are one row, the last one.

    Raises:
        QueryError: `duplicates` is no rule.
    """
    if duplicates not in {*_PICK, "mean"}:
        raise QueryError(
            f"A step that has several values cannot have {duplicates!r} of them.\n  Give last, first, mean, min or max."
        )
    histories = [one.points() for one in series]
    known = sorted({step for points in histories for step in points.steps if step == step})  # noqa: PLR0124 - NaN
    row_of: dict[float, int] = {step: row for row, step in enumerate(known)}
    has_stepless = any(step != step for points in histories for step in points.steps)  # noqa: PLR0124 - NaN
    count = len(known) + has_stepless
    steps = step_column(array("d", known))
    if has_stepless:
        steps = Column(steps.kind, [*steps.values, None])
    table = {"step": steps}
    for one, points in zip(series, histories, strict=True):
        column = _by_row(points, row_of, count, duplicates)
        table[_label(one, table)] = Column("float", column)
    return Columns(count, table)


def _by_row(
    points: Points, row_of: dict[float, int], count: int, duplicates: Duplicates
) -> list[float | None]:
    column: list[float | None] = [None] * count
    if duplicates == "last":
        for step, value in zip(points.steps, points.values, strict=True):
            column[row_of.get(step, -1)] = value
        return column
    if duplicates == "mean":
        values: dict[int, list[float]] = {}
        for step, value in zip(points.steps, points.values, strict=True):
            values.setdefault(row_of.get(step, count - 1), []).append(value)
        for row, found in values.items():
            column[row] = sum(found) / len(found)
        return column
    pick = _PICK[duplicates]
    for step, value in zip(points.steps, points.values, strict=True):
        row = row_of.get(step, -1)
        held = column[row]
        column[row] = value if held is None else pick(held, value)
    return column


def _label(series: Labeled, taken: Container[str]) -> str:
    """Return the name of a column: the metric's, with its phase and rank, behind `metrics.` while another column has it."""
    marks = [mark for mark in (series.phase, f"rank={series.rank}" if series.rank else "") if mark]
    label = f"{series.name}[{', '.join(marks)}]" if marks else series.name
    while label in taken:
        label = f"metrics.{label}"
    return label
