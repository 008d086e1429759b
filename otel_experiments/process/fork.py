"""What this package does when the process forks: one hook, over everything that asks for a call.

Functions are called in the order in which they asked, those before the fork in the opposite one, as `os.register_at_fork`
does it. What one raises keeps none of the others from its call. Instances are known by weak references, so that whatever
asks may be freed. Where processes cannot fork there is no hook, and nothing else changes.

A forked child imports nothing. Another thread of the parent may be in the middle of an import when the process forks. The
child then has a half imported module and the lock of a thread that is not there, and waits for it for ever. So what a child
may need is imported in the parent when it forks (`subprocess` and `posix_spawn` do not), once. What is named for it must
start no thread and register no handler of forks at its import: other such handlers hold their locks already (that of
`concurrent.futures` is one). `logging` is imported here, before the hook is registered, so that the hook comes before that
of `logging`, which takes the lock that a module of another thread's import may wait for.
"""

from __future__ import annotations

import importlib
import itertools
import logging  # noqa: F401 - for its own hook to be registered before ours
import os
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Generic, TypeVar

from otel_experiments.process.interruption import is_interruption

Call = Callable[[], None]
Instance = TypeVar("Instance")

_before: Final[list[Call]] = []
_in_parent: Final[list[Call]] = []
_in_child: Final[list[Call]] = []
_needed: list[str] = []
_imported: set[str] = set()


def at_fork(
    *, before: Call | None = None, after_in_parent: Call | None = None, after_in_child: Call | None = None
) -> None:
    """Have these called at every fork of the process, for good: functions of a module, say."""
    for call, calls in ((before, _before), (after_in_parent, _in_parent), (after_in_child, _in_child)):
        if call is not None:
            calls.append(call)


class ResetInChild(Generic[Instance]):
    """The instances of a class that `reset` makes usable in a forked child, in the order in which they were added.

    An instance is forgotten when nothing else refers to it.
    """

    def __init__(self, reset: Callable[[Instance], None]) -> None:
        self._reset = reset
        self._instances: dict[int, weakref.ref[Instance]] = {}
        at_fork(after_in_child=self._reset_all)

    def add(self, instance: Instance) -> None:
        """Reset this one, too."""
        key, instances = id(instance), self._instances
        instances[key] = weakref.ref(instance, lambda _: instances.pop(key, None))

    def __len__(self) -> int:
        return len(self._instances)

    def alive(self) -> list[Instance]:
        """Return the instances that are still in use."""
        found = [refer() for refer in list(self._instances.values())]
        return [one for one in found if one is not None]

    def _reset_all(self) -> None:
        _call_all(partial(self._reset, one) for one in self.alive())


def _call_all(calls: Iterator[Call]) -> None:
    is_done = False
    try:
        for call in calls:
            call()
        is_done = True
    finally:
        if not is_done:
            _call_all(calls)


def need_in_children(*modules: str) -> None:
    """Have these modules imported when the process forks for the first time."""
    _needed.extend(module for module in modules if module not in _needed)


def _import_needed() -> None:
    if not _needed:
        return
    for name in _needed:
        if name not in _imported:
            _imported.add(name)
            _import(name)


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except Exception as error:  # what is not there, or fails, is missing in the parent as well
        if is_interruption(error):
            raise


def _before_fork() -> None:
    _call_all(
        itertools.chain((_import_needed,), reversed(_before))
    )  # an import waits for threads: no lock is held yet


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=lambda: _call_all(iter(_in_parent)),
        after_in_child=lambda: _call_all(iter(_in_child)),
    )
