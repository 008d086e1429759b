"""Where the fields of a run are that say what happened inside it: its spans, its events, the text of its log records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import (
    DirtyField,
    EventCountField,
    LogTextField,
    PackageField,
    SpanStatField,
)
from otel_experiments.store.sqlite.search import Place
from otel_experiments.store.sqlite.snapshot_places import place_of_snapshot, sorted_by_snapshot

if TYPE_CHECKING:
    from otel_experiments.model.search import SpanStat
    from otel_experiments.store.sqlite.search import Binder

_STATS: Final[dict[SpanStat, str]] = {
    "count": "count",
    "errors": "error_count",
    "total": "total_ns / 1e9",
    "mean": "total_ns / 1e9 / count",
    "min": "minimum_ns / 1e9",
    "max": "maximum_ns / 1e9",
    "p50": "p50_ns / 1e9",
    "p95": "p95_ns / 1e9",
    "p99": "p99_ns / 1e9",
}
_LOG_TEXTS: Final = (
    "select run_id, ox_text(cast(body as blob)) as found from log_records where run_id is not null"
)

InsideRun = SpanStatField | EventCountField | LogTextField | DirtyField | PackageField


def place_inside(wanted: InsideRun, binder: Binder) -> Place:
    """Return where the field is."""
    match wanted:
        case DirtyField() | PackageField():
            return place_of_snapshot(wanted, binder)
        case SpanStatField() | EventCountField():
            rows = _numbers(wanted, binder)
            return Place(
                f"runs.run_id in (select run_id from ({rows}))",
                lambda condition: f"runs.run_id in (select run_id from ({rows}) where {condition})",
                number="found",
                found=f"select run_id as of, found from ({rows})",
            )
        case LogTextField():
            return Place(
                f"runs.run_id in (select run_id from ({_LOG_TEXTS}) where found is not null)",
                lambda condition: f"runs.run_id in (select run_id from ({_LOG_TEXTS}) where {condition})",
                text="found",
            )


def sorted_inside(wanted: InsideRun, alias: str, binder: Binder) -> tuple[list[str], str]:
    """Return the columns that a field sorts by, and the join that they need; the texts of many records have no order."""
    if isinstance(wanted, LogTextField):
        return ["null"], ""
    if isinstance(wanted, DirtyField | PackageField):
        return sorted_by_snapshot(wanted, alias, binder)
    return [
        f"{alias}.found"
    ], f"left join ({_numbers(wanted, binder)}) {alias} on {alias}.run_id = runs.run_id"


def _numbers(wanted: SpanStatField | EventCountField, binder: Binder) -> str:
    """Select one number a run. Indexes: span_summaries_by_name, log_records_by_event; both are all that is read."""
    name = binder.bind(wanted.name)
    if isinstance(wanted, SpanStatField):
        return f"select run_id, {_STATS[wanted.stat]} as found from span_summaries where name = {name}"
    return f"select run_id, count(*) as found from log_records where event_name = {name} and run_id is not null group by run_id"
