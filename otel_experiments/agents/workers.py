"""The processes in which tools work, as the server has them: as many as there are calls at once, ended where they take too long."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from otel_experiments.agents.worker import MODULE
from otel_experiments.errors import AgentToolStoppedError

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import Process

    from otel_experiments.model.store_location import StoreLocation

_MOST_WORKERS: Final = 4
_MOST_BYTES: Final = 4 << 20
"""Of a line that a worker answers, which is bounded long before that."""


class Workers:
    """Lends worker processes to calls.

    Args:
        location: the store.
        goldens: the folder of goldens; None for the one that goldens are in by default.
        limit_s: how long one call may take, in seconds.
    """

    def __init__(self, location: StoreLocation, *, goldens: Path | None, limit_s: float) -> None:
        self._limit_s = limit_s
        told = {
            "store": str(location),
            "goldens": None if goldens is None else str(goldens),
            "limit_s": limit_s,
        }
        self._told = _line(told)
        self._idle: list[_Worker] = []
        self._all: set[_Worker] = set()
        self._limiter = anyio.CapacityLimiter(_MOST_WORKERS)

    async def start(self) -> None:
        """Start the first worker, so that the first call does not wait for it."""
        self._idle.append(await self._started())

    async def outcome(self, tool: str, arguments: Mapping[str, object]) -> dict[str, Any]:  # JSON
        """Return what the call comes to: `{"answer": ...}` or `{"error": TEXT}`.

        Raises:
            AgentToolStoppedError: it took too long, or its process ended.
        """
        line = _line({"tool": tool, "arguments": dict(arguments)})
        async with self._limiter:
            worker = await self._lent()
            is_whole = False
            try:
                with anyio.fail_after(self._limit_s):
                    found: dict[str, Any] = json.loads(await worker.answer(line))
                is_whole = True
            except TimeoutError:
                raise AgentToolStoppedError(
                    tool=tool, why=f"it took longer than the {self._limit_s:g} s that a call may take"
                ) from None
            except (
                anyio.EndOfStream,
                anyio.IncompleteRead,
                anyio.BrokenResourceError,
                anyio.ClosedResourceError,
            ):
                raise AgentToolStoppedError(tool=tool, why="its process ended") from None
            finally:
                if is_whole:
                    self._idle.append(worker)
                else:  # also where the client takes its call back
                    self._end(worker)
        return found

    async def close(self) -> None:
        """End all workers; nothing is half done, since an edit is one transaction."""
        ended = list(self._all)
        for worker in ended:
            self._end(worker)
        for worker in ended:
            await worker.has_ended()

    async def _lent(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_running:
                return worker
            self._end(worker)
        return await self._started()

    async def _started(self) -> _Worker:
        command = [sys.executable, "-P", "-m", MODULE]
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None
        )
        worker = _Worker(process)
        await worker.send(self._told)
        self._all.add(worker)
        return worker

    def _end(self, worker: _Worker) -> None:
        self._all.discard(worker)
        worker.end()


class _Worker:
    """One process, which answers a line with a line."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process, self._in = process, process.stdin
        self._out = BufferedByteReceiveStream(process.stdout)

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def send(self, line: bytes) -> None:
        await self._in.send(line)

    async def answer(self, line: bytes) -> bytes:
        await self.send(line)
        return await self._out.receive_until(b"\n", _MOST_BYTES)

    def end(self) -> None:
        if self.is_running:
            self._process.kill()

    async def has_ended(self) -> None:
        await self._process.aclose()


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"
