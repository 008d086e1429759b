"""Which exceptions are the program's own: those that reach our code from outside, by a signal or from another thread.

Recording swallows what its own code and the values it is given raise. But a signal handler runs wherever its thread
is at that moment, so what it raises (a timeout by `signal.alarm`, a graceful stop) comes up in the middle of our
code as if we had raised it, and a `TimeoutError` looks like an error of the disk. It is told apart by where it comes
from: the interpreter calls a handler with the frame that it interrupted, so in the traceback the handler's frame is
the one that got its caller as an argument. Nothing is done, and nothing costs anything, unless something is raised.

Every broad `except` on a path that user code calls begins with `if is_interruption(error): raise`; a contract test
holds that.
"""

from __future__ import annotations

import opcode
from types import CodeType, FrameType, TracebackType
from typing import Any, Final

_INTERRUPTIBLE: Final = frozenset(opcode.opmap[name] for name in ("RESUME", "JUMP_BACKWARD"))
"""Instructions that raise nothing of their own: the interpreter looks for signals there."""
_RAISING: Final = frozenset(
    opcode.opmap[name] for name in ("RAISE_VARARGS", "RERAISE") if name in opcode.opmap
)
_CO_VARARGS: Final = 0x04
_CO_VARKEYWORDS: Final = 0x08
"""As `inspect` has them, whose import takes milliseconds."""
_BARE: Final = (AssertionError, MemoryError, StopIteration, StopAsyncIteration, EOFError, SystemExit)
"""What the interpreter and C code raise without arguments."""


def is_interruption(error: BaseException) -> bool:
    """Tell whether the exception is the program's own, to be raised again, and no failure of what was being done.

    True for what a signal handler or a trace function raised, for what another thread threw into this one, and for
    KeyboardInterrupt, SystemExit and whatever else is no Exception.
    """
    return not isinstance(error, Exception) or came_from_outside(error)


def came_from_outside(error: BaseException) -> bool:
    """Tell whether no code that was called raised it, but a signal handler, a trace function or another thread."""
    trace = error.__traceback__
    if trace is None:
        return False
    while trace.tb_next is not None:
        caller, trace = trace.tb_frame, trace.tb_next
        if _is_handler(trace.tb_frame, caller):
            return True
    return _came_from_nowhere(error, trace)


def pass_on(error: BaseException) -> None:
    """Raise the exception again if it is the program's own: the first line of an `except` that is for errors of ours."""
    if is_interruption(error):
        raise error


class Swallowing:
    """Swallow errors of the given kinds, as `contextlib.suppress` does, but none that is the program's own."""

    def __init__(self, *kinds: type[Exception]) -> None:
        self._kinds = kinds

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow what is of the kinds."""
        return isinstance(error, self._kinds) and not is_interruption(error)


def _is_handler(frame: FrameType, caller: FrameType) -> bool:
    """Tell whether the interpreter called the frame's function because of a signal, and not `caller` itself."""
    code = frame.f_code
    count = (
        code.co_argcount
        + code.co_kwonlyargcount
        + bool(code.co_flags & _CO_VARARGS)
        + bool(code.co_flags & _CO_VARKEYWORDS)
    )
    if not count:
        return False
    found = frame.f_locals
    for name in code.co_varnames[:count]:
        value = found.get(name)
        if value is caller or (type(value) is tuple and any(part is caller for part in value)):
            return True
    return code in _handler_codes()  # its arguments may be deleted by now


def _handler_codes() -> set[CodeType]:
    import signal  # noqa: PLC0415 - who records has it; who reads does not pay for its enumerations

    codes: set[CodeType] = set()
    for number in signal.valid_signals():
        handler: Any = signal.getsignal(number)
        while hasattr(handler, "func"):  # a partial
            handler = handler.func
        if not callable(handler):
            continue
        for found in (handler, type(handler).__call__):
            code = getattr(getattr(found, "__func__", found), "__code__", None)
            if isinstance(code, CodeType):
                codes.add(code)
    return codes


def _came_from_nowhere(error: BaseException, last: TracebackType) -> bool:
    """Tell whether no instruction of the innermost frame raised the error.

    That is how an exception looks that another thread has thrown (`PyThreadState_SetAsyncExc`): it has no frame of
    its own and, being made by the interpreter, no arguments.
    """
    code = last.tb_frame.f_code.co_code
    instruction = code[last.tb_lasti] if 0 <= last.tb_lasti < len(code) else -1
    if instruction in _INTERRUPTIBLE:
        return True
    return not error.args and instruction not in _RAISING and not isinstance(error, _BARE)
