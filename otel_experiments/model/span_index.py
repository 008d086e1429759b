"""Which pass of a loop a span is, as findings and lists of system calls say it: `epoch=3`, `epoch=1 step=17`. Pure.

Trees of spans fold the passes and leave the index out; golden files write it with names of their own
(`golden/file/scan.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr

LOOP_INDEXES: Final = (attr.ML_EPOCH_INDEX, attr.ML_STEP_INDEX, attr.ML_BATCH_INDEX)
"""The attributes that say which pass of a loop of ours a span is; the first that it has names it."""


def counted_by(key: str) -> str:
    """Return what an index counts: `epoch` for `ml.epoch.index`, `batch` for `batch_idx`."""
    *above, last = key.split(".")
    if last in {"index", "idx"}:
        return above[-1] if above else last
    return last.removesuffix("_index").removesuffix("_idx") or last


def index_text(index: Iterable[tuple[str, float]]) -> str:
    """Return pairs of attribute and number, outermost first, as `epoch=1 step=17`."""
    return " ".join(
        f"{counted_by(key)}={int(value) if value == int(value) else f'{value:g}'}" for key, value in index
    )


def label_of(span: Span) -> str:
    """Return a span's name with its index: `epoch=3`, `forward step=17`, or its name alone."""
    for key in LOOP_INDEXES:
        number = span.attributes.get(key)
        if isinstance(number, int) and not isinstance(number, bool):
            text = index_text([(key, number)])
            return text if span.name == counted_by(key) else f"{span.name} {text}"
    return span.name
