"""What spans say of values of the user's: as the SDK says it, and where it would raise, what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.util import BoundedList

from otel_experiments.codec.plain import plain_value
from otel_experiments.process.interruption import is_interruption

if TYPE_CHECKING:
    from opentelemetry.util.types import Attributes, AttributeValue


def clean_attribute(key: str, value: AttributeValue, max_length: int | None) -> BoundedAttributes:
    """Return one attribute as the SDK keeps it."""
    cleaned = BoundedAttributes(None, immutable=False, max_value_len=max_length)
    try:
        cleaned[key] = value
    except Exception as error:  # a foreign __str__ may do anything, and a value may hold itself
        if is_interruption(error):
            raise
        cleaned[key] = cast("Any", plain_value(value))
    return cleaned


def clean_attributes(
    attributes: Attributes, max_length: int | None, max_count: int | None = None
) -> BoundedAttributes:
    """Return the attributes as the SDK keeps them; values whose text cannot be had, it does not take."""
    try:
        return BoundedAttributes(max_count, attributes, max_value_len=max_length)
    except Exception as error:  # a foreign __str__ may do anything, and a value may hold itself
        if is_interruption(error):
            raise
        plain = plain_value(attributes)
        return BoundedAttributes(
            max_count, cast("Any", plain) if isinstance(plain, dict) else None, max_value_len=max_length
        )


def bounded(items: list[Any], dropped: int) -> Sequence[Any]:
    """Return events or links as the SDK keeps them, knowing how many were dropped."""
    made = BoundedList.from_seq(None, items)
    made.dropped = dropped
    return made
