"""Which form of a span counts when several arrive: its start is journalled, its end comes later, retries repeat."""

from __future__ import annotations

from collections.abc import Iterable

from otel_experiments.model.span import Span


def latest_forms(spans: Iterable[Span]) -> list[Span]:
    """Return one form of each span: of several the last one, but an ended one before any open one."""
    latest: dict[tuple[str, str], Span] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        known = latest.get(key)
        if known is None or span.end_ns is not None or known.end_ns is None:
            latest[key] = span
    return list(latest.values())
