"""A SpanExporter that collects what is exported, to be compared with a golden or kept in a file.

It is an ordinary exporter for any provider, ours or not; nothing is compared here.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from otel_experiments.codec.from_sdk import span_from_sdk
from otel_experiments.model.span import Span
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger


class GoldenSpanExporter(SpanExporter):
    """Collects exported batches in memory, and appends them to a file when one is named.

    The file is OTLP protobuf, one valid `TracesData` message however many batches went in: protobuf joins
    messages by joining their bytes. `otel-experiments golden` and every OTLP tool read it.

    Args:
        path: the file to append to; None keeps the spans in memory only.
        is_kept: whether spans stay in memory too; False for long jobs that only want the file.

    Raises:
        OSError: the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, is_kept: bool = True) -> None:
        self._lock = threading.RLock()
        self._spans: list[Span] = []
        self._is_kept = is_kept or path is None
        self._is_shut_down = False
        self._failed_count = 0
        self._file = None if path is None else Path(path).open("ab")  # noqa: SIM115 - closed by shutdown

    @property
    def spans(self) -> tuple[Span, ...]:
        """The spans exported so far, in the order of their export."""
        with self._lock:
            return tuple(self._spans)

    @property
    def lost_count(self) -> int:
        """How many spans could not be collected: a capture with any is incomplete."""
        return self._failed_count

    def clear(self) -> None:
        """Forget the spans in memory; what is in the file stays."""
        with self._lock:
            self._spans.clear()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Collect the batch. Never raises."""
        try:
            with self._lock:
                if self._is_shut_down:
                    self._failed_count += len(spans)
                    return SpanExportResult.FAILURE
                if self._file is not None:
                    self._file.write(encode_spans(spans).SerializeToString())
                    self._file.flush()
                if self._is_kept:
                    self._spans.extend(span_from_sdk(span) for span in spans)
        except Exception as error:  # an exporter answers with a result
            if is_interruption(error):
                raise
            self._failed_count += len(spans)
            tell(logger, "%d spans were not collected for a golden: %r", len(spans), error)
            return SpanExportResult.FAILURE
        return SpanExportResult.SUCCESS

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Return True: a batch is collected when `export` returns."""
        return True

    def shutdown(self) -> None:
        """Close the file; the spans in memory stay. Safe to call twice."""
        with self._lock:
            self._is_shut_down = True
            if self._file is not None:
                self._file.close()
                self._file = None
