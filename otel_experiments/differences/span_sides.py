"""The spans of a run as golden's matcher takes them, whatever state the run is in: nothing is refused, what is missing is said.

A golden check refuses a trace that is cut or unfinished. Here a running run is compared as far as it went: open spans end with the
last thing that is known of the trace, and spans without their parent hang below the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from otel_experiments._short_repr import fields_repr
from otel_experiments.analysis.statistics import percentile_of_sorted
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.form import Form, NodeType
from otel_experiments.golden.canonical.trace import CapturedRun, SpanCounts
from otel_experiments.golden.timing.stage import SelfTime, compute_self_times
from otel_experiments.model.span import Span
from otel_experiments.query import RunView

MAX_SPANS: Final = 300_000
"""Of a run; the first ones of a longer run are compared."""
_ROOT: Final = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class PathTimes:
    """The spans of one path in a run. Units: seconds.

    Attributes:
        count: how many there are.
        p50_s, p95_s: quantiles of their durations.
        self_p50_s: the median of their time without that of the spans below them.
        self_s: the sum of that time.
        cpu_s: the sum of the CPU time without that of the spans below; None where it was not recorded of all.
        self_times_s: each span's time without that of the spans below, in ascending order.
    """

    count: int
    p50_s: float
    p95_s: float
    self_p50_s: float
    self_s: float
    cpu_s: float | None
    self_times_s: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return fields_repr(self)


@dataclass(frozen=True, slots=True)
class SpanSide:
    """The spans of one of the two runs.

    Attributes:
        form: their canonical form; None for a run without spans.
        paths: what each path took, in the order of the program.
        notes: what could not be taken as it is.
    """

    form: Form | None
    paths: Mapping[str, PathTimes]
    notes: tuple[str, ...] = ()


def read_side(run: RunView, letter: str) -> SpanSide:
    """Return the spans of a run.

    Args:
        run: the run.
        letter: what notes call it: A or B.
    """
    held = list(run.spans.first(MAX_SPANS + 1))
    notes = []
    if len(held) > MAX_SPANS:
        held = held[:MAX_SPANS]
        notes.append(f"spans: only the first {MAX_SPANS:,} of {letter} were compared")
    if not held:
        return SpanSide(None, {}, ())
    whole, found = _made_whole(held, root_id=run.record.root_span_id)
    notes += [f"spans: {clause} in {letter}" for clause in found]
    form = canonicalize(CapturedRun(whole, counts=SpanCounts(), name=run.name))
    return SpanSide(form, _measure(form), tuple(notes))


def _made_whole(spans: Sequence[Span], *, root_id: str | None) -> tuple[list[Span], list[str]]:
    """Return the spans as a complete trace, and what had to be done for it."""
    known = {span.span_id for span in spans}
    lost = _in_circles(spans)
    last_ns = max(max(span.start_ns, span.end_ns or 0) for span in spans)
    open_count = orphans = 0
    whole = []
    for span in spans:
        is_open = span.end_ns is None
        is_orphan = span.parent_span_id is not None and (
            span.parent_span_id not in known or span.span_id in lost
        )
        is_root = span.span_id == root_id
        open_count += is_open
        if not (is_open or is_orphan or is_root):
            whole.append(span)
            continue
        orphans += is_orphan and not is_root
        whole.append(
            replace(
                span,
                name=_ROOT if is_root else span.name,
                end_ns=last_ns if is_open else span.end_ns,
                parent_span_id=None if is_orphan else span.parent_span_id,
            )
        )
    clauses = [f"{open_count:,} have not ended"] if open_count else []
    return whole, clauses + ([f"{orphans:,} have no parent"] if orphans else [])


def _in_circles(spans: Sequence[Span]) -> set[str]:
    """Return the ids of spans that name each other as parents, so that no root is above them."""
    parents = {span.span_id: span.parent_span_id for span in spans}
    rooted: set[str] = set()
    circles: set[str] = set()
    for start in parents:
        trail: dict[str, None] = {}
        here: str | None = start
        while here is not None and here in parents and here not in rooted and here not in trail:
            trail[here] = None
            here = parents[here]
        if here is not None and here in trail:
            circles.add(here)
        rooted.update(trail)
    return circles


def _measure(form: Form) -> dict[str, PathTimes]:
    spans = form.spans
    own = compute_self_times(spans)
    positions: dict[str, list[int]] = {}
    for path, node in form.walk():
        if node.type is NodeType.SPAN:
            positions.setdefault(path, []).extend(node.spans)
    return {path: _times(spans, own, at) for path, at in positions.items()}


def _times(spans: Sequence[Span], own: Sequence[SelfTime], at: Sequence[int]) -> PathTimes:
    durations = sorted(
        max(0, (spans[one].end_ns or spans[one].start_ns) - spans[one].start_ns) / 1e9 for one in at
    )
    selves = sorted(own[one].wall_ns / 1e9 for one in at)
    cpu = [own[one].cpu_ns for one in at]
    known = [one for one in cpu if one is not None]
    return PathTimes(
        count=len(at),
        p50_s=percentile_of_sorted(durations, 0.5),
        p95_s=percentile_of_sorted(durations, 0.95),
        self_p50_s=percentile_of_sorted(selves, 0.5),
        self_s=sum(selves),
        cpu_s=sum(known) / 1e9 if len(known) == len(cpu) else None,
        self_times_s=tuple(selves),
    )
