"""Items that have their run from elsewhere than their attributes: how an item that is read is found to be one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeVar

from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.store.semantics.identity import resource_hash, scope_hash

_Item = TypeVar("_Item", LogRecord, InstrumentPoint)


def as_given(
    item: _Item, hash_of: Callable[[_Item, str, str], str], stored: Mapping[str, int | None]
) -> _Item:
    """Return the item, with when it was given to its run where it came without one.

    `stored` has the hashes under which items are stored, and when those were attached.
    """
    if item.run_id is None:
        return item
    hashes = resource_hash(item.resource), scope_hash(item.scope)
    given = replace(item, given_ns=0)
    found = hash_of(given, *hashes)
    if found not in stored or hash_of(item, *hashes) in stored:
        return item
    return replace(item, given_ns=stored[found] or 0)
