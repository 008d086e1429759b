"""The one lock of the SDK that a forked child cannot do without: that of a resource's attributes.

The SDK keeps attributes under a lock, and merges resources in the child (`TracerProvider` does, on every fork), while a
thread of the parent may have read them at that moment. The name is private to OpenTelemetry: where it is gone, so is
the lock, and `tests/contract/test_sdk_contract.py` says so.
"""

from __future__ import annotations

import threading
from typing import Any, Final, TypeVar, cast

from opentelemetry.sdk.resources import Resource

Provider = TypeVar("Provider")
_LOCK = "_lock"
_fork_safe: Final[dict[type, type]] = {}


def renew_lock(resource: Resource) -> None:
    """Give the resource's attributes a new lock. Called in a forked child, which has one thread."""
    attributes: Any = resource.attributes  # the SDK's mapping
    if hasattr(attributes, _LOCK):
        setattr(attributes, _LOCK, threading.RLock())


def fork_safe(kind: type[Provider]) -> type[Provider]:
    """Return the class of a provider that only renews its locks in a forked child.

    The SDK's own starts threads there, for every provider that is alive, to describe the new process: a child of a process
    with threads may crash or hang by it. What a child records is its parent's run, and keeps its resource.
    """
    if kind not in _fork_safe:
        _fork_safe[kind] = type(kind.__name__, (kind,), {"_handle_fork": _renew_locks})
    return cast("type[Provider]", _fork_safe[kind])


def _renew_locks(self: object) -> None:
    for name in [name for name in vars(self) if name.endswith(_LOCK)]:
        setattr(self, name, threading.RLock())
