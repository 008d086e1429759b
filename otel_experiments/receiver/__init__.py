"""OTLP in: programs of any language send their telemetry here, and it is kept in a store.

`Receiver` listens for gRPC and HTTP; `otel-experiments serve` is the same on the command line. A request is
acknowledged when it is in the journal; what it says about runs is made of it when the journal is merged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.receiver.counts import ReceiverCounts
    from otel_experiments.receiver.limits import Limits
    from otel_experiments.receiver.receiver import Receiver

__all__ = ["Limits", "Receiver", "ReceiverCounts"]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__, {"Limits": "limits", "Receiver": "receiver", "ReceiverCounts": "counts"}
    )
