"""Which form of a span counts when several arrive: its start is journalled, its end comes later, retries repeat.

What a process of this machine journalled is the truth about its spans. What came by OTLP may be anything: it adds spans,
ends open ones and gives a run to such as have none, and changes nothing else of what is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from otel_experiments.model.span import Span

SpanKey = tuple[str, str]
"""Trace id and span id."""


class StoredSpan(NamedTuple):
    """What a store knows of a span that it has; `is_given` tells whether its run was given to it: it joined it, or was attached to it."""

    run_id: str | None
    start_ns: int
    is_ended: bool
    is_given: bool


class RunOfSpan(NamedTuple):
    """A run for a stored span of which all else stays as it is; `given_ns` as in the span that says it."""

    key: SpanKey
    run_id: str
    given_ns: int | None
    start_ns: int


def latest_forms(spans: Iterable[Span]) -> list[Span]:
    """Return one form of each span: of several the last one, but an ended one before any open one."""
    latest: dict[SpanKey, Span] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        known = latest.get(key)
        if known is None or span.end_ns is not None or known.end_ns is None:
            latest[key] = span
    return list(latest.values())


def received_forms(
    spans: Iterable[Span], find: Callable[[SpanKey], StoredSpan | None]
) -> tuple[list[Span], list[RunOfSpan]]:
    """Return what is to be taken of spans that came by OTLP: whole spans, and runs for spans that are there.

    Args:
        spans: in the order in which they came.
        find: returns what is stored of a span.
    """
    taken: dict[SpanKey, Span] = {}
    runs: dict[SpanKey, RunOfSpan] = {}
    for span in spans:
        key = (span.trace_id, span.span_id)
        before = taken.get(key)
        known = find(key) if before is None else _known(before)
        if known is not None and key in runs:
            known = known._replace(run_id=runs[key].run_id, is_given=runs[key].given_ns is not None)
        if known is None:
            taken[key] = span
        elif known.start_ns != span.start_ns or not _may_say_run(known, span):
            continue
        elif not known.is_ended:
            taken[key] = span if before is None else _with_run_of(before, span)
        elif span.run_id is not None and (known.run_id is None or (known.is_given and span.given_ns is None)):
            if before is None:
                runs[key] = RunOfSpan(key, span.run_id, span.given_ns, span.start_ns)
            else:
                taken[key] = replace(before, run_id=span.run_id, given_ns=span.given_ns)
    return list(taken.values()), list(runs.values())


def leaves_run(known: StoredSpan, span: Span) -> bool:
    """Tell whether a span that came by OTLP takes the stored one out of the run that it was given: it names another itself."""
    return (
        span.is_received
        and known.is_given
        and span.given_ns is None
        and span.start_ns == known.start_ns
        and None not in {known.run_id, span.run_id}
        and span.run_id != known.run_id
    )


def _known(span: Span) -> StoredSpan:
    return StoredSpan(span.run_id, span.start_ns, span.end_ns is not None, span.given_ns is not None)


def _with_run_of(before: Span, span: Span) -> Span:
    if span.run_id is not None:
        return span
    return replace(span, run_id=before.run_id, given_ns=before.given_ns)


def _may_say_run(known: StoredSpan, span: Span) -> bool:
    """Tell whether the run that a span names can be that of the stored one: none is ever moved from its run to another."""
    if span.run_id is None or known.run_id is None or span.run_id == known.run_id:
        return True
    return known.is_given and span.given_ns is None
