"""When output is taken for a run, and how: as the setting `capture_output` says."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from otel_experiments.codec.text import text_of
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.output import streams

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort
    from otel_experiments.record.output.descriptors import Descriptors

_taken: Descriptors | None = None


def take_output(run: RunPort) -> None:
    """Record what is printed from now on, where the run's settings ask for it. Raises nothing of its own."""
    if run.pipeline.settings.capture_output == "fd" and run.pipeline.has_telemetry:
        _take_descriptors(run)
    streams.take_streams(run)


def leave_output(run: RunPort) -> None:
    """Write down what is left of a run's lines, and have everything as before when no run needs it."""
    streams.leave_streams(run)
    if _taken is not None and _taken.run_id == run.id:
        _give_back(timeout_s=run.pipeline.settings.exit_timeout_s)


def look_after_output() -> None:
    """See whether the program has other streams, and whether the process that reads its descriptors is still there."""
    if _taken is not None and _taken.pid == os.getpid() and not _taken.is_read:
        _give_back(timeout_s=0.0)
        tell(
            logger,
            "The process that reads standard output and standard error has ended: no more of them is recorded",
        )
    streams.look_again()


def _take_descriptors(run: RunPort) -> None:
    global _taken  # noqa: PLW0603 - the process has one standard output
    if _taken is not None:  # it is another run's, or was taken before a fork
        return
    try:
        from otel_experiments.record.output.descriptors import Descriptors  # noqa: PLC0415 - few want it

        _taken = Descriptors.take(run)
    except Exception as error:  # no terminal, no process, no pipe
        if is_interruption(error):
            raise
        streams.copy_instead(run)
        tell(
            logger,
            "The descriptors of standard output and standard error cannot be taken, so output of children is not recorded: %s",
            text_of(error),
        )


def _give_back(*, timeout_s: float) -> None:
    global _taken
    taken, _taken = _taken, None
    if taken is not None and taken.pid == os.getpid():
        taken.give_back(timeout_s=timeout_s)
