"""What an export of ours holds: telemetry whose resource says under which run it is stored, and the runs themselves.

It is taken as it is where it is imported from a file; what comes over the network is not believed. Nothing is derived from it, and no run is made of it: the export has all points and the run itself.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from otel_experiments.codec.export_mark import given_of, mark_of, unmarked
from otel_experiments.codec.run_record import load_run_record
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Resource, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

_Item = TypeVar("_Item", Span, LogRecord, InstrumentPoint)


class Replayed:
    """Takes the items of one request that were exported by us, where it is of a file that is imported."""

    def __init__(self, *, is_imported: bool) -> None:
        self._is_imported = is_imported
        self._unmarked: dict[int, tuple[Resource, Resource]] = {}

    def take_span(self, span: Span, batch: WriteBatch) -> bool:
        """Add a span that has the mark; tell whether it has."""
        return self._take(span, batch.spans)

    def take_log_record(self, record: LogRecord, batch: WriteBatch) -> bool:
        """Add a log record that has the mark; tell whether it has."""
        return self._take(record, batch.log_records)

    def take_run_record(self, record: LogRecord, batch: WriteBatch) -> bool:
        """Add the run that a log record with the mark is the record of; tell whether it is one.

        Raises:
            TelemetryDecodeError: the record of a run cannot be read.
        """
        run_id = self._run_of(record.resource)
        if not run_id or record.event_name != events.ML_RUN_RECORD.name:
            return False
        if not isinstance(record.body, str):
            raise TelemetryDecodeError(
                source=f"The event {record.event_name} of the run {run_id}", found="a body that is no text"
            )
        held = load_run_record(run_id, record.body)
        batch.runs += held.runs
        batch.state_changes += held.state_changes
        batch.heartbeats += held.heartbeats
        batch.params += held.params
        batch.summaries += held.summaries
        batch.tags += held.tags
        batch.metric_definitions += held.metric_definitions
        batch.artifacts += held.artifacts
        batch.artifact_uses += held.artifact_uses
        batch.artifact_aliases += held.artifact_aliases
        batch.edits += held.edits
        return True

    def take_instrument_point(self, point: InstrumentPoint, batch: WriteBatch) -> bool:
        """Add a data point that has the mark; tell whether it has."""
        return self._take(point, batch.instrument_points)

    def identify(self, resource: Resource) -> Identity | None:
        """Return of which run and rank a series with this resource is; None where it is of none or has no mark."""
        run_id, rank = self._run_of(resource), resource.attributes.get(attr.ML_DISTRIBUTED_RANK)
        if not run_id:
            return None
        return Identity(run_id, "", "", rank if isinstance(rank, int) and rank > 0 else 0, is_own=True)

    def is_of_no_run(self, resource: Resource) -> bool:
        """Tell whether a series with this resource was exported and belongs to no run."""
        return self._run_of(resource) == ""

    def _take(self, item: _Item, into: list[_Item]) -> bool:
        run_id = self._run_of(item.resource)
        if run_id is None:
            return False
        given_ns = given_of(item.resource) if run_id else None
        resource = self.unmarked(item.resource)
        into.append(replace(item, resource=resource, run_id=run_id or None, given_ns=given_ns))
        return True

    def _run_of(self, resource: Resource) -> str | None:
        """Return the run of the mark that counts, empty for no run; None where none counts."""
        return mark_of(resource) if self._is_imported else None

    def unmarked(self, resource: Resource) -> Resource:
        """Return the resource without the mark; items that share one still do."""
        found = self._unmarked.get(id(resource))
        if found is None:
            found = self._unmarked[id(resource)] = (resource, unmarked(resource))
        return found[1]
