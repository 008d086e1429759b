"""The SDK's locks where they would be waited for for ever: in a forked child, and in a signal handler.

The SDK keeps attributes under a lock, and merges resources in the child (`TracerProvider` does, on every fork), while a
thread of the parent may have read them at that moment. Its providers and meters have locks that the same thread cannot
take twice: a signal handler, or `__del__`, that comes in the middle and asks for a meter would hang. The names are
private to OpenTelemetry: where one is gone, so is the lock, and `tests/contract/test_sdk_contract.py` says so.
"""

from __future__ import annotations

import sys
import threading
from types import FrameType
from typing import Any, Final, TypeVar, cast

from opentelemetry.sdk.resources import Resource

Provider = TypeVar("Provider")
Made = TypeVar("Made")
_LOCK = "_lock"
_SDK_METRICS: Final = "opentelemetry.sdk.metrics."
_CONSUME: Final = "consume_measurement"
_fork_safe: Final[dict[type, type]] = {}


def renew_lock(resource: Resource) -> None:
    """Give the resource's attributes a new lock. Called in a forked child, which has one thread."""
    attributes: Any = resource.attributes  # the SDK's mapping
    if hasattr(attributes, _LOCK):
        setattr(attributes, _LOCK, threading.RLock())


def fork_safe(kind: type[Provider]) -> type[Provider]:
    """Return the class of a provider whose locks its thread can take twice, and which only renews them in a child.

    The SDK's own starts threads there, for every provider that is alive, to describe the new process: a child of a process
    with threads may crash or hang by it. What a child records is its parent's run, and keeps its resource.
    """
    if kind not in _fork_safe:
        made = type(kind.__name__, (kind,), {"__init__": _set_up, "_handle_fork": _renew_all_locks})
        _renew_locks_of_class(made)
        _fork_safe[kind] = made
    return cast("type[Provider]", _fork_safe[kind])


def is_of_a_run(provider: object) -> bool:
    """Tell whether a provider is a run's, which records by itself and is not adopted where it is the global one."""
    return type(provider) in _fork_safe.values()


def is_measuring() -> bool:
    """Tell whether this thread is inside an instrument of the SDK: it may hold a lock that a collection waits for.

    A signal handler or `__del__` that comes in the middle of a measurement and flushes is there. What was measured comes
    with the next collection.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the documented way; inspect takes 10 ms to import
    while frame is not None:
        if frame.f_code.co_name == _CONSUME and frame.f_globals.get("__name__", "").startswith(_SDK_METRICS):
            return True
        frame = frame.f_back
    return False


def renew_locks(made: Made) -> Made:
    """Give a provider or meter locks that its thread can take twice, and return it; nobody may hold the old ones."""
    for name in [name for name in vars(made) if name.endswith(_LOCK)]:
        setattr(made, name, threading.RLock())
    return made


def _set_up(self: object, *arguments: object, **named: object) -> None:
    kind: Any = super(type(self), self)
    kind.__init__(*arguments, **named)
    renew_locks(self)


def _renew_all_locks(self: object) -> None:
    renew_locks(self)
    _renew_locks_of_class(type(self))


def _renew_locks_of_class(kind: type) -> None:
    """Give the class locks of its own where those that it inherits are shared by all providers."""
    for name in [name for name in dir(kind) if name.endswith(_LOCK)]:
        setattr(kind, name, threading.RLock())
