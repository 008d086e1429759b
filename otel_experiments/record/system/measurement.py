"""One number that a source of system metrics read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from otel_experiments.semconv.definitions import MetricDef


class Measurement(NamedTuple):
    """A number, which metric of the vocabulary it is, and since when it counts (0 for what does not count)."""

    definition: MetricDef
    value: float
    attributes: Mapping[str, str] = {}
    since_ns: int = 0
