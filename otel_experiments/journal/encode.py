"""Payloads of journal frames, one function a record type. The reverse is `decode`."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Final

from otel_experiments.codec.values import dump_value
from otel_experiments.journal.format import FRAME_HEADER_SIZE_BYTES, RecordType
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import MetricDefinition, RunStateChange
from otel_experiments.model.edit import RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import EDITED_FIELDS, Owner, ParamValue, Run
from otel_experiments.model.span import Event, Link, Resource, Scope, Span
from otel_experiments.model.unsent import Unsent

SPAN_PREFIX: Final = struct.Struct("<BBBxIII16s8s8sQQ")
"""type, kind, status, resource ref, scope ref, flags, trace id, span id, parent id, start ns, end ns (0: open)"""
NO_PARENT: Final = bytes(8)
REQUEST_PREFIX: Final = struct.Struct("<B3xI")
"""type, size in bytes of the JSON that follows; the body of the request is the rest"""
_RUN_FIELDS: Final = tuple(field.name for field in fields(Run) if field.name not in EDITED_FIELDS)
_DEFINITION_FIELDS: Final = tuple(field.name for field in fields(MetricDefinition))
_ARTIFACT_NAMES: Final = tuple(field.name for field in fields(ArtifactLogged))
_ARTIFACT_DEFAULTS: Final = tuple(field.default for field in fields(ArtifactLogged))
_artifact_values: Final = attrgetter(*_ARTIFACT_NAMES)
EVENT_KEY: Final = "event"
"""Beside the fields of an artifact: what its event is made of."""
_STATE_FIELDS: Final = tuple(
    field.name for field in fields(RunStateChange) if field.name not in {"is_root", "received_on"}
)


def points_struct(value_count: int) -> struct.Struct:
    """Return the payload of a POINTS record: type, key set, step, time (ns), then one double a key."""
    return struct.Struct(f"<B3xIdQ{value_count}d")


@lru_cache(maxsize=256)
def points_frame_struct(value_count: int) -> struct.Struct:
    """Return the frame round a POINTS payload: length, crc32, payload; a multiple of eight bytes as it is."""
    return struct.Struct(f"<II{points_struct(value_count).size}s")


assert FRAME_HEADER_SIZE_BYTES == 8, "a POINTS frame is aligned only behind a header of eight bytes"


def _json_record(kind: RecordType, content: object) -> bytes:
    return bytes((kind,)) + dump_value(content).encode()


def encode_keyset(keyset_id: int, run_id: str, keys: Sequence[SeriesKey], *, attempt: int = 0) -> bytes:
    """Return the declaration that POINTS records refer to by `keyset_id`; its keys are all of one rank.

    `attempt` is the one that this process records; 0 where it does not know.
    """
    content: list[object] = [keyset_id, run_id, [[key.name, key.phase] for key in keys]]
    rank = keys[0].rank if keys else 0
    more = [rank, attempt] if attempt else [rank] if rank else []
    return _json_record(RecordType.KEYSET, [*content, *more])


def encode_resource(reference: int, resource: Resource) -> bytes:
    """Return the declaration of a resource that later records name by `reference`."""
    return _json_record(RecordType.RESOURCE, [reference, dict(resource.attributes), resource.schema_url])


def encode_scope(reference: int, scope: Scope) -> bytes:
    """Return the declaration of an instrumentation scope."""
    return _json_record(
        RecordType.SCOPE, [reference, scope.name, scope.version, scope.schema_url, dict(scope.attributes)]
    )


def encode_run(run: Run) -> bytes:
    """Return the record of a run's start."""
    content = {name: getattr(run, name) for name in _RUN_FIELDS}
    content["owner"] = _owner(run.owner)
    return _json_record(RecordType.RUN, content)


def encode_state(change: RunStateChange) -> bytes:
    """Return the record of a change of state."""
    content = {name: getattr(change, name) for name in _STATE_FIELDS}
    content["owner"] = _owner(change.owner)
    return _json_record(RecordType.STATE, content)


def _owner(owner: Owner | None) -> list[object] | None:
    return None if owner is None else [owner.host, owner.boot_id, owner.pid, owner.start_ticks]


def encode_heartbeat(run_id: str, time_ns: int) -> bytes:
    """Return the record of a sign of life."""
    return _json_record(RecordType.HEARTBEAT, [run_id, time_ns])


def encode_sending(rows: Sequence[Unsent]) -> bytes:
    """Return the record that a process begins to send signals of a run; nothing is stored of them yet."""
    return _json_record(
        RecordType.SENDING,
        [[row.run_id, row.signal, row.destination, _owner(row.owner), row.noted_ns] for row in rows],
    )


def encode_params(run_id: str, items: Mapping[str, ParamValue], time_ns: int) -> bytes:
    """Return the record of params that took values together; keys are dotted."""
    return _json_record(RecordType.PARAMS, [run_id, time_ns, dict(items)])


def encode_tags(run_id: str, items: Mapping[str, str | None], time_ns: int) -> bytes:
    """Return the record of tags that took values together; None removes a tag."""
    return _json_record(RecordType.TAGS, [run_id, time_ns, dict(items)])


def encode_summary(run_id: str, items: Mapping[str, ParamValue], time_ns: int) -> bytes:
    """Return the record of values that were set in the summary of a run; keys are dotted."""
    return _json_record(RecordType.SUMMARY, [run_id, time_ns, dict(items)])


def encode_metric_definition(definition: MetricDefinition) -> bytes:
    """Return the record of how a metric is to be read."""
    return _json_record(
        RecordType.METRIC_DEFINITION, [getattr(definition, name) for name in _DEFINITION_FIELDS]
    )


def encode_edit(edit: RunEdit) -> bytes:
    """Return the record that a field of a run took another value while the run was recorded."""
    return _json_record(RecordType.EDIT, [edit.run_id, edit.field, edit.value, edit.time_ns, edit.author])


def encode_artifact(logged: ArtifactLogged, event: tuple[int, int, str] | None = None) -> bytes:
    """Return the record of bytes that a run kept under a name; they have to be in their place already.

    Args:
        logged: the artifact.
        event: the references of resource and scope and the id of the run's root span, of which the event about the
            artifact is made when the record is read; None where there is none.
    """
    values: tuple[object, ...] = _artifact_values(logged)
    content = {
        name: value
        for name, value, default in zip(_ARTIFACT_NAMES, values, _ARTIFACT_DEFAULTS, strict=True)
        if value != default
    }
    if event is not None:
        content[EVENT_KEY] = event
    return _json_record(RecordType.ARTIFACT, content)


def encode_artifact_use(used: ArtifactUsed) -> bytes:
    """Return the record of an artifact that a run used."""
    return _json_record(
        RecordType.ARTIFACT_USE, [used.run_id, used.digest, used.time_ns, used.experiment, used.name]
    )


def encode_artifact_alias(alias: AliasSet) -> bytes:
    """Return the record of an alias that was set, or taken away."""
    return _json_record(
        RecordType.ARTIFACT_ALIAS,
        [alias.experiment, alias.name, alias.alias, alias.digest, alias.time_ns, alias.run_id],
    )


def _events(events: Sequence[Event]) -> list[list[object]]:
    return [[e.name, e.time_ns, dict(e.attributes), e.dropped_attributes_count] for e in events]


def _links(links: Sequence[Link]) -> list[list[object]]:
    return [
        [i.trace_id, i.span_id, dict(i.attributes), i.trace_state, i.dropped_attributes_count] for i in links
    ]


def encode_span(span: Span, resource_ref: int, scope_ref: int) -> bytes:
    """Return the record of a span; `resource_ref` and `scope_ref` are declared in the same segment."""
    prefix = SPAN_PREFIX.pack(
        RecordType.SPAN,
        span.kind,
        span.status,
        resource_ref,
        scope_ref,
        span.flags,
        bytes.fromhex(span.trace_id),
        bytes.fromhex(span.span_id),
        bytes.fromhex(span.parent_span_id) if span.parent_span_id else NO_PARENT,
        span.start_ns,
        span.end_ns or 0,
    )
    dropped = (span.dropped_attributes_count, span.dropped_events_count, span.dropped_links_count)
    return encode_span_rest(
        prefix,
        [
            span.name,
            span.run_id,
            dict(span.attributes),
            _events(span.events),
            _links(span.links),
            span.status_message,
            span.trace_state,
            dropped,
        ],
    )


def encode_span_rest(prefix: bytes, rest: list[object]) -> bytes:
    """Return the record of a span from its packed prefix and the rest.

    The rest is name, run id, attributes and, if there is more to say, events, links, status message, trace
    state, dropped counts.
    """
    return prefix + dump_value(rest).encode()


def encode_log_record(record: LogRecord, resource_ref: int, scope_ref: int) -> bytes:
    """Return the record of a log record or event."""
    return _json_record(
        RecordType.LOG,
        [
            resource_ref,
            scope_ref,
            record.time_ns,
            record.observed_time_ns,
            record.event_name,
            record.severity_number,
            record.severity_text,
            record.body,
            dict(record.attributes),
            record.trace_id,
            record.span_id,
            record.flags,
            record.dropped_attributes_count,
            record.run_id,
        ],
    )


def encode_instrument_points(
    points: Sequence[InstrumentPoint], resource_refs: Sequence[int], scope_refs: Sequence[int]
) -> bytes:
    """Return the record of one collection's data points.

    Shape: the three sequences have the same length.
    """
    rows = [
        [
            resource_ref,
            scope_ref,
            p.name,
            p.kind,
            p.time_ns,
            p.start_ns,
            p.unit,
            p.description,
            p.value,
            p.histogram,
            p.is_monotonic,
            p.temporality,
            p.flags,
            dict(p.attributes),
            p.exemplars,
            p.run_id,
        ]
        for p, resource_ref, scope_ref in zip(points, resource_refs, scope_refs, strict=True)
    ]
    return _json_record(RecordType.INSTRUMENT_POINTS, rows)


def request_pieces(request: ReceivedRequest) -> tuple[bytes, bytes]:
    """Return the record of a request of another program in two pieces, of which the second is its body as it came."""
    about = dump_value(
        [
            request.signal,
            request.encoding,
            request.received_ns,
            dict(request.hints),
            sorted(request.refused_run_ids),
        ]
    ).encode()
    return REQUEST_PREFIX.pack(RecordType.REQUEST, len(about)) + about, request.payload
