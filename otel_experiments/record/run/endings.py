"""What an exception says of the run that it leaves: the state, the reason, and the type that is stored.

Ctrl-C, and a task that is cancelled, cancel a run; `sys.exit` with anything but 0 fails it, as every other exception does. A
generator that nobody asks for more has done what it was asked for.
"""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass

from otel_experiments.codec.text import shown, text_of
from otel_experiments.model.run import RunState
from otel_experiments.record.base.exceptions import error_type


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ends."""

    state: RunState
    reason: str = ""
    error: BaseException | None = None
    error_type: str = ""


def ending_of(error: BaseException | None, signal_name: str = "") -> Ending:
    """Return how a run ends whose body the exception left; None: the body came to its end.

    `signal_name` is the signal that the program handles itself: a `sys.exit` after it is a stop on request.
    """
    if error is None:
        return Ending(RunState.SUCCEEDED)
    if isinstance(error, SystemExit):
        return _ending_of_exit(error, signal_name)
    if isinstance(error, GeneratorExit):
        return Ending(RunState.SUCCEEDED, "the generator was closed")
    if _is_interrupt(error):
        return Ending(RunState.CANCELLED, KeyboardInterrupt.__name__, error, KeyboardInterrupt.__name__)
    if _is_cancellation(error):
        return Ending(
            RunState.CANCELLED, text_of(error) or type(error).__qualname__, error, error_type(error)
        )
    return Ending(RunState.FAILED, text_of(error), error, error_type(error))


def _ending_of_exit(error: SystemExit, signal_name: str) -> Ending:
    if signal_name:
        return Ending(RunState.CANCELLED, signal_name, error, error_type(error))
    if error.code is None or error.code == 0:
        return Ending(RunState.SUCCEEDED, "sys.exit(0)")
    return Ending(RunState.FAILED, f"sys.exit({shown(error.code)})", error, error_type(error))


def _is_interrupt(error: BaseException) -> bool:
    """Whether this is Ctrl-C, also where a group or the cancelled main task of an event loop stands for it."""
    if isinstance(error, BaseExceptionGroup):
        _, others = error.split(lambda one: isinstance(one, KeyboardInterrupt) or _is_cancellation(one))
        return others is None and error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt) or (_is_cancellation(error) and _is_loop_interrupted())


def _is_cancellation(error: BaseException) -> bool:
    for module, name in (("asyncio", "CancelledError"), ("trio", "Cancelled")):
        kind = getattr(sys.modules.get(module), name, None)
        if kind is not None and isinstance(error, kind):
            return True
    return False


def _is_loop_interrupted() -> bool:
    """Whether Ctrl-C came while `asyncio.run` was on: it cancels the main task, and raises only when that has ended.

    The one trace of it until then is a count in the `asyncio.Runner`, which is no public attribute; without it the run is
    cancelled all the same, for the reason `CancelledError`.
    """
    handler = signal.getsignal(signal.SIGINT)
    runner = getattr(getattr(handler, "func", None), "__self__", None)
    return bool(getattr(runner, "_interrupt_count", 0))
