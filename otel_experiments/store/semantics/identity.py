"""What makes two pieces of telemetry the same one: hashes of their content."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Generic, TypeVar

from otel_experiments.codec.values import dump_canonical, dump_value
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Resource, Scope
from otel_experiments.semconv import attributes as attr

_CACHED = 1024

Owned = TypeVar("Owned", Resource, Scope)


def resource_hash(resource: Resource) -> str:
    """Return the SHA-256 of the resource's canonical JSON, the same for equal resources."""
    return _hash(dump_canonical([resource.schema_url, resource.attributes]))


def scope_hash(scope: Scope) -> str:
    """Return the SHA-256 of the scope's canonical JSON, the same for equal scopes."""
    return _hash(dump_canonical([scope.name, scope.version, scope.schema_url, scope.attributes]))


def log_record_hash(record: LogRecord, resource: str, scope: str) -> str:
    """Return what tells a log record from others: the SHA-256 of all it says and who said it.

    The run's id among the attributes is what adopting a record added to it: the application's exporter sends the same
    record without it.
    """
    attributes, run_id = record.attributes, _named_run(record)
    if run_id is not None and attributes.get(attr.ML_RUN_ID) == run_id:
        attributes, run_id = {key: value for key, value in attributes.items() if key != attr.ML_RUN_ID}, None
    return _hash(
        dump_value(
            [
                record.time_ns, record.observed_time_ns, record.event_name, record.severity_number,
                record.severity_text, record.body, attributes, record.trace_id, record.span_id,
                record.flags, record.dropped_attributes_count, run_id, resource, scope,
            ]
        )
    )  # fmt: skip


def instrument_point_hash(point: InstrumentPoint, resource: str, scope: str) -> str:
    """Return what tells a data point from others: the SHA-256 of all it says and who said it."""
    return _hash(
        dump_value(
            [
                point.name, point.kind, point.time_ns, point.start_ns, point.unit, point.description,
                point.value, point.histogram, point.is_monotonic, point.temporality, point.flags,
                point.attributes, point.exemplars, _named_run(point), resource, scope,
            ]
        )
    )  # fmt: skip


def _named_run(item: LogRecord | InstrumentPoint) -> str | None:
    """Return the run that an item came with: one that was given it later leaves it the same item."""
    return item.run_id if item.given_ns is None else None


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()


@dataclass(slots=True)
class IdentityCache(Generic[Owned]):
    """What was found out about an object before, by the object's identity, so that nothing is hashed twice.

    It keeps the objects alive, so that an address cannot come to mean another object, and forgets them all
    when there are too many.
    """

    _found: dict[int, tuple[Owned, tuple[int, str]]] = field(default_factory=dict)

    def get(self, owned: Owned) -> tuple[int, str] | None:
        """Return the (row id, hash) kept for this very object."""
        found = self._found.get(id(owned))
        return None if found is None else found[1]

    def put(self, owned: Owned, row_id: int, content_hash: str) -> None:
        """Keep the (row id, hash) of this very object."""
        if len(self._found) >= _CACHED:
            self._found.clear()
        self._found[id(owned)] = (owned, (row_id, content_hash))

    def clear(self) -> None:
        """Forget everything, e.g. because the rows were rolled back."""
        self._found.clear()
