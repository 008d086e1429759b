"""Points for other programs as well: each point that is stored is handed to the sinks that a program gives.

A sink is called by a thread of its own, so one that is slow or hangs holds up neither recording nor storing. What it raises, and
what it did not take in time, is counted and told.
"""

from __future__ import annotations

import json
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Final, Protocol

from otel_experiments.model.metric import PointBlock, Points, SeriesKey
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.guard import Guard

MOST_WAITING: Final = 1_000_000
"""So many points wait for a sink at most; what comes then is left out, and counted."""


class MetricsSink(Protocol):
    """Takes points that were stored. `otel_experiments.JSONLMetrics` is one; a program may have its own."""

    def record(
        self,
        run_id: str,
        metric: str,
        value: float,
        *,
        step: float,
        time_ns: int,
        metadata: Mapping[str, object],
    ) -> None:
        """Take one point.

        Args:
            run_id: the id of the run.
            metric: its name.
            value: NaN and the infinities included.
            step: its step.
            time_ns: when it was logged, in nanoseconds since the Unix epoch.
            metadata: its `phase` and `rank`, where it has one.
        """
        ...

    def flush(self, run_id: str) -> None:
        """Let everything of a run be kept: recording ends."""
        ...

    def read(self, run_id: str) -> Sequence[Mapping[str, object]]:
        """Return what was taken of a run, in its order."""
        ...


class JSONLMetrics:
    """A sink that appends a line of JSON for each point: `run_id`, `metric`, `value`, `step`, `timestamp`, `metadata`.

    NaN and the infinities are the texts `NaN`, `Infinity` and `-Infinity`. Several processes may append to one file.

    Args:
        path: the file; it and its folder are made with the first point.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._path = Path(path).expanduser().absolute()

    def record(
        self,
        run_id: str,
        metric: str,
        value: float,
        *,
        step: float,
        time_ns: int,
        metadata: Mapping[str, object],
    ) -> None:
        """Append one point; see `MetricsSink.record` for `run_id`, `metric`, `value`, `step`, `time_ns` and `metadata`."""
        when = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).replace(
            microsecond=time_ns // 1000 % 1_000_000
        )
        told = {
            "run_id": run_id,
            "metric": metric,
            "value": _plain(value),
            "step": int(step) if math.isfinite(step) and step == int(step) else _plain(step),
            "timestamp": when.isoformat().replace("+00:00", "Z"),
            "metadata": dict(metadata),
        }
        line = json.dumps(told) + "\n"
        try:
            file = self._path.open("a", encoding="utf-8")
        except FileNotFoundError:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            file = self._path.open("a", encoding="utf-8")
        with file:
            file.write(line)

    def flush(self, run_id: str) -> None:
        """Do nothing for `run_id`: each line is written when it is recorded."""

    def read(self, run_id: str) -> list[dict[str, object]]:
        """Return the points of `run_id`, in the order of the file; none where there is no file."""
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[dict[str, object]] = [json.loads(line) for line in lines if line]
        return [one for one in found if one["run_id"] == run_id]


def _plain(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


class SinkFeed:
    """Hands points to one sink, by a thread of its own."""

    def __init__(self, sink: MetricsSink, guard: Guard) -> None:
        self._sink, self._guard = sink, guard
        self._name = type(sink).__name__
        self._waiting: deque[PointBlock] = deque()
        self._waiting_count = 0
        self._run_ids: set[str] = set()
        self._changed = threading.Condition(threading.Lock())
        self._is_closing = self._is_done = False
        self._thread = threading.Thread(target=self._work, name="otel-experiments-sink", daemon=True)
        self._thread.start()

    def feed(self, blocks: Sequence[PointBlock]) -> None:
        """Let the sink have what was stored, soon."""
        with self._changed:
            for block in blocks:
                count = len(block.steps) * len(block.keys)
                if self._waiting_count + count > MOST_WAITING:
                    self._lose(
                        count, f"Sink {self._name} is too slow: {MOST_WAITING:,} points wait for it", None
                    )
                    continue
                self._waiting.append(block)
                self._waiting_count += count
            self._changed.notify()

    def close(self, *, timeout_s: float) -> None:
        """Let the sink take what waits and flush, for at most so long; what it has not taken then is counted."""
        with self._changed:
            self._is_closing = True
            self._changed.notify()
        self._thread.join(timeout=max(0.05, timeout_s))
        with self._changed:
            if not self._is_done and self._waiting_count:
                self._lose(
                    self._waiting_count,
                    f"Sink {self._name} did not take {self._waiting_count:,} points before the end; the store has them",
                    None,
                )

    def _work(self) -> None:
        leave_signals_to_the_program()
        while True:
            with self._changed:
                while not self._waiting and not self._is_closing:
                    self._changed.wait()
                if not self._waiting:
                    break
                block = self._waiting[0]
            self._hand_over(block)
            with self._changed:
                self._waiting.popleft()
                self._waiting_count -= len(block.steps) * len(block.keys)
        for run_id in sorted(self._run_ids):
            self._try(lambda run_id=run_id: self._sink.flush(run_id), run_id, "flush", 0)  # type: ignore[misc]
        with self._changed:
            self._is_done = True

    def _hand_over(self, block: PointBlock) -> None:
        self._run_ids.add(block.run_id)
        for key, column in zip(block.keys, block.values, strict=True):
            metadata: dict[str, object] = {}
            if key.phase:
                metadata["phase"] = key.phase
            if key.rank:
                metadata["rank"] = key.rank
            for step, time_ns, value in zip(block.steps, block.times_ns, column, strict=True):
                self._try(
                    lambda point=(step, time_ns, value), key=key, metadata=metadata: self._sink.record(  # type: ignore[misc]
                        block.run_id,
                        key.name,
                        point[2],
                        step=point[0],
                        time_ns=point[1],
                        metadata=metadata,
                    ),
                    block.run_id,
                    "record",
                    1,
                )

    def _try(self, call: Callable[[], None], run_id: str, method: str, count: int) -> None:
        try:
            call()
        except Exception as error:
            if is_interruption(error):
                raise
            self._lose(
                count,
                f"Sink {self._name} failed in {method}(): {error!r}; the store has the points",
                error,
                run_id,
            )

    def _lose(self, count: int, text: str, error: Exception | None, run_id: str = "") -> None:
        try:
            self._guard.lost("sink", text, name=self._name, run_id=run_id, count=count, error=error)
        except (
            Exception
        ) as raised:  # on_error="raise" is for calls of the program, and nobody waits for this one
            if is_interruption(raised):
                raise


class SinkFeeds:
    """All sinks of a recorder."""

    def __init__(self, sinks: Sequence[MetricsSink], guard: Guard) -> None:
        self._feeds = [SinkFeed(sink, guard) for sink in sinks]

    def feed(self, blocks: Sequence[PointBlock]) -> None:
        """Let each sink have what was stored."""
        for feed in self._feeds:
            feed.feed(blocks)

    def feed_stored(
        self, blocks: Sequence[PointBlock], points_of: Callable[[str, SeriesKey], Points]
    ) -> None:
        """Let each sink have what of these points is stored: another process stored the first of them, and the rest comes later."""
        if self._feeds:
            self.feed([part for block in blocks for part in _stored_parts(block, points_of)])

    def close(self, *, timeout_s: float) -> None:
        """Let each sink take what waits for it, all together for at most so long."""
        deadline_s = time.monotonic() + timeout_s
        for feed in self._feeds:
            feed.close(timeout_s=deadline_s - time.monotonic())


def _stored_parts(block: PointBlock, points_of: Callable[[str, SeriesKey], Points]) -> list[PointBlock]:
    parts = []
    for key, column in zip(block.keys, block.values, strict=True):
        stored = points_of(block.run_id, key)
        there = set(zip(stored.times_ns, stored.steps, strict=True))
        kept = [
            point
            for point in zip(block.steps, block.times_ns, column, strict=True)
            if (point[1], point[0]) in there
        ]
        if kept:
            steps, times_ns, values = zip(*kept, strict=True)
            parts.append(PointBlock(block.run_id, (key,), steps, times_ns, (values,)))
    return parts
