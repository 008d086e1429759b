"""What a request holds, as spans, log records and points of the model. Pure.

Items that cannot be kept are left out: the same ones that `check` counts, and has told the sender about.
"""

from __future__ import annotations

from typing import Literal

from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from otel_experiments.codec.incoming.from_json import log_records_from_json, spans_from_json
from otel_experiments.codec.incoming.from_protobuf import log_records_from_otlp, spans_from_otlp
from otel_experiments.codec.incoming.histories_from_protobuf import metrics_from_otlp
from otel_experiments.codec.incoming.json_values import REQUESTS, load_document
from otel_experiments.codec.incoming.metrics_from_json import instrument_points_from_json
from otel_experiments.codec.incoming.protobuf_values import parse
from otel_experiments.codec.incoming.refusals import Refusals
from otel_experiments.codec.incoming.series import SeriesPoints, split_histories
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Span

Encoding = Literal["protobuf", "json"]


def read_spans(encoding: Encoding, payload: bytes, refusals: Refusals | None = None) -> list[Span]:
    """Return the spans of a trace export request. Refused ones are left out, and counted in `refusals`.

    Raises:
        TelemetryDecodeError: the bytes are no such request.
    """
    counted = Refusals() if refusals is None else refusals
    if encoding == "json":
        return list(spans_from_json(load_document(payload), REQUESTS, counted))
    return list(spans_from_otlp(parse(TracesData(), payload).resource_spans, counted))


def read_logs(encoding: Encoding, payload: bytes, refusals: Refusals | None = None) -> list[LogRecord]:
    """Return the log records of a log export request. Refused ones are left out, and counted in `refusals`.

    Raises:
        TelemetryDecodeError: the bytes are no such request.
    """
    counted = Refusals() if refusals is None else refusals
    if encoding == "json":
        return list(log_records_from_json(load_document(payload), REQUESTS, counted))
    return list(log_records_from_otlp(parse(LogsData(), payload).resource_logs, counted))


def read_metrics(
    encoding: Encoding, payload: bytes, refusals: Refusals | None = None
) -> tuple[list[SeriesPoints], list[InstrumentPoint]]:
    """Return the metric histories of a metric export request as columns, and its other data points.

    Refused data points are left out, and counted in `refusals`.

    Raises:
        TelemetryDecodeError: the bytes are no such request.
    """
    counted = Refusals() if refusals is None else refusals
    if encoding == "json":
        return split_histories(instrument_points_from_json(load_document(payload), REQUESTS, counted))
    return metrics_from_otlp(payload, counted)
