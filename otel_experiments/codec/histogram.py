"""The buckets of a histogram as a mapping. Pure.

A point of the SDK and a message of OTLP name their fields alike, and differ in how they say that one is not there. What
is a double in OTLP is a float here, also where the SDK holds an integer: a point that was sent and received is the same.
"""

from __future__ import annotations

from typing import Any

from otel_experiments.model.span import Attributes, AttributeValue


def histogram_mapping(
    point: Any,  # a data point of the SDK or of OTLP, with explicit bounds or exponential
    *,
    total: float | None,
    least: float | None,
    most: float | None,
    is_exponential: bool,
) -> Attributes:
    """Return the count, sum, extremes and buckets of a histogram's point."""
    common: dict[str, AttributeValue] = {
        "count": point.count,
        "sum": _double(total),
        "min": _double(least),
        "max": _double(most),
    }
    if not is_exponential:
        return common | {
            "bucket_counts": list(point.bucket_counts),
            "explicit_bounds": list(map(float, point.explicit_bounds)),
        }
    return common | {
        "scale": point.scale,
        "zero_count": point.zero_count,
        "positive": _buckets(point.positive),
        "negative": _buckets(point.negative),
    }


def _double(number: float | None) -> float | None:
    return None if number is None else float(number)


def _buckets(buckets: Any) -> dict[str, AttributeValue]:  # as above
    return {"offset": buckets.offset, "bucket_counts": list(buckets.bucket_counts)}
