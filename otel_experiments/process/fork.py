"""What is imported before a fork, so that a forked child imports nothing.

Another thread of the parent may be in the middle of an import when the process forks. The child then has a half imported
module and the lock of a thread that is not there, and waits for it for ever. So what a child may need is imported in the
parent when it forks (`subprocess` and `posix_spawn` do not), once.

What is named here must start no thread and register no handler of forks at its import: other such handlers hold their
locks already (that of `concurrent.futures` is one).
"""

from __future__ import annotations

import importlib
import os

from otel_experiments.process.interruption import is_interruption

_needed: list[str] = []
_imported: set[str] = set()


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


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_import_needed)
