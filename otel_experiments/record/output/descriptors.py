"""Everything that is written to the descriptors of standard output and standard error, by children and C libraries too.

The descriptors become pipes, or terminals where they were terminals, and a process of its own hands on what comes out of them
and records it. A thread would not do: what a program writes last before a crash, or before `os._exit`, would reach neither
the run nor the person who is waiting for it. That process is no child of the program, whose `os.wait` never sees it.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from typing import TYPE_CHECKING, Final

from otel_experiments.process.interruption import Swallowing
from otel_experiments.record.base.propagation import environment_of
from otel_experiments.record.base.settings import SETTINGS
from otel_experiments.record.output.pump import open_ends

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from otel_experiments.record.base.ports import RunPort

READER_MODULE: Final = "otel_experiments._output_reader"
_NUMBERS: Final = (1, 2)
_START_S: Final = 30.0
"""How long the start of a run waits for the other process, which imports what it needs."""
_READY: Final = b"1"


class Descriptors:
    """The descriptors of this process's output, while another process reads what is written to them.

    Attributes:
        run_id: the run that has what is written.
        pid: the process whose descriptors they are.
    """

    def __init__(self, run_id: str, before: Sequence[int], answer: int) -> None:
        self.run_id = run_id
        self.pid = os.getpid()
        self._before = before
        self._answer = answer

    @classmethod
    def take(cls, run: RunPort) -> Descriptors:
        """Have another process read what is written from now on.

        Raises:
            OSError: that process cannot be started.
            ConfigurationError: the run is kept in memory, where no other process finds it.
        """
        environ = os.environ | _environment_of_reader(run)
        opened: list[int] = []

        def noted(*numbers: int) -> tuple[int, ...]:
            opened.extend(numbers)
            return numbers

        try:
            answer, told = noted(*os.pipe())
            before = [number for one in _NUMBERS for number in noted(os.dup(one))]
            ends = [noted(*open_ends(one)) for one in before]
            _start_reader([outer for outer, _ in ends], before, told, environ)
            opened.remove(told)
            os.close(told)
            if not _is_ready(answer):
                raise OSError("the process that is to read it did not start")
            flush_streams()
            for (_, inner), number in zip(ends, _NUMBERS, strict=True):
                os.dup2(inner, number)
            for kept in (answer, *before):
                opened.remove(kept)
        finally:
            for number in opened:
                os.close(number)
        return cls(run.id, before, answer)

    @property
    def is_read(self) -> bool:
        """Whether the other process is still there."""
        return not _has_said(self._answer, timeout_s=0)

    def give_back(self, *, timeout_s: float) -> None:
        """Have the descriptors as before, and wait until what was written has been handed on."""
        flush_streams()
        for before, number in zip(self._before, _NUMBERS, strict=True):
            os.dup2(before, number)
            os.close(before)
        _has_said(self._answer, timeout_s=timeout_s)
        os.close(self._answer)


def flush_streams() -> None:
    """Write what Python has kept of what was printed."""
    for stream in (sys.stdout, sys.stderr):
        with Swallowing(OSError, ValueError, AttributeError):  # closed, or not there
            stream.flush()


def encodings() -> tuple[str, str]:
    """Return the encodings of standard output and standard error; empty where a stream says none."""
    found = (getattr(stream, "encoding", None) for stream in (sys.stdout, sys.stderr))
    out, err = (one if isinstance(one, str) else "" for one in found)
    return out, err


def _environment_of_reader(run: RunPort) -> Mapping[str, str]:
    settings = run.pipeline.settings
    told = {
        "capture_output": "off",
        "capture_environment": "false",
        "system_metrics_s": "0",
        "otlp": "false",
        "quiet": "true",
        "redact_secrets": str(settings.redact_secrets),
        "exit_timeout_s": str(settings.exit_timeout_s),
    }
    return environment_of(run) | {SETTINGS[name].variable: text for name, text in told.items()}


def _start_reader(
    outers: Sequence[int], targets: Sequence[int], told: int, environ: Mapping[str, str]
) -> None:
    """Start the other process, whose parent ends at once.

    Raises:
        OSError: it cannot be started.
    """
    passed = [*outers, *targets, told]
    subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", READER_MODULE, *encodings(), str(os.getpid()), *map(str, passed)],
        pass_fds=passed,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        check=False,
    )


def _is_ready(answer: int) -> bool:
    return _has_said(answer, timeout_s=_START_S) and os.read(answer, 1) == _READY


def _has_said(answer: int, *, timeout_s: float) -> bool:
    """Wait until the other process has said something, or has ended; False when it has done neither in time."""
    waiting = select.poll()  # `select.select` takes no descriptor above 1023
    waiting.register(answer, select.POLLIN)
    return bool(waiting.poll(timeout_s * 1000))
