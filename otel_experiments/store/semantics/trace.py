"""Which run what names no run belongs to: spans and log records of a trace in which others name one.

The answer depends on what is stored of the trace and on nothing else, so that it is the same whatever came first. What
joined a run is therefore asked about again when more of its trace arrives, and is marked by `given_ns` 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class TraceSpan(NamedTuple):
    """A stored span of a trace. `given_ns` is None where it names its run itself, 0 where it joined it, else when it was attached."""

    span_id: str
    parent_span_id: str | None
    run_id: str | None
    given_ns: int | None

    @property
    def joins(self) -> bool:
        """Whether its run is that of others."""
        return self.run_id is None or self.given_ns == 0


class Membership(NamedTuple):
    """A run for what names none. `given_ns` is 0, or when that was attached which it joins: then it is attached as well."""

    run_id: str
    given_ns: int = 0


class TraceRuns:
    """The runs of one trace's spans and log records.

    A span that names no run is in the run of its nearest ancestor that has one. Without such an ancestor it is in the run
    whose id the trace has, or in the only run that there is in the trace. A log record goes with its span.

    Args:
        spans: all that is stored of the trace.
        own_run_id: the run that has the trace's id; None where there is none.
    """

    def __init__(self, spans: Iterable[TraceSpan], own_run_id: str | None) -> None:
        self._spans = {span.span_id: span for span in spans}
        self._found: dict[str, Membership | None] = {}
        fixed = [
            Membership(span.run_id, span.given_ns or 0)
            for span in self._spans.values()
            if span.run_id is not None and not span.joins
        ]
        self._of_trace: Membership | None = None
        if own_run_id is not None:
            self._of_trace = Membership(own_run_id)
        elif len({one.run_id for one in fixed}) == 1:
            self._of_trace = min(fixed, key=lambda one: one.given_ns)

    def changes(self) -> list[tuple[TraceSpan, Membership | None]]:
        """Return the spans that are to be in another run than they are, or in none, each with its membership."""
        found = ((span, self.of_span(span.span_id)) for span in self._spans.values() if span.joins)
        return [
            (span, one)
            for span, one in found
            if (span.run_id, span.run_id and span.given_ns) != (one or (None, None))
        ]

    def of_span(self, span_id: str | None) -> Membership | None:
        """Return the run of a span, and of a log record of that span, which need not be stored; None for none."""
        passed: set[str] = set()
        at, found = span_id, self._of_trace
        while at is not None and at in self._spans and at not in passed:
            if at in self._found:
                found = self._found[at]
                break
            span = self._spans[at]
            if not span.joins and span.run_id is not None:
                found = Membership(span.run_id, span.given_ns or 0)
                break
            passed.add(at)
            at = span.parent_span_id
        self._found.update(dict.fromkeys(passed, found))
        return found
