"""What coming in over OTLP costs: checking a request before it is acknowledged, and reading it into the model.

Limits are measured on the same bytes in the same run: protobuf's parser (upb) alone, and with a plain walk over what it
made, to dictionaries for spans and to columns for points.
"""

from __future__ import annotations

import base64
import json
import statistics
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

from google.protobuf.json_format import MessageToDict
from measure import Figure, Options, alternate, main, seconds
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from otel_experiments.codec.incoming.check import check_request
from otel_experiments.codec.incoming.read import read_metrics, read_spans
from otel_experiments.codec.otlp.points import PointOrigin, points_to_request
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope

RUN_ID, SPAN_ID = "a" * 32, "b" * 16
START_NS = 1_700_000_000_000_000_000


def figures(options: Options) -> Iterator[Figure]:
    yield from _spans(options)
    yield from _points(options)


def _spans(options: Options) -> Iterator[Figure]:
    rounds, count = (5, 2048) if options.is_quick else (15, 2048)
    resource = SdkResource({"ml.run.id": RUN_ID, "service.name": "bench"})
    tracer = TracerProvider(resource=resource, shutdown_on_exit=False).get_tracer("bench", "1")
    attributes: dict[str, str | int | float] = {
        "ml.step.number": 7, "ml.lane": "MainThread", "ml.sequence": 9, "code.function.name": "train.step",
        "ml.cpu_time": 0.25, "code.line.number": 20,
    }  # fmt: skip
    made = [tracer.start_span("ml.step", attributes=attributes) for _ in range(count)]
    for span in made:
        span.end()
    payload = encode_spans(cast("list[ReadableSpan]", made)).SerializeToString()
    checked, read, parsed, walked = _rates(
        rounds, count,
        lambda: check_request("traces", "protobuf", payload),
        lambda: read_spans("protobuf", payload),
        lambda: TracesData.FromString(payload),
        lambda: [_plain_span(span) for span in _each_span(payload)],
    )  # fmt: skip
    limits = {
        "upb parses": statistics.median(parsed),
        "upb parses, a plain walk to dicts": statistics.median(walked),
    }
    yield _figure("spans checked, as before they are acknowledged", checked, limits, walked, 0.6)
    yield _figure("spans read into the model", read, limits, walked, None)
    text = _as_json(payload)
    checked, read, loaded = _rates(
        rounds, count,
        partial(check_request, "traces", "json", text),
        partial(read_spans, "json", text),
        partial(json.loads, text),
    )  # fmt: skip
    limits = {"json parses": statistics.median(loaded)}
    yield _figure("spans checked, from JSON", checked, limits, loaded, None)
    yield _figure("spans read into the model, from JSON", read, limits, loaded, None)


def _points(options: Options) -> Iterator[Figure]:
    rounds, count = (5, 20_000) if options.is_quick else (15, 20_000)
    for length in (count, 100, 2):
        payload = _history(count, length)
        checked, read, parsed, walked = _rates(
            rounds, count,
            partial(check_request, "metrics", "protobuf", payload),
            partial(read_metrics, "protobuf", payload),
            partial(MetricsData.FromString, payload),
            partial(_plain_points, payload),
        )  # fmt: skip
        limits = {
            "upb parses": statistics.median(parsed),
            "upb parses, a plain walk to columns": statistics.median(walked),
        }
        shape = f"{count // length} series of {length:,}"
        yield _figure(f"points checked, {shape}", checked, limits, parsed, 0.25)
        yield _figure(f"points read as columns, {shape}", read, limits, parsed, 0.25 if length > 2 else None)


def _rates(rounds: int, count: int, *works: Callable[[], object]) -> list[list[float]]:
    def rate(work: Callable[[], object]) -> Callable[[], float]:
        return lambda: count / seconds(work)

    return alternate(rounds, *map(rate, works))


def _figure(
    what: str, rates: list[float], limits: dict[str, float], limit: list[float], share: float | None
) -> Figure:
    ratio = statistics.median(rates) / statistics.median(limit)
    name = "parsing and a plain walk" if len(limits) > 1 and share != 0.25 else "parsing alone"
    return Figure(
        what, "/s", rates, limits=limits,
        target="" if share is None else f">= {share} x {name}",
        is_reached=None if share is None else ratio >= share,
        note=f"{ratio:.2f} x {name}",
    )  # fmt: skip


def _history(count: int, length: int) -> bytes:
    blocks = [
        PointBlock(
            RUN_ID, (SeriesKey(f"train/loss{number:03}"),), array("d", range(length)),
            array("q", range(START_NS, START_NS + length)), (array("d", [0.5] * length),),
        )
        for number in range(count // length)
    ]  # fmt: skip
    return points_to_request(
        [(PointOrigin(Resource({"ml.run.id": RUN_ID}), RUN_ID, SPAN_ID), blocks)], Scope("bench")
    )


def _as_json(payload: bytes) -> bytes:
    def with_hex(value: Any) -> Any:
        if isinstance(value, list):
            return [with_hex(one) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            key: base64.b64decode(one).hex()
            if key in {"traceId", "spanId", "parentSpanId"}
            else with_hex(one)
            for key, one in value.items()
        }

    return json.dumps(
        with_hex(MessageToDict(TracesData.FromString(payload), use_integers_for_enums=True))
    ).encode()


def _each_span(payload: bytes) -> Iterator[Any]:
    for group in TracesData.FromString(payload).resource_spans:
        for part in group.scope_spans:
            yield from part.spans


def _plain_span(span: Any) -> dict[str, object]:
    return {
        "trace_id": span.trace_id.hex(), "span_id": span.span_id.hex(), "parent": span.parent_span_id.hex(),
        "name": span.name, "kind": span.kind, "start": span.start_time_unix_nano, "end": span.end_time_unix_nano,
        "attributes": {one.key: _plain_value(one.value) for one in span.attributes},
        "events": [(one.name, one.time_unix_nano) for one in span.events],
        "links": [(one.trace_id.hex(), one.span_id.hex()) for one in span.links],
        "status": (span.status.code, span.status.message),
    }  # fmt: skip


def _plain_points(payload: bytes) -> object:
    steps, times_ns, values = array("d"), array("q"), array("d")
    for group in MetricsData.FromString(payload).resource_metrics:
        for part in group.scope_metrics:
            for metric in part.metrics:
                for point in metric.gauge.data_points:
                    _ = {one.key: _plain_value(one.value) for one in point.attributes}
                    times_ns.append(point.time_unix_nano)
                    values.append(point.as_double)
                    steps.append(point.exemplars[0].filtered_attributes[0].value.double_value)
    return steps, times_ns, values


def _plain_value(value: Any) -> object:
    return getattr(value, value.WhichOneof("value"))


if __name__ == "__main__":
    main(figures)
