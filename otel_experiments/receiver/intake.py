"""Between the transports and the journal: a request is looked at, journalled, and only then acknowledged.

It is parsed to see that it can be read, and not converted: whoever merges the journal does that.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from otel_experiments.codec.incoming.check import Checked, check_request
from otel_experiments.errors import StoreError, TelemetryDecodeError
from otel_experiments.model.received import Encoding, ReceivedRequest
from otel_experiments.model.signal import Signal
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.notice import tell
from otel_experiments.receiver.counts import Tally
from otel_experiments.receiver.refusal import Reason, Refusal

logger: Final = logging.getLogger("otel_experiments")


class RequestLog(Protocol):
    """Where requests are kept."""

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be stored that no more is to be taken now."""
        ...

    def keep(self, request: ReceivedRequest) -> None:
        """Keep the request so that it survives this process.

        Raises:
            Refusal: the disk does not take it.
        """
        ...

    def recorded_here(self, run_ids: frozenset[str]) -> frozenset[str]:
        """Return those of the runs that processes of this machine record themselves.

        Raises:
            StoreError: the store cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What is answered about a request that was taken: how many of its items were not, and why, or a warning."""

    refused_count: int
    message: str


class Intake:
    """Takes the requests of all transports, one at a time, so that only one is parsed in memory."""

    def __init__(self, log: RequestLog, tally: Tally) -> None:
        self._log = log
        self._tally = tally
        self._lock = threading.Lock()
        self._is_closed = False

    def close(self) -> None:
        """Take no more requests: the journal is about to be closed."""
        with self._lock:
            self._is_closed = True

    def check_room(self) -> None:
        """Let a request pass unless too much waits to be stored; transports ask before they read its body.

        Raises:
            Refusal: no more is taken now.
        """
        if self._log.is_full:
            raise Refusal(
                Reason.BUSY,
                "The receiver waits for its store, which has not taken what was received before. Send this request again.",
            )

    def take(self, signal: Signal, encoding: Encoding, payload: bytes, hints: Mapping[str, str]) -> Taken:
        """Journal a request, and return what is to be answered.

        Args:
            signal: what the request holds.
            encoding: of the payload.
            payload: the body, decompressed.
            hints: headers that say which run the request belongs to.

        Raises:
            Refusal: it is not taken.
        """
        with self._lock:
            if self._is_closed:
                raise stopping()
            checked = _checked(signal, encoding, payload)
            try:
                here = self._log.recorded_here(checked.run_ids)
            except StoreError as error:
                raise Refusal(Reason.UNAVAILABLE, f"{error}\n  Send this request again.") from error
            refused_count = checked.refused_count + sum(checked.counts_by_run[run_id] for run_id in here)
            if checked.item_count > refused_count:
                self._log.keep(ReceivedRequest(signal, encoding, payload, time.time_ns(), dict(hints), here))
        message = "\n".join(filter(None, (checked.message, _recorded_here(here), checked.warning)))
        self._tally.take(signal, item_count=checked.item_count, refused_count=refused_count, message=message)
        return Taken(refused_count, message)


def stopping() -> Refusal:
    """Return the refusal of a request that comes while the receiver stops."""
    return Refusal(Reason.STOPPING, "The receiver is stopping. Send this request again.")


def _checked(signal: Signal, encoding: Encoding, payload: bytes) -> Checked:
    """Return what the request holds.

    Raises:
        Refusal: it cannot be read.
    """
    try:
        return check_request(signal, encoding, payload)
    except TelemetryDecodeError as error:
        raise Refusal(Reason.INVALID, str(error)) from error
    except MemoryError as error:
        raise Refusal(
            Reason.UNAVAILABLE, "The receiver has no memory left. Send this request again."
        ) from error
    except (
        Exception
    ) as error:  # a defect of ours, which no retry heals: the client is not to send it for ever
        pass_on(error)
        tell(logger, "The receiver cannot look at a request, which is a defect.", about=error)
        raise Refusal(
            Reason.INVALID,
            f"The receiver cannot read this request ({type(error).__name__}). It was not stored.",
        ) from error


def _recorded_here(run_ids: frozenset[str]) -> str:
    if not run_ids:
        return ""
    first, more = min(run_ids), len(run_ids) - 1
    runs = f"run {first[:8]}" + (f" and {more} more" if more else "")
    return (
        f"The items of {runs} were not taken: a process of this machine records that itself into the same store. "
        "Send to another store, or do not send it back."
    )
