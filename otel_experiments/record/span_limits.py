"""How much a span of a run may hold: limits of our own on counts, the standard variables' on lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from opentelemetry.sdk.trace import SpanLimits

from otel_experiments.errors import ConfigurationError

MAX_ATTRIBUTES: Final = 1024
MAX_EVENTS: Final = 1024
MAX_LINKS: Final = 8192
MIN_ATTRIBUTE_LENGTH: Final = 128


def span_limits(environ: Mapping[str, str]) -> SpanLimits:
    """Return the limits of our runs' spans: ours on counts, the standard variables' on lengths.

    A length limit below `MIN_ATTRIBUTE_LENGTH` would cut what we tell operations and lanes by.

    Raises:
        ConfigurationError: a variable holds no number.
    """
    text = environ.get("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT") or environ.get(
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"
    )
    try:
        length = max(int(text), MIN_ATTRIBUTE_LENGTH) if text else SpanLimits.UNSET
        return SpanLimits(
            max_span_attributes=MAX_ATTRIBUTES,
            max_events=MAX_EVENTS,
            max_links=MAX_LINKS,
            max_event_attributes=MAX_ATTRIBUTES,
            max_link_attributes=MAX_ATTRIBUTES,
            max_attributes=MAX_ATTRIBUTES,
            max_attribute_length=length,
            max_span_attribute_length=length,
        )
    except ValueError as error:
        raise ConfigurationError(
            f"An attribute limit cannot be used: {error}.\n  Correct the OTEL_*ATTRIBUTE_VALUE_LENGTH_LIMIT."
        ) from None
