"""Which run is current: the one in the OpenTelemetry context, else the only one active in this process."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import context as context_api

from otel_experiments.process.bytecode import begins_uninterrupted
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort

_logger: Final = logging.getLogger("otel_experiments")
RUN_KEY: Final = context_api.create_key("otel-experiments-run")

active_runs: Final[dict[str, RunPort]] = {}
"""The runs started and not finished in this process, by id, oldest first."""

silent_runs: Final[dict[str, RunPort]] = {}
"""The runs started and not finished in this process while recording was switched off, by id, oldest first."""

ended_inside: Final[set[str]] = set()
"""The runs that have ended while a block of theirs was on, so that a context may still name them."""


@begins_uninterrupted
def detach(token: Any) -> None:  # what `attach` returned; its class depends on the context implementation
    """Make current again what was current before the context was attached that `token` stands for.

    The variable is reset directly: OpenTelemetry's `detach` swallows every exception, a signal handler's too.
    A context that was attached elsewhere (another task, a generator closed late) is left as it is.
    """
    try:
        token.var.reset(token)  # the first call, and of C: no signal is handled before it has done its work
    except AttributeError as error:  # another context implementation, chosen by OTEL_PYTHON_CONTEXT
        if is_interruption(error):
            raise
        context_api.detach(token)
    except (RuntimeError, ValueError) as error:
        if is_interruption(error):
            raise
        tell(_logger, "A span was left in another context than it was opened in.", level=logging.DEBUG)


@begins_uninterrupted
def restore(token: Any, here: context_api.Context) -> None:  # as above
    """Make `here` current again, whether attaching another context came to its end and gave a token or not."""
    if token is not None:
        detach(token)
    elif context_api.get_current() is not here:
        context_api.attach(here)


def find_run(context: context_api.Context | None = None) -> RunPort | None:
    """Return the run that is current in `context` (by default the caller's).

    None when there is no run, or several and the context names none of them.
    """
    run: Any = (context_api.get_current() if context is None else context).get(RUN_KEY)
    if run is not None and run.id in active_runs:
        return run  # type: ignore[no-any-return] # a Run, set by us
    if len(active_runs) == 1:
        try:
            return next(iter(active_runs.values()))
        except (StopIteration, RuntimeError):  # another thread finished it meanwhile
            return None
    return None


def find_silent_run() -> RunPort | None:
    """Return the run that would be current for the caller if recording were not switched off.

    The one in the context, else the one that started last; nothing is recorded, so that any of them will do.
    """
    if not silent_runs:
        return None
    run = cast("RunPort | None", context_api.get_value(RUN_KEY))
    if run is not None and run.id in silent_runs:
        return run
    return next(reversed(list(silent_runs.values())), None)


def refuse_span() -> None:
    """Count a span that comes where the current run has ended."""
    run = cast("RunPort | None", context_api.get_value(RUN_KEY)) if ended_inside else None
    if run is not None and run.id in ended_inside:
        run.gate.refuse("span")
