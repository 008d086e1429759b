"""Helps for tests of code that records: a clock and ids that repeat, a check of the vocabulary, goldens in a test.

`SteppingClock` and `SequentialIds` make a recorded run the same each time. `LiveCheck` and its adapters say where
telemetry strays from the vocabulary. `record_here` and `assert_trace` compare what a block does with a text.
`StoreContract` has the tests that every store passes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.capture.live import LiveCapture, record_here
    from otel_experiments.goldens.inline import assert_trace
    from otel_experiments.testing.advice import Advice, Level
    from otel_experiments.testing.clock import SteppingClock
    from otel_experiments.testing.ids import SequentialIds
    from otel_experiments.testing.live_check import (
        LiveCheck,
        LiveCheckLogProcessor,
        LiveCheckMetricExporter,
        LiveCheckSpanProcessor,
    )
    from otel_experiments.testing.store_contract import StoreContract

__all__ = [
    "Advice",
    "Level",
    "LiveCapture",
    "LiveCheck",
    "LiveCheckLogProcessor",
    "LiveCheckMetricExporter",
    "LiveCheckSpanProcessor",
    "SequentialIds",
    "SteppingClock",
    "StoreContract",
    "assert_trace",
    "record_here",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "Advice": "advice",
            "Level": "advice",
            "LiveCapture": "otel_experiments.capture.live",
            "LiveCheck": "live_check",
            "LiveCheckLogProcessor": "live_check",
            "LiveCheckMetricExporter": "live_check",
            "LiveCheckSpanProcessor": "live_check",
            "SequentialIds": "ids",
            "SteppingClock": "clock",
            "StoreContract": "store_contract",
            "assert_trace": "otel_experiments.goldens.inline",
            "record_here": "otel_experiments.capture.live",
        },
    )
