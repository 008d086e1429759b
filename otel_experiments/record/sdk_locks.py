"""The one lock of the SDK that a forked child cannot do without: that of a resource's attributes.

The SDK keeps attributes under a lock, and merges resources in the child (`TracerProvider` does, on every fork), while a
thread of the parent may have read them at that moment. The name is private to OpenTelemetry: where it is gone, so is
the lock, and `tests/contract/test_sdk_contract.py` says so.
"""

from __future__ import annotations

import threading
from typing import Any

from opentelemetry.sdk.resources import Resource

_LOCK = "_lock"


def renew_lock(resource: Resource) -> None:
    """Give the resource's attributes a new lock. Called in a forked child, which has one thread."""
    attributes: Any = resource.attributes  # the SDK's mapping
    if hasattr(attributes, _LOCK):
        setattr(attributes, _LOCK, threading.RLock())
