"""Which spans belong together, those of a run, else those of a trace; and what the metrics of child runs are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from otel_experiments.model.span import Span
from otel_experiments.record.run.made_names import is_made_name

_UNNAMED: Final = "run"
"""What a child run with a generated name is called."""


class ChildPrefixes:
    """What stands before the metric names of the child runs of one run: the child's name, with `#2` for the second."""

    def __init__(self) -> None:
        self._uses: Counter[str] = Counter()

    def next(self, name: str) -> str:
        """Return the prefix for the next child run, which is called `name`."""
        name = _UNNAMED if is_made_name(name) else name
        self._uses[name] += 1
        return f"{name}{f'#{self._uses[name]}' if self._uses[name] > 1 else ''}:"


def group_spans(spans: Iterable[Span]) -> list[list[Span]]:
    """Return the spans by run, and those of no run by trace, in the order in which they start.

    Spans of other libraries in the trace of a run belong to that run.
    """
    held = list(spans)
    run_of_trace = {span.trace_id: span.run_id for span in held if span.run_id is not None}
    groups: dict[str, list[Span]] = {}
    for span in held:
        key = span.run_id or run_of_trace.get(span.trace_id) or span.trace_id
        groups.setdefault(key, []).append(span)
    return sorted(groups.values(), key=lambda group: min(span.start_ns for span in group))
