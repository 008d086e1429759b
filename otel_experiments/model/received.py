"""A request of another program with telemetry in it, kept as it came until a store takes what it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_experiments.model.signal import Signal

Encoding = Literal["protobuf", "json"]
"""The two encodings of OTLP."""


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """The body of one OTLP export request, decompressed and acknowledged.

    Attributes:
        payload: the body, an `ExportTraceServiceRequest` or its like of the signal.
        received_ns: when it came, in nanoseconds since 1970.
        hints: headers of the request that say which run it belongs to, with names in lower case.
        refused_run_ids: runs whose items the sender heard are refused, since a process of this machine records the
            runs itself; they are left out of what is stored.
        is_imported: whether it is of a file that a user of the store imports. What marks an export counts there only:
            over the network anybody could write into any run with it.
    """

    signal: Signal
    encoding: Encoding
    payload: bytes
    received_ns: int
    hints: Mapping[str, str] = field(default_factory=dict)
    refused_run_ids: frozenset[str] = frozenset()
    is_imported: bool = False
