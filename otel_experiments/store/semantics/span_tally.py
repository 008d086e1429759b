"""Counting the ended spans of one name in one run: what is added can be taken out again, in any order.

A span counts once, whatever its forms and however often it comes: stores take the former form out where they put a new one in.
Only the shortest and the longest duration cannot be known after one of them was taken out; then the spans are read again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from otel_experiments.analysis.quantile_sketch import LARGEST_NS, buckets_of, merged, quantiles
from otel_experiments.model.search import SpanStat
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.model.span_summary import SpanSummary

QUANTILES: Final = (0.5, 0.95, 0.99)
"""Those that are kept in columns of their own, so that a search finds them in an index."""


def duration_ns_of(start_ns: int, end_ns: int) -> int:
    """Return the duration that counts: not negative, and no more than a store holds."""
    return min(max(end_ns - start_ns, 0), LARGEST_NS)


@dataclass(slots=True)
class SpanTally:
    """A changing count of ended spans. Numbers below 0 are of spans that are to be taken out of another tally."""

    count: int = 0
    error_count: int = 0
    total_ns: int = 0
    minimum_ns: int = LARGEST_NS
    maximum_ns: int = 0
    buckets: dict[int, int] = field(default_factory=dict)
    taken_minimum_ns: int = LARGEST_NS
    """The shortest duration that was taken out."""
    taken_maximum_ns: int = -1

    def add(self, durations_ns: Sequence[int], *, error_count: int) -> None:
        """Count more spans."""
        self.count += len(durations_ns)
        self.error_count += error_count
        self.total_ns += sum(durations_ns)
        shortest_ns, longest_ns = min(durations_ns), max(durations_ns)
        self.minimum_ns = min(self.minimum_ns, shortest_ns)
        self.maximum_ns = max(self.maximum_ns, longest_ns)
        self.buckets = merged(self.buckets, buckets_of(durations_ns))

    def take_out(self, durations_ns: Sequence[int], *, error_count: int) -> None:
        """Count spans less."""
        self.count -= len(durations_ns)
        self.error_count -= error_count
        self.total_ns -= sum(durations_ns)
        shortest_ns, longest_ns = min(durations_ns), max(durations_ns)
        self.taken_minimum_ns = min(self.taken_minimum_ns, shortest_ns)
        self.taken_maximum_ns = max(self.taken_maximum_ns, longest_ns)
        less = {bucket: -count for bucket, count in buckets_of(durations_ns).items()}
        self.buckets = merged(self.buckets, less)

    @property
    def has_taken_out(self) -> bool:
        """Whether any span was taken out."""
        return self.taken_maximum_ns >= 0

    @property
    def is_exact(self) -> bool:
        """Whether shortest and longest are those of the spans that are left."""
        return not self.has_taken_out or (
            self.taken_minimum_ns > self.minimum_ns and self.taken_maximum_ns < self.maximum_ns
        )

    def with_change(self, change: SpanTally) -> SpanTally:
        """Return this tally with the spans of another one added and taken out."""
        return SpanTally(
            count=self.count + change.count,
            error_count=self.error_count + change.error_count,
            total_ns=self.total_ns + change.total_ns,
            minimum_ns=min(self.minimum_ns, change.minimum_ns),
            maximum_ns=max(self.maximum_ns, change.maximum_ns),
            buckets=merged(self.buckets, change.buckets),
            taken_minimum_ns=change.taken_minimum_ns,
            taken_maximum_ns=change.taken_maximum_ns,
        )

    def settled(self) -> SpanTally:
        """Return this tally without what was taken out of it."""
        return replace(self, taken_minimum_ns=LARGEST_NS, taken_maximum_ns=-1) if self.has_taken_out else self

    def summary(self, name: str) -> SpanSummary:
        """Return what is kept of these spans, of which there is at least one."""
        p50, p95, p99 = quantiles(self.buckets, QUANTILES, minimum=self.minimum_ns, maximum=self.maximum_ns)
        return SpanSummary(
            name=name,
            count=self.count,
            error_count=self.error_count,
            total_ns=min(self.total_ns, LARGEST_NS),
            minimum_ns=self.minimum_ns,
            maximum_ns=self.maximum_ns,
            p50_ns=p50,
            p95_ns=p95,
            p99_ns=p99,
        )


def summaries(spans: Iterable[Span]) -> dict[str, dict[str, SpanSummary]]:
    """Return the summaries of spans by run and name; spans that are open or of no run do not count."""
    of_runs: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.run_id is not None and span.end_ns is not None:
            of_runs[span.run_id].append(span)
    return {run_id: {one.name: one for one in summaries_by_name(those)} for run_id, those in of_runs.items()}


def summaries_by_name(spans: Iterable[Span]) -> list[SpanSummary]:
    """Return the summaries of the ended spans, by name."""
    durations: dict[str, list[int]] = defaultdict(list)
    errors: dict[str, int] = defaultdict(int)
    for span in spans:
        if span.end_ns is not None:
            durations[span.name].append(duration_ns_of(span.start_ns, span.end_ns))
            errors[span.name] += span.status is StatusCode.ERROR
    found = []
    for name, durations_ns in sorted(durations.items()):
        tally = SpanTally()
        tally.add(durations_ns, error_count=errors[name])
        found.append(tally.summary(name))
    return found


def span_stat(summary: SpanSummary, stat: SpanStat) -> float:
    """Return a number of the ended spans of one name; times in seconds."""
    found: dict[SpanStat, float] = {
        "count": summary.count,
        "errors": summary.error_count,
        "total": summary.total_ns / 1e9,
        "mean": summary.total_ns / 1e9 / summary.count,
        "min": summary.minimum_ns / 1e9,
        "max": summary.maximum_ns / 1e9,
        "p50": summary.p50_ns / 1e9,
        "p95": summary.p95_ns / 1e9,
        "p99": summary.p99_ns / 1e9,
    }
    return found[stat]
