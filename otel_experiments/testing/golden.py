"""Golden traces in tests without the pytest plugin: record what a block does, compare it with a text."""

from __future__ import annotations

from otel_experiments.capture import LiveCapture, record_here
from otel_experiments.goldens.inline import Traced, assert_trace

__all__ = ["LiveCapture", "Traced", "assert_trace", "record_here"]
