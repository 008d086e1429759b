"""How much a span of a run may hold: limits of our own on counts, the standard variables' on lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.sdk.trace import SpanLimits

from otel_experiments.semconv import attributes as attr

MAX_ATTRIBUTES: Final = 1024
MAX_EVENTS: Final = 1024
MAX_LINKS: Final = 8192
MIN_ATTRIBUTE_LENGTH: Final = 128
_MOST_DIGITS: Final = 18
OWN_ATTRIBUTES: Final = frozenset(
    {
        attr.ML_OPERATION_NAME, attr.ML_SPAN_LANE, attr.ML_SPAN_SEQUENCE, attr.ML_SPAN_CPU_TIME, attr.ERROR_TYPE,
        attr.ML_RUN_ID, attr.ML_RUN_RESULT, attr.ML_RUN_REASON, attr.ML_RUN_SPANS_STARTED, attr.ML_RUN_SPANS_ENDED,
        attr.ML_RUN_SPANS_DROPPED, attr.ML_RUN_HOST_LOAD_CPU_UTILIZATION, attr.ML_RANDOM_SEED, attr.ML_STAGE_NAME,
        attr.ML_STAGE_INDEX, attr.ML_EPOCH_INDEX, attr.ML_EPOCH_COUNT, attr.ML_PHASE, attr.ML_STEP_INDEX,
        attr.ML_BATCH_INDEX, attr.ML_BATCH_SIZE, attr.ML_EVALUATION_NAME, attr.ML_DATASET_NAME, attr.ML_DATASET_SPLIT,
        attr.ML_MODEL_NAME, attr.ML_CHECKPOINT_NAME, attr.ML_CHECKPOINT_URI, attr.ML_CHECKPOINT_SIZE,
    }
)  # fmt: skip
"""What says what a span is and how it ended: taken beyond `MAX_ATTRIBUTES` too."""


def span_limits(environ: Mapping[str, str]) -> SpanLimits:
    """Return the limits of our runs' spans: ours on counts, the standard variables' on lengths.

    A length limit below `MIN_ATTRIBUTE_LENGTH` would cut what we tell operations and lanes by; what is no number is not
    heeded (`sound_environment` says so).
    """
    texts = [
        environ.get(variable, "").strip()
        for variable in ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT")
    ]
    lengths = [int(text) for text in texts if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS]
    length = max(lengths[0], MIN_ATTRIBUTE_LENGTH) if lengths else SpanLimits.UNSET
    return SpanLimits(
        max_span_attributes=SpanLimits.UNSET,  # the SDK drops the oldest, which may say what the span is
        max_events=MAX_EVENTS,
        max_links=MAX_LINKS,
        max_event_attributes=MAX_ATTRIBUTES,
        max_link_attributes=MAX_ATTRIBUTES,
        max_attributes=MAX_ATTRIBUTES,
        max_attribute_length=length,
        max_span_attribute_length=length,
    )


def within_limit(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a span, the first `MAX_ATTRIBUTES` and those of ours that come later."""
    most = MAX_ATTRIBUTES
    return {
        key: value
        for position, (key, value) in enumerate(attributes.items())
        if position < most or key in OWN_ATTRIBUTES
    }
