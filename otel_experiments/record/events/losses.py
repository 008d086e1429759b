"""What each run lost, written down with the run while it happens: SIGKILL leaves the counts in the journal.

A count is written at once where a name loses something for the first times, then when it has grown by an eighth, at each
heartbeat and at the end of the run; so the last written count is right to an eighth whenever the process dies. Each
event says how many came since the one before it: readers add them up, over processes, ranks and attempts.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from otel_experiments.record.base.gate import KINDS, kind_after_the_end
from otel_experiments.record.base.room import AFTER_THE_END
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.semconv.values import MlLossReason

if TYPE_CHECKING:
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.events.own_event import OwnEvents

MAX_NAMES: Final = 300
"""So many names of a run have counts of their own; the others are counted together, under no name."""
_MAX_RUNS: Final = 4096
_WRITTEN_AT_ONCE: Final = 16
_REASONS: Final = {
    "journal full": MlLossReason.STORAGE_FULL,
    AFTER_THE_END: MlLossReason.NOT_RECORDING,
    **{kind_after_the_end(kind): MlLossReason.NOT_RECORDING for kind in KINDS},
    "text cut": MlLossReason.CHANGED,
    "text changed": MlLossReason.CHANGED,
    "attribute name": MlLossReason.CHANGED,
    "kept as text": MlLossReason.CHANGED,
    "metric step": MlLossReason.CHANGED,
    "attributes": MlLossReason.TOO_LARGE,
    "scope": MlLossReason.INTERNAL_ERROR,
    "span": MlLossReason.INTERNAL_ERROR,
    "span start": MlLossReason.INTERNAL_ERROR,
    "foreign span": MlLossReason.INTERNAL_ERROR,
    "foreign span start": MlLossReason.INTERNAL_ERROR,
    "log record": MlLossReason.INTERNAL_ERROR,
}


class _Count:
    __slots__ = ("pending", "written")

    def __init__(self) -> None:
        self.pending = self.written = 0


class RunLosses:
    """The losses of the runs of one process."""

    def __init__(self, events: OwnEvents, known: KnownRuns, clock: Callable[[], int]) -> None:
        self._events = events
        self._known = known
        self._now_ns = clock
        self._stamped_ns = 0
        self._runs: dict[str, dict[tuple[str, str], _Count]] = {}
        self._lock = threading.RLock()

    def add(self, run_id: str, kind: str, name: str, count: int) -> None:
        """Count a loss, and write it down while there are few, or many more than are written."""
        with self._lock:
            counts = self._runs.setdefault(run_id, {})
            key = (kind, name) if (kind, name) in counts or len(counts) < MAX_NAMES else (kind, "")
            found = counts.setdefault(key, _Count())
            found.pending += count
            if found.written < _WRITTEN_AT_ONCE or found.pending * 8 >= found.written:
                self._write(run_id, key, found)
            while len(self._runs) > _MAX_RUNS:
                self._runs.pop(next(iter(self._runs)))

    def write_all(self, run_id: str | None = None) -> None:
        """Write down what is counted and not written yet, of one run or of all."""
        with self._lock:
            for one in [run_id] if run_id is not None else list(self._runs):
                for key, found in list(self._runs.get(one, {}).items()):
                    self._write(one, key, found)

    def _write(self, run_id: str, key: tuple[str, str], found: _Count) -> None:
        run = self._known.get(run_id)
        count = found.pending
        if run is None or not count:  # a run that has not started: it waits
            return
        kind, name = key
        reason = MlLossReason.INTERNAL_ERROR if kind.startswith("internal:") else MlLossReason.NOT_ENCODABLE
        attributes: dict[str, str | int] = {
            attr.ML_LOSS_KIND: kind,
            attr.ML_LOSS_REASON: str(_REASONS.get(kind, reason)),
            attr.ML_LOSS_COUNT: count,
        }
        if name:
            attributes[attr.ML_LOSS_NAME] = name
        self._stamped_ns = now_ns = max(
            self._now_ns(), self._stamped_ns + 1
        )  # two of one time would be one record
        found.pending -= count
        found.written += count
        if not self._events.write(
            run_id, run, ML_TELEMETRY_LOSS.name, attributes, time_ns=now_ns, observed_ns=now_ns
        ):
            found.pending += (
                count  # it is tried again when the next is counted, at the heartbeat, and at the end
            )
            found.written -= count

    def reset_in_child(self) -> None:
        """Forget what the parent counted and has still to write: it will."""
        self._lock = threading.RLock()
        self._runs = {}
        # It ends its children without the usual exit. Another thread may have been importing it at the fork.
        register = getattr(sys.modules.get("multiprocessing.util"), "register_after_fork", None)
        if register is not None:
            register(self, _write_at_exit)


def _write_at_exit(losses: RunLosses) -> None:
    """Have a child of multiprocessing write down its last counts; called by it when it begins."""
    sys.modules["multiprocessing.util"].Finalize(None, losses.write_all, exitpriority=100)
