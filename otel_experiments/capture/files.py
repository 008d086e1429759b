"""From files of telemetry to captured runs: OTLP/JSON, JSON Lines, OTLP protobuf, and our own export of spans.

What a file holds is told by its content, not by its name. JSON Lines are read a line at a time and long texts
shortened at once, so memory goes with the spans and not with the text.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from otel_experiments.capture.environment import describe_resource
from otel_experiments.capture.grouping import ChildPrefixes, group_spans
from otel_experiments.codec.exported_spans import is_exported_span, span_from_export
from otel_experiments.codec.incoming.from_json import spans_from_json
from otel_experiments.codec.incoming.json_values import parse_integer
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json
from otel_experiments.errors import EmptyTraceError, IncompleteTraceError, TelemetryDecodeError
from otel_experiments.golden.canonical.long_text import shorten_attributes
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries, require_complete
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.span import Span
from otel_experiments.model.store_location import SQLITE_START
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.metrics import ML_METRIC_VALUE

_GZIP: Final = b"\x1f\x8b"
_SUFFIXES: Final = frozenset(
    {".json", ".jsonl", ".ndjson", ".pb", ".otlp", ".binpb", ".bin", ".gz", ".proto"}
)


@dataclass(slots=True)
class Telemetry:
    """What a file holds of what a comparison uses."""

    spans: list[Span] = field(default_factory=list)
    points: list[InstrumentPoint] = field(default_factory=list)


def is_telemetry_file(path: str | os.PathLike[str]) -> bool:
    """Tell whether a path names a file that `capture_file` would read, and no store."""
    where = Path(path)
    if not where.is_file() or where.suffix not in _SUFFIXES:
        return False
    with where.open("rb") as stream:
        return stream.read(len(SQLITE_START)) != SQLITE_START


def capture_file(*paths: str | os.PathLike[str], name: str = "") -> list[CapturedRun]:
    """Return the runs whose telemetry the files hold together: spans, and the points of `ml.metric.value`.

    Spans are grouped by run, and where they name none by trace; a group is one captured run. Child runs go into the
    run they are part of where the files hold it, as `capture_run` does it: their metrics under `CHILD:METRIC`.

    Args:
        paths: files of spans and metrics, in any order.
        name: what the runs are called in messages; by default what their resource says, else the file's name.

    Raises:
        TelemetryDecodeError: a file is no OTLP.
        EmptyTraceError: there is no span in the files.
        IncompleteTraceError: spans of a run are missing, or all of them where it has metrics.
        OSError: a file cannot be read.
    """
    held = Telemetry()
    for path in paths:
        read_telemetry(path, held)
    default = name or Path(paths[0]).name
    if not held.spans:
        raise EmptyTraceError(run=default)
    metrics = collect_series(held.points)
    groups = [_Group.of(spans) for spans in group_spans(held.spans)]
    _require_spans(groups, metrics, default)
    captured = []
    for group, children in _families(groups):
        series = list(metrics.get(group.run_id, ()))
        prefixes = ChildPrefixes()
        for child in children:
            prefix = prefixes.next(child.run_name or default)
            series += [replace(one, name=f"{prefix}{one.name}") for one in metrics.get(child.run_id, ())]
        made = CapturedRun(
            spans=[span for one in (group, *children) for span in one.spans],
            metrics=series,
            environment=describe_resource(group.resource),
            name=name or group.run_name or default,
        )
        require_complete(made)
        captured.append(made)
    return captured


@dataclass(frozen=True, slots=True)
class _Group:
    """The spans of one run, or of one trace where they name no run, and what their resource says of it."""

    spans: list[Span]
    run_id: str | None
    run_name: str
    parent_id: str | None
    resource: Mapping[str, Any]

    @classmethod
    def of(cls, spans: list[Span]) -> _Group:
        # Spans of other libraries in the run's trace may come with a resource that does not name the run.
        one = next((span for span in spans if span.run_id is not None), spans[0])
        resource = one.resource.attributes
        run_name, parent_id = resource.get(attr.ML_RUN_NAME), resource.get(attr.ML_RUN_PARENT_ID)
        return cls(
            spans,
            one.run_id,
            run_name if isinstance(run_name, str) else "",
            parent_id if isinstance(parent_id, str) else None,
            resource,
        )


def _families(groups: Sequence[_Group]) -> list[tuple[_Group, list[_Group]]]:
    """Return each group that is part of no other, with the groups of its child runs, in the order of their start."""
    by_id = {group.run_id: group for group in groups if group.run_id is not None}
    families: dict[int, tuple[_Group, list[_Group]]] = {}
    for group in groups:
        root, seen = group, {group.run_id}
        while root.parent_id in by_id and root.parent_id not in seen:
            seen.add(root.parent_id)
            root = by_id[root.parent_id]
        if root.parent_id in by_id:
            root = group  # runs that are each other's parents have no outermost one
        family = families.setdefault(id(root), (root, []))
        if root is not group:
            family[1].append(group)
    return [families[id(group)] for group in groups if id(group) in families]


def _require_spans(
    groups: Sequence[_Group], metrics: Mapping[str | None, Sequence[MetricSeries]], name: str
) -> None:
    """Let metrics pass whose runs have spans.

    Raises:
        IncompleteTraceError: the files hold metrics of a run and none of its spans.
    """
    known = {group.run_id for group in groups}
    without = [run_id for run_id in metrics if run_id is not None and run_id not in known]
    if without:
        count = sum(len(metrics[run_id]) for run_id in without)
        others = f" and {len(without) - 1} more" if len(without) > 1 else ""
        problem = f"{count} metric series belong to the run {without[0]}{others}, of which there is no span"
        raise IncompleteTraceError(
            run=name,
            problems=[problem],
            fix="Give the files with the spans of these runs too, or files without their metrics",
        )


def read_telemetry(path: str | os.PathLike[str], into: Telemetry | None = None) -> Telemetry:
    """Return the spans and data points of a file, added to `into` where it is given.

    Raises:
        TelemetryDecodeError: the file is no OTLP; the text names file and line.
        OSError: it cannot be read.
    """
    held = Telemetry() if into is None else into
    where = Path(path)
    with where.open("rb") as raw:
        stream: BinaryIO = raw
        if raw.read(2) == _GZIP:
            raw.seek(0)
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw))
        stream.seek(0)
        try:
            start = stream.read(64)
            stream.seek(0)
            if start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in {b"{", b"["}:
                _read_json(stream, held)
            else:
                _read_protobuf(stream.read(), held)
        except TelemetryDecodeError as exc:
            raise TelemetryDecodeError(source=f"{where.name} ({exc.source})", found=exc.found) from exc
        except RecursionError as exc:
            raise TelemetryDecodeError(source=where.name, found="its JSON is nested too deep") from exc
        except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeDecodeError) as exc:
            raise TelemetryDecodeError(source=where.name, found=f"it is cut or damaged: {exc}") from exc
    return held


def collect_series(points: Iterable[InstrumentPoint]) -> dict[str | None, list[MetricSeries]]:
    """Return the metric series among data points, by run: those of the gauge `ml.metric.value`.

    The step is in the exemplar; a point without one gets its position in its series.
    """
    columns: dict[tuple[str | None, str, str], list[InstrumentPoint]] = defaultdict(list)
    for point in points:
        if point.name != ML_METRIC_VALUE.name or point.value is None:
            continue
        name = str(point.attributes.get(attr.ML_METRIC_NAME, ""))
        phase = str(point.attributes.get(attr.ML_PHASE, ""))
        columns[point.run_id, name, phase].append(point)
    found: dict[str | None, list[MetricSeries]] = defaultdict(list)
    for (run_id, name, phase), column in columns.items():
        column.sort(key=lambda point: point.time_ns)  # stable: points of one time stay in their order
        found[run_id].append(
            MetricSeries(
                name=name,
                indices=[_step(point, position) for position, point in enumerate(column)],
                values=[float(point.value or 0.0) for point in column],
                phase=phase,
            )
        )
    return found


def _step(point: InstrumentPoint, position: int) -> float:
    for exemplar in point.exemplars:
        attributes = exemplar.get("attributes")
        if isinstance(attributes, Mapping):
            step = attributes.get(attr.ML_METRIC_STEP)
            if isinstance(step, int | float):
                return float(step)
    return float(position)


def _read_json(stream: BinaryIO, held: Telemetry) -> None:
    text = io.TextIOWrapper(stream, encoding="utf-8-sig")
    pending = ""
    for number, line in enumerate(text, start=1):
        if not line.strip():
            continue
        if pending:
            pending += line
            continue
        try:
            _take(json.loads(line, parse_int=parse_integer), held)
        except json.JSONDecodeError as exc:
            if number > 1 and line.lstrip()[:1] == "{" and line.endswith("}\n"):
                raise TelemetryDecodeError(source=f"line {number}", found=f"no JSON: {exc.msg}") from exc
            pending = line  # a document over several lines, or one that is cut
        except TelemetryDecodeError as exc:
            raise TelemetryDecodeError(source=f"line {number}", found=f"{exc.source}: {exc.found}") from exc
    text.detach()
    if pending:
        try:
            _take(json.loads(pending, parse_int=parse_integer), held)
        except json.JSONDecodeError as exc:
            raise TelemetryDecodeError(
                source="JSON", found=f"{exc.msg} at character {exc.pos} of {len(pending)}; is it cut?"
            ) from exc


def _take(document: Any, held: Telemetry) -> None:  # parsed JSON
    if isinstance(document, list):
        for one in document:
            _take(one, held)
    elif not isinstance(document, dict):
        raise TelemetryDecodeError(
            source="JSON", found=f"a {type(document).__name__} where an object should be"
        )
    elif is_exported_span(document):
        held.spans.append(_without_long_texts(span_from_export(document)))
    else:
        before = len(held.spans) + len(held.points)
        held.spans.extend(map(_without_long_texts, spans_from_json(document)))
        held.points.extend(instrument_points_from_json(document))
        is_ours = any(key in document for key in _SIGNALS)
        if not is_ours and before == len(held.spans) + len(held.points):
            keys = ", ".join(list(document)[:5]) or "none"
            raise TelemetryDecodeError(
                source="JSON", found=f"an object without resourceSpans or resourceMetrics (its keys: {keys})"
            )


def _without_long_texts(span: Span) -> Span:
    attributes = shorten_attributes(span.attributes)
    events = span.events and tuple(
        event
        if (short := shorten_attributes(event.attributes)) is event.attributes
        else replace(event, attributes=short)
        for event in span.events
    )
    if attributes is span.attributes and events == span.events:
        return span
    return replace(span, attributes=attributes, events=events)


_SIGNALS: Final = ("resourceSpans", "batches", "resourceMetrics", "resourceLogs")


def _read_protobuf(payload: bytes, held: Telemetry) -> None:
    # protobuf takes time to import
    from otel_experiments.codec.incoming.from_protobuf import decode_spans  # noqa: PLC0415
    from otel_experiments.codec.incoming.metrics_from_protobuf import decode_instrument_points  # noqa: PLC0415

    for message in _messages(payload):
        try:
            held.spans += map(_without_long_texts, decode_spans(message))
        except TelemetryDecodeError as exc:
            try:
                points = decode_instrument_points(message)
            except TelemetryDecodeError:
                raise exc from None
            if not points:
                raise
            held.points += points


def _messages(payload: bytes) -> Iterator[bytes]:
    """Yield the messages of a file: one without a frame, or each behind its length as the Collector writes them.

    Source: opentelemetry-collector-contrib, fileexporter, `format: proto`: four bytes, big-endian.
    """
    bounds, offset = [], 0
    while offset + 4 <= len(payload):
        size = int.from_bytes(payload[offset : offset + 4], "big")
        bounds.append((offset + 4, offset + 4 + size))
        offset += 4 + size
    if bounds and offset == len(payload) and all(end > start for start, end in bounds):
        for start, end in bounds:
            yield payload[start:end]
    else:
        yield payload
