"""One run as it goes into a golden comparison: its spans, its metric series, and whether it is all there.

Nothing is read from a store or an exporter here; whoever captures fills a `CapturedRun`. An empty, cut or
unfinished trace is refused, because every lost span would look like a change of the program.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from otel_experiments._short_repr import short
from otel_experiments.errors import EmptyTraceError, IncompleteTraceError
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr


@dataclass(frozen=True, slots=True)
class MetricSeries:
    """What `run.log` recorded under one name and phase, as columns.

    Shape: `indices` [n] (steps) and `values` [n], in recording order. `total` is how many points there were
    before a golden file kept only some of them; 0 where all are here.
    """

    name: str
    indices: Sequence[float]
    values: Sequence[float]
    phase: str = ""
    total: int = 0


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """How many spans the recording process started, ended and dropped; None where it was not counted."""

    started: int | None = None
    ended: int | None = None
    dropped: int | None = None


@dataclass(frozen=True, slots=True)
class CapturedRun:
    """The spans and metrics of one run, in any order.

    Attributes:
        spans: the spans.
        metrics: the histories of the metrics.
        counts: how many spans there should be; read from the root span when they are not given.
        environment: where the run took place (python, torch, device, dtype, cpu...): golden and candidate that differ in it are not
            timed against each other.
        name: what reports call it.
    """

    spans: Sequence[Span]
    metrics: Sequence[MetricSeries] = ()
    _: KW_ONLY
    counts: SpanCounts | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    name: str = "candidate"

    def __repr__(self) -> str:
        return f"CapturedRun({short(self.name)}, {len(self.spans)} spans, {len(self.metrics)} metrics)"


@dataclass(frozen=True, slots=True)
class Completeness:
    """What is missing from a trace.

    `dropped` counts spans that are known to be lost, `open` spans without an end, `orphans` spans whose
    parent is not there. `is_root_missing` is set when no span is left that could be the root.
    """

    spans: int
    dropped: int = 0
    open: int = 0
    orphans: int = 0
    is_root_missing: bool = False

    @property
    def problems(self) -> tuple[str, ...]:
        """One clause for each thing that is missing; empty when the trace is complete."""
        found = []
        if self.dropped:
            found.append(f"{self.dropped} of {self.spans + self.dropped} spans were dropped")
        if self.open:
            found.append(f"{self.open} spans have not ended")
        if self.is_root_missing:
            found.append(f"the root span is missing ({self.orphans} orphans below it)")
        elif self.orphans:
            found.append(f"{self.orphans} orphans whose parent span is missing")
        return tuple(found)


def measure_completeness(run: CapturedRun) -> Completeness:
    """Return what is missing from the run's trace.

    A single span with an absent parent is the root of a trace that was entered from outside; several are
    orphans. Spans of several processes are counted by the process that ended the run only, so that more spans
    than counted are no problem and fewer are.
    """
    spans = run.spans
    known = {span.span_id for span in spans}
    parents = [span.parent_span_id for span in spans]
    roots = parents.count(None)
    return assess_completeness(
        run,
        roots=roots,
        orphans=sum(parent not in known for parent in parents) - roots,
        still_open=[span.end_ns for span in spans].count(None),
    )


def assess_completeness(run: CapturedRun, *, roots: int, orphans: int, still_open: int) -> Completeness:
    """Return what is missing from a run's trace whose spans have been counted.

    Args:
        run: The run.
        roots: How many spans have no parent.
        orphans: How many have one that is not there.
        still_open: How many have no end.
    """
    spans = run.spans
    counts = run.counts or _counts_of_root(spans)
    is_root_missing = bool(spans) and roots == 0 and orphans != 1
    if roots == 0 and orphans == 1:
        orphans = 0
    dropped = counts.dropped or 0
    if counts.ended is not None:
        dropped = max(dropped, counts.ended - (len(spans) - still_open))
    if counts.started is not None and counts.ended is not None:
        still_open = max(still_open, counts.started - counts.ended)
    return Completeness(
        spans=len(spans),
        dropped=dropped,
        open=still_open,
        orphans=orphans,
        is_root_missing=is_root_missing,
    )


def require_complete(run: CapturedRun) -> None:
    """Let a run pass whose trace is all there.

    Raises:
        EmptyTraceError: the run has no spans.
        IncompleteTraceError: spans are lost, open or orphaned; the text has the counts.
    """
    if not run.spans:
        raise EmptyTraceError(run=run.name)
    problems = measure_completeness(run).problems
    if problems:
        raise IncompleteTraceError(run=run.name, problems=problems)


def _counts_of_root(spans: Sequence[Span]) -> SpanCounts:
    for span in reversed(spans):  # a root ends last, and is exported last
        if span.parent_span_id is None and attr.ML_RUN_SPANS_ENDED in span.attributes:
            return SpanCounts(
                _whole(span.attributes.get(attr.ML_RUN_SPANS_STARTED)),
                _whole(span.attributes.get(attr.ML_RUN_SPANS_ENDED)),
                _whole(span.attributes.get(attr.ML_RUN_SPANS_DROPPED)),
            )
    return SpanCounts()


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
