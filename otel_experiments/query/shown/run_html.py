"""A run, and runs that were found together, as HTML for the cell of a notebook."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from otel_experiments.figures import panel as html
from otel_experiments.figures.quantity import duration, number
from otel_experiments.model.run import ParamValue, RunState
from otel_experiments.query.shown.html import (
    MAX_COLUMNS,
    MAX_ROWS,
    ShownSeries,
    ago,
    counted,
    losses_part,
    names_of,
    params_part,
    series_table,
    span_text,
    value_text,
    varying,
    when,
)

if TYPE_CHECKING:
    from otel_experiments.model.loss import Loss


class ShownMetrics(Protocol):
    """What is needed of the metrics of a run."""

    def __iter__(self) -> Iterator[str]: ...
    def get(self, name: str, /) -> ShownSeries | None:
        """Return the series of a name."""
        ...

    def all(self) -> Sequence[ShownSeries]:
        """Return every series."""
        ...


class ShownParams(Protocol):
    """What is needed of the params of a run."""

    @property
    def flat(self) -> Mapping[str, ParamValue]:
        """The params by dotted key."""
        ...


class ShownRun(Protocol):
    """What is needed of a run."""

    @property
    def id(self) -> str:
        """The run id."""
        ...

    @property
    def short_id(self) -> str:
        """Its first 8 digits."""
        ...

    @property
    def name(self) -> str:
        """The name."""
        ...

    @property
    def experiment(self) -> str:
        """The experiment."""
        ...

    @property
    def state(self) -> RunState:
        """The state."""
        ...

    @property
    def reason(self) -> str:
        """Why it has this state."""
        ...

    @property
    def error_type(self) -> str:
        """The type of the exception that ended it."""
        ...

    @property
    def created_ns(self) -> int:
        """When it was made."""
        ...

    @property
    def duration_s(self) -> float | None:
        """How long it worked."""
        ...

    @property
    def age_s(self) -> float:
        """How long ago it was made."""
        ...

    @property
    def params(self) -> ShownParams:
        """The params."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """The tags."""
        ...

    @property
    def metrics(self) -> ShownMetrics:
        """The metrics."""
        ...

    @property
    def losses(self) -> Sequence[Loss]:
        """What it lost."""
        ...

    @property
    def lost_count(self) -> int:
        """How much of it."""
        ...


def run_html(run: ShownRun, *parts: str) -> str:
    """Return a run: its head, what it lost, params, metrics with their course, tags; `parts` come before the tags."""
    series = run.metrics.all()
    shown = [
        html.head(
            run.name or run.short_id,
            badges=[html.state_badge(str(run.state))],
            facts=[
                html.code(run.id),
                f"experiment {run.experiment}",
                f"made {when(run.created_ns)} ({ago(run.age_s)})",
                span_text(run.duration_s, is_live=run.state.is_live),
            ],
        )
    ]
    reason = ": ".join(text for text in (run.error_type, run.reason) if text)
    if reason:
        shown.append(html.line(html.toned(reason, "bad" if run.state is RunState.FAILED else "warn")))
    shown += losses_part(run.losses)
    shown += params_part(run.params.flat)
    if series:
        shown += [html.heading("metrics"), series_table(series)]
    return html.panel(*shown, *parts, *_tags(run.tags))


def _tags(tags: Mapping[str, str]) -> list[html.Markup]:
    if not tags:
        return []
    first = dict(sorted(tags.items())[:MAX_ROWS])
    return [html.heading("tags"), html.pairs(first, left_out=len(tags) - len(first))]


def runs_html(runs: Sequence[ShownRun], count: int) -> str:
    """Return the first of `count` runs as a table: state, age, what tells their params apart, their metrics.

    Args:
        runs: Those that are shown, and read.
        count: How many there are.
    """
    if not runs:
        return html.panel(html.head("0 runs"))
    keys = varying([run.params.flat for run in runs], MAX_COLUMNS)
    names = names_of((list(run.metrics) for run in runs), MAX_COLUMNS)
    columns: list[html.Column | str] = [
        "run", "id", "", "experiment", html.Column("age", is_number=True), html.Column("took", is_number=True),
        *(html.Column(key, is_number=_is_numeric(runs, key)) for key in keys), *(html.Column(name, is_number=True) for name in names),
    ]  # fmt: skip
    rows: list[list[str]] = []
    for run in runs:
        flat = run.params.flat
        lost = [html.badge(f"{run.lost_count:,} lost", "warn")] if run.losses else []
        found = [run.metrics.get(name) for name in names]
        rows.append(
            [
                run.name or "-",
                html.code(run.short_id),
                html.Markup("".join([html.state_badge(str(run.state)), *lost])),
                run.experiment,
                ago(run.age_s).removesuffix(" ago"),
                duration(run.duration_s),
                *(value_text(flat[key]) if key in flat else "" for key in keys),
                *("" if one is None else number(one.last) for one in found),
            ]
        )
    facts = _states(runs) if len(runs) == count else [f"the first {len(runs)} are shown"]
    body = html.table(columns, rows, left_out=count - len(runs))
    return html.panel(html.head(counted(count, "run"), facts=facts), body)


def _is_numeric(runs: Sequence[ShownRun], key: str) -> bool:
    found = (run.params.flat.get(key) for run in runs)
    return all(
        value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in found
    )


def _states(runs: Sequence[ShownRun]) -> list[str]:
    counts: dict[str, int] = {}
    for run in runs:
        counts[str(run.state)] = counts.get(str(run.state), 0) + 1
    return [f"{count} {state}" for state, count in counts.items()]
