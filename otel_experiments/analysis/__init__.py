"""Statistics over plain columns of numbers. They know no store, no run and no telemetry; a few tests need the extra `stats`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.analysis.latency import Latency
    from otel_experiments.analysis.reliability import Reliability, ServiceLevel
    from otel_experiments.analysis.tokens import Cost, Price, PriceTable, Tokens

__all__ = ["Cost", "Latency", "Price", "PriceTable", "Reliability", "ServiceLevel", "Tokens"]

_MODULES = {
    "Cost": "tokens",
    "Latency": "latency",
    "Price": "tokens",
    "PriceTable": "tokens",
    "Reliability": "reliability",
    "ServiceLevel": "reliability",
    "Tokens": "tokens",
}

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, _ = lazy_names(__name__, _MODULES)


def __dir__() -> list[str]:
    return __all__
