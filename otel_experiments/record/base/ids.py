"""Trace and span ids from a generator of our own, so that `random.seed` neither repeats nor is moved by them.

Source: OpenTelemetry specification, trace SDK, IdGenerator; opentelemetry-python issues 2974 and 4376.
"""

from __future__ import annotations

import os
import random
from typing import Final

from opentelemetry.sdk.trace.id_generator import IdGenerator

from otel_experiments.process.fork import ResetInChild


class PrivateIdGenerator(IdGenerator):
    """Draws ids from a private Mersenne Twister seeded by the operating system, anew in a forked child."""

    def __init__(self) -> None:
        self._random = random.Random(os.urandom(32))  # noqa: S311 - ids, not secrets
        _generators.add(self)

    def generate_span_id(self) -> int:
        """Return 64 random bits, not all zero."""
        while not (span_id := self._random.getrandbits(64)):
            continue
        return span_id

    def generate_trace_id(self) -> int:
        """Return 128 random bits, not all zero."""
        while not (trace_id := self._random.getrandbits(128)):
            continue
        return trace_id

    def is_trace_id_random(self) -> bool:
        """Say that the low 56 bits are random. Source: W3C Trace Context level 2, random-trace-id flag."""
        return True

    def reseed(self) -> None:
        """Draw from another stream."""
        self._random.seed(os.urandom(32))


_generators: Final = ResetInChild(PrivateIdGenerator.reseed)
