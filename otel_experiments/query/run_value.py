"""What a field of a search expression is for one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.search import (
    ArtifactField,
    AttributeField,
    DirtyField,
    EventCountField,
    FactField,
    LogTextField,
    MetricField,
    MetricStat,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    RunFieldName,
    SearchField,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.store.semantics.artifacts import artifact_value, last_logged
from otel_experiments.store.semantics.run_facts import fact_of

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue, Run, RunState
    from otel_experiments.query.metrics_view import MetricsView
    from otel_experiments.query.params_view import ParamsView
    from otel_experiments.query.series_view import SeriesView
    from otel_experiments.store import Store


class _Run(Protocol):
    """What is asked of a run, which knows this module."""

    @property
    def id(self) -> str: ...
    @property
    def record(self) -> Run: ...
    @property
    def state(self) -> RunState: ...
    @property
    def duration_s(self) -> float | None: ...
    @property
    def params(self) -> ParamsView: ...
    @property
    def tags(self) -> dict[str, str]: ...
    @property
    def metrics(self) -> MetricsView: ...


def value_of(run: _Run, store: Store, field: SearchField) -> ParamValue:  # noqa: PLR0911 - one a field
    """Return what the field is; None where the run has no such field, and for the text of many log records."""
    match field:
        case FactField(fact):
            return fact_of(run.record.resource, fact) or None
        case ArtifactField(name, part):
            logged = store.artifacts(ArtifactQuery(run_ids=(run.id,), name=name))
            newest = max(logged, key=last_logged, default=None)
            return None if newest is None else artifact_value(newest, part)
        case SummaryField(key):
            return next((one.value for one in store.summary_sets(run.id) if one.key == key), None)
        case ParamField(key):
            return run.params.flat.get(key)
        case TagField(key):
            return run.tags.get(key)
        case MetricField(name, stat, phase):
            series = run.metrics.get(name) if phase is None else run.metrics.in_phase(name, phase)
            return None if series is None else _number(series, stat)
        case SpanStatField() | EventCountField() | DirtyField() | PackageField():
            return _inside(run, store, field)
        case RunField(name):
            return _own_value(run, store, name)
        case LogTextField() | RecordField() | AttributeField():
            return None


def _inside(
    run: _Run, store: Store, field: SpanStatField | EventCountField | DirtyField | PackageField
) -> float | str | None:
    if isinstance(field, DirtyField | PackageField):
        return _of_snapshot(run, store, field)
    if isinstance(field, EventCountField):
        return len(store.log_records(run_id=run.id, event_name=field.name)) or None
    from otel_experiments.store.semantics.span_tally import span_stat  # noqa: PLC0415 - few ask

    mine = store.span_summaries([run.id])[run.id]
    return next((span_stat(one, field.stat) for one in mine if one.name == field.name), None)


def _of_snapshot(run: _Run, store: Store, field: DirtyField | PackageField) -> str | bool | None:
    from otel_experiments.query.snapshot_view import SnapshotView  # noqa: PLC0415 - few ask
    from otel_experiments.store.semantics.snapshots import package_key  # noqa: PLC0415 - as above

    found = SnapshotView(run.id, lambda run_id, name: store.log_records(run_id=run_id, event_name=name))
    if isinstance(field, DirtyField):
        return found.is_dirty
    return found.packages.get(package_key(field.name))


def _own_value(run: _Run, store: Store, name: RunFieldName) -> ParamValue:
    match name:
        case "state":
            return str(run.state)
        case "duration":
            return run.duration_s
        case "artifacts":
            logged = store.artifacts(ArtifactQuery(run_ids=(run.id,)))
            return len({(one.logged.experiment, one.logged.name, one.logged.digest) for one in logged})
        case "created" | "started" | "ended" | "pinned" | "archived" | "removed":
            time_ns: int | None = getattr(run.record, f"{name}_ns")
            return None if time_ns is None else time_ns / 1e9
        case _:
            found: str | int | None = getattr(run.record, name)
            return found


def _number(series: SeriesView, stat: MetricStat) -> float | None:
    found: float | None = getattr(series, stat)
    return found
