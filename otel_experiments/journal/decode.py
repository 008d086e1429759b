"""From the frames of a segment to a `WriteBatch`.

A decoder belongs to one segment and must see its frames from the first on, because later frames refer to
declarations of earlier ones; what lies before the offset that the store holds already is fed with
`is_stored=True`, which keeps the declarations and drops the rest. A frame that cannot be understood is
reported, never guessed at.
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, cast

from otel_experiments.codec.artifact_event import artifact_event
from otel_experiments.codec.values import load_value
from otel_experiments.journal.encode import EVENT_KEY, NO_PARENT, REQUEST_PREFIX, SPAN_PREFIX, points_struct
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.output import OutputDecoder
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    SummarySet,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.edit import RunEdit
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.signal import NOTHING_NS
from otel_experiments.model.span import Event, Link, Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.interruption import is_interruption

_UNREADABLE: Final = (
    KeyError, ValueError, TypeError, IndexError, AttributeError, OverflowError, RecursionError, struct.error,
)  # fmt: skip
"""What a payload of an unexpected shape may raise on its way into the model."""

# What json gave back: its shape was fixed by encode.py and guarded by the frame's checksum.
Content = Any


class _Keyset:
    __slots__ = ("attempt", "is_shared", "keys", "layout", "rows", "run_id")

    def __init__(self, run_id: str, keys: tuple[SeriesKey, ...], attempt: int) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.keys = keys
        self.layout: struct.Struct = points_struct(len(keys))
        self.rows: list[bytes] = []
        self.is_shared = False


class SegmentDecoder:
    """Turns one segment's frames into batches; keeps the segment's declarations between calls."""

    def __init__(self) -> None:
        self._keysets: dict[int, _Keyset] = {}
        self._resources: dict[int, Resource] = {}
        self._scopes: dict[int, Scope] = {}
        self._series: set[tuple[str, SeriesKey]] = set()
        self._current: _Keyset | None = None
        self._filled: dict[int, _Keyset] = {}
        self._output = OutputDecoder()
        self._readers: dict[int, Callable[[bytes, WriteBatch], None]] = {
            RecordType.RUN: self._run,
            RecordType.STATE: self._state,
            RecordType.HEARTBEAT: self._heartbeat,
            RecordType.PARAMS: self._params,
            RecordType.TAGS: self._tags,
            RecordType.SUMMARY: self._summary,
            RecordType.METRIC_DEFINITION: self._metric_definition,
            RecordType.EDIT: self._edit,
            RecordType.SPAN: self._span,
            RecordType.LOG: self._log,
            RecordType.INSTRUMENT_POINTS: self._instrument_points,
            RecordType.SENDING: self._sending,
            RecordType.REQUEST: self._request,
            RecordType.ARTIFACT: partial(_read_artifact, self._resources, self._scopes),
            RecordType.ARTIFACT_USE: self._artifact_use,
            RecordType.ARTIFACT_ALIAS: self._artifact_alias,
            RecordType.OUTPUT: self._output_lines,
        }
        self._declarations: dict[int, Callable[[bytes], None]] = {
            RecordType.KEYSET: self._declare_keyset,
            RecordType.RESOURCE: self._declare_resource,
            RecordType.SCOPE: self._declare_scope,
        }

    def feed(self, payloads: Iterable[bytes], batch: WriteBatch, *, is_stored: bool = False) -> list[str]:  # noqa: C901 - one branch a kind of record
        """Add what the payloads say to `batch`; return what could not be understood, one text a kind."""
        problems: Counter[str] = Counter()
        keysets, declarations, readers = self._keysets, self._declarations, self._readers
        points = int(RecordType.POINTS)
        prefix, rows = b"", []
        for payload in payloads:
            if payload[:8] == prefix:  # points of the same key set as those before
                rows.append(payload)
                continue
            kind = payload[0]
            try:
                if kind == points:
                    if is_stored:
                        continue
                    keyset = keysets[int.from_bytes(payload[4:8], "little")]
                    if keyset is not self._current:
                        problems.update(self._switch(keyset, batch))
                    prefix, rows = payload[:8], keyset.rows
                    rows.append(payload)
                elif kind in declarations:
                    declarations[kind](payload)
                elif not is_stored:
                    readers[kind](payload, batch)
            except _UNREADABLE as error:
                if is_interruption(error):
                    raise
                problems[
                    f"a record of type {kind} that cannot be read ({type(error).__name__}: {error})"
                ] += 1
        for keyset in self._filled.values():
            problems.update(self._flush(keyset, batch))
        self._filled.clear()
        self._current = None
        batch.log_records += self._output.take()
        return [text if count == 1 else f"{text}, {count} times" for text, count in problems.items()]

    def _switch(self, keyset: _Keyset, batch: WriteBatch) -> list[str]:
        """Keep the order of a series that several key sets share: close the blocks of the others first."""
        self._current = keyset
        self._filled[id(keyset)] = keyset
        problems: list[str] = []
        if keyset.is_shared:
            for other in self._filled.values():
                if other.rows and other is not keyset and other.is_shared:
                    problems += self._flush(other, batch)
        return problems

    @staticmethod
    def _flush(keyset: _Keyset, batch: WriteBatch) -> list[str]:
        rows = keyset.rows
        if not rows:
            return []
        keyset.rows = []
        size = keyset.layout.size
        good = rows if set(map(len, rows)) == {size} else [row for row in rows if len(row) == size]
        problems = [f"{len(rows) - len(good)} points of the wrong size"] if len(good) != len(rows) else []
        if not good:
            return problems
        # Every field of `points_struct` takes eight bytes (type and key set share the first): columns are strides.
        numbers, integers = array("d", b"".join(good)), array("q", b"".join(good))
        if sys.byteorder == "big":
            numbers.byteswap()
            integers.byteswap()
        width = size // 8
        times_ns = integers[2::width]
        if min(times_ns) < 0:
            problems.append(f"{len(good)} points of which one lies beyond the year 2262")
            return problems
        batch.points.append(
            PointBlock(
                run_id=keyset.run_id,
                keys=keyset.keys,
                steps=numbers[1::width],
                times_ns=times_ns,
                values=tuple(numbers[3 + index :: width] for index in range(len(keyset.keys))),
                attempt=keyset.attempt,
            )
        )
        return problems

    def _declare_keyset(self, payload: bytes) -> None:
        keyset_id, run_id, keys, *rest = cast("Content", load_value(payload[1:].decode()))
        if keyset_id in self._keysets:
            return
        rank, attempt = (*rest, 0, 0)[:2]
        keyset = _Keyset(run_id, tuple(SeriesKey(name, phase, rank) for name, phase in keys), attempt)
        for key in keyset.keys:
            if (run_id, key) in self._series:
                self._mark_shared(run_id, key)
                keyset.is_shared = True
            self._series.add((run_id, key))
        self._keysets[keyset_id] = keyset

    def _mark_shared(self, run_id: str, key: SeriesKey) -> None:
        for other in self._keysets.values():
            if other.run_id == run_id and key in other.keys:
                other.is_shared = True

    def _declare_resource(self, payload: bytes) -> None:
        reference, attributes, schema_url = cast("Content", load_value(payload[1:].decode()))
        self._resources[reference] = Resource(attributes, schema_url)

    def _declare_scope(self, payload: bytes) -> None:
        reference, name, version, schema_url, attributes = cast("Content", load_value(payload[1:].decode()))
        self._scopes[reference] = Scope(name, version, schema_url, attributes)

    @staticmethod
    def _run(payload: bytes, batch: WriteBatch) -> None:
        content = cast("Content", load_value(payload[1:].decode()))
        content["state"] = RunState(content["state"])
        content["owner"] = Owner(*content["owner"]) if content["owner"] else None
        batch.runs.append(Run(**content))

    @staticmethod
    def _state(payload: bytes, batch: WriteBatch) -> None:
        content = cast("Content", load_value(payload[1:].decode()))
        content["state"] = RunState(content["state"])
        content["owner"] = Owner(*content["owner"]) if content["owner"] else None
        batch.state_changes.append(RunStateChange(**content))

    @staticmethod
    def _heartbeat(payload: bytes, batch: WriteBatch) -> None:
        run_id, time_ns = cast("Content", load_value(payload[1:].decode()))
        batch.heartbeats.append(Heartbeat(run_id, time_ns))

    @staticmethod
    def _sending(payload: bytes, batch: WriteBatch) -> None:
        for run_id, signal, destination, owner, time_ns in cast("Content", load_value(payload[1:].decode())):
            batch.unsent.append(
                Unsent(run_id, signal, destination, Owner(*owner), NOTHING_NS, noted_ns=time_ns)
            )

    @staticmethod
    def _request(payload: bytes, batch: WriteBatch) -> None:
        _, size = REQUEST_PREFIX.unpack_from(payload)
        body_at = REQUEST_PREFIX.size + size
        about = cast("Content", load_value(payload[REQUEST_PREFIX.size : body_at].decode()))
        signal, encoding, received_ns, hints, refused = about
        batch.received.append(
            ReceivedRequest(signal, encoding, payload[body_at:], received_ns, hints, frozenset(refused))
        )

    @staticmethod
    def _artifact_use(payload: bytes, batch: WriteBatch) -> None:
        batch.artifact_uses.append(ArtifactUsed(*cast("Content", load_value(payload[1:].decode()))))

    @staticmethod
    def _artifact_alias(payload: bytes, batch: WriteBatch) -> None:
        batch.artifact_aliases.append(AliasSet(*cast("Content", load_value(payload[1:].decode()))))

    @staticmethod
    def _params(payload: bytes, batch: WriteBatch) -> None:
        run_id, time_ns, items = cast("Content", load_value(payload[1:].decode()))
        batch.params.extend(ParamSet(run_id, key, value, time_ns) for key, value in items.items())

    @staticmethod
    def _tags(payload: bytes, batch: WriteBatch) -> None:
        run_id, time_ns, items = cast("Content", load_value(payload[1:].decode()))
        batch.tags.extend(TagSet(run_id, key, value, time_ns) for key, value in items.items())

    @staticmethod
    def _metric_definition(payload: bytes, batch: WriteBatch) -> None:
        batch.metric_definitions.append(MetricDefinition(*cast("Content", load_value(payload[1:].decode()))))

    @staticmethod
    def _edit(payload: bytes, batch: WriteBatch) -> None:
        batch.edits.append(RunEdit(*cast("Content", load_value(payload[1:].decode()))))

    @staticmethod
    def _summary(payload: bytes, batch: WriteBatch) -> None:
        run_id, time_ns, items = cast("Content", load_value(payload[1:].decode()))
        batch.summaries.extend(SummarySet(run_id, key, value, time_ns) for key, value in items.items())

    def _span(self, payload: bytes, batch: WriteBatch) -> None:
        prefix = SPAN_PREFIX.unpack_from(payload)
        _, kind, status, resource_ref, scope_ref, flags, trace_id, span_id, parent_id, start_ns, end_ns = (
            prefix
        )
        rest = cast("Content", load_value(payload[SPAN_PREFIX.size :].decode()))
        name, run_id, attributes = rest[:3]
        events, links, status_message, trace_state, dropped = (
            rest[3:] if len(rest) > 3 else ((), (), "", "", (0, 0, 0))
        )
        batch.spans.append(
            Span(
                trace_id=trace_id.hex(),
                span_id=span_id.hex(),
                name=name,
                start_ns=start_ns,
                end_ns=end_ns or None,
                parent_span_id=None if parent_id == NO_PARENT else parent_id.hex(),
                kind=SpanKind(kind),
                status=StatusCode(status),
                status_message=status_message,
                attributes=attributes,
                events=tuple(Event(*event) for event in events),
                links=tuple(
                    Link(trace, span, link_attributes, state, count)
                    for trace, span, link_attributes, state, count in links
                ),
                resource=self._resources[resource_ref],
                scope=self._scopes[scope_ref],
                trace_state=trace_state,
                flags=flags,
                dropped_attributes_count=dropped[0],
                dropped_events_count=dropped[1],
                dropped_links_count=dropped[2],
                run_id=run_id,
            )
        )

    def _log(self, payload: bytes, batch: WriteBatch) -> None:
        row = cast("Content", load_value(payload[1:].decode()))
        resource_ref, scope_ref, time_ns, observed_ns, event_name, number, text, body, attributes = row[:9]
        trace_id, span_id, flags, dropped, run_id = row[9:]
        batch.log_records.append(
            LogRecord(
                time_ns=time_ns,
                observed_time_ns=observed_ns,
                event_name=event_name,
                severity_number=number,
                severity_text=text,
                body=body,
                attributes=attributes,
                trace_id=trace_id,
                span_id=span_id,
                flags=flags,
                dropped_attributes_count=dropped,
                resource=self._resources[resource_ref],
                scope=self._scopes[scope_ref],
                run_id=run_id,
            )
        )

    def _output_lines(self, payload: bytes, _: WriteBatch) -> None:
        self._output.add(payload, self._resources, self._scopes)

    def _instrument_points(self, payload: bytes, batch: WriteBatch) -> None:
        for row in cast("Content", load_value(payload[1:].decode())):
            resource_ref, scope_ref, name, kind, time_ns, start_ns, unit, description, value = row[:9]
            histogram, is_monotonic, temporality, flags, attributes, exemplars, run_id = row[9:]
            batch.instrument_points.append(
                InstrumentPoint(
                    name=name,
                    kind=kind,
                    time_ns=time_ns,
                    start_ns=start_ns,
                    unit=unit,
                    description=description,
                    value=value,
                    histogram=histogram,
                    is_monotonic=is_monotonic,
                    temporality=temporality,
                    flags=flags,
                    attributes=attributes,
                    exemplars=tuple(exemplars),
                    resource=self._resources[resource_ref],
                    scope=self._scopes[scope_ref],
                    run_id=run_id,
                )
            )


def _read_artifact(
    resources: Mapping[int, Resource], scopes: Mapping[int, Scope], payload: bytes, batch: WriteBatch
) -> None:
    content = cast("Content", load_value(payload[1:].decode()))
    event = content.pop(EVENT_KEY, None)
    logged = ArtifactLogged(**content)
    batch.artifacts.append(logged)
    if event is not None:
        resource_ref, scope_ref, span_id = event
        batch.log_records.append(artifact_event(logged, resources[resource_ref], scopes[scope_ref], span_id))
