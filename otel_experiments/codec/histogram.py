"""The buckets of a histogram as a mapping. Pure.

A point of the SDK and a message of OTLP name their fields alike, and differ in how they say that one is not there.
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
    common: dict[str, AttributeValue] = {"count": point.count, "sum": total, "min": least, "max": most}
    if not is_exponential:
        return common | {
            "bucket_counts": list(point.bucket_counts),
            "explicit_bounds": list(point.explicit_bounds),
        }
    return common | {
        "scale": point.scale,
        "zero_count": point.zero_count,
        "positive": _buckets(point.positive),
        "negative": _buckets(point.negative),
    }


def _buckets(buckets: Any) -> dict[str, AttributeValue]:  # as above
    return {"offset": buckets.offset, "bucket_counts": list(buckets.bucket_counts)}
