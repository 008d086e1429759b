"""The items of an OTLP/JSON document with their resources and scopes, each read so that errors name it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from otel_experiments.codec.incoming.json_values import (
    SOURCE,
    UNREADABLE,
    Dialect,
    Document,
    items,
    json_kind,
    resource_of,
    scope_of,
)
from otel_experiments.codec.incoming.refusals import Refusals, RefusedItem, named, refuse
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.signal import Signal
from otel_experiments.model.span import Resource, Scope
from otel_experiments.process.interruption import pass_on

_Made = TypeVar("_Made")

_KEYS: Final[dict[Signal, tuple[str, str, str]]] = {
    "traces": ("resourceSpans", "scopeSpans", "spans"),
    "metrics": ("resourceMetrics", "scopeMetrics", "metrics"),
    "logs": ("resourceLogs", "scopeLogs", "logRecords"),
}
"""Of the groups by resource, of those by scope, and of what is in them."""
_WITH_NAMES: Final = frozenset(("span", "log record", "metric"))
"""What has a name that an error can give."""


def unread_keys(document: Document, signal: Signal) -> str:
    """Return what is to be said of a request that has keys, and none of its signal; nothing for any other.

    The specification has keys that are not known ignored.
    """
    wanted = _KEYS[signal][0]
    if not document or wanted in document:
        return ""
    other = next((name for name, keys in _KEYS.items() if keys[0] in document), None)
    if other is not None:
        return f"Nothing was found in the request: it holds {other}, and was sent as {signal}. Send it to /v1/{other}."
    shown = ", ".join(f"{key[:40]!r}" for key in list(document)[:3]) + (", ..." if len(document) > 3 else "")
    return f"Nothing was found in the request: its keys are {shown}, and none is {wanted!r}. Name it so."


def items_of(
    document: Document, signal: Signal, dialect: Dialect
) -> Iterator[tuple[Document, Resource, Scope]]:
    """Yield spans, metrics or log records as they are, with resource and scope; nothing when there are others.

    Raises:
        TelemetryDecodeError: groups, a resource or a scope are not what OTLP says.
    """
    groups_key, parts_key, items_key = _KEYS[signal]
    groups = _read("document", document, lambda found: items(found, groups_key))
    if not groups and signal == "traces" and dialect.accepts_variants:
        groups = _read("document", document, lambda found: items(found, "batches"))
    for group in groups:
        resource, parts = _read("resource", group, partial(_group, key=parts_key, dialect=dialect))
        for part in parts:
            scope, held = _read("scope", part, partial(_part, key=items_key, dialect=dialect))
            for item in held:
                yield item, resource, scope


def _group(group: Document, key: str, dialect: Dialect) -> tuple[Resource, Sequence[Any]]:  # JSON
    parts = items(group, key)
    if not parts and dialect.accepts_variants:
        parts = items(group, "instrumentationLibrarySpans")
    return resource_of(group), parts


def _part(part: Document, key: str, dialect: Dialect) -> tuple[Scope, Sequence[Any]]:  # JSON
    return scope_of(part, dialect), items(part, key)


def read_item(
    kind: str, item: Any, read: Callable[[Any], _Made], refusals: Refusals | None
) -> _Made | None:  # JSON
    """Return what is read from an item; None where it cannot be kept.

    Raises:
        TelemetryDecodeError: the item is not what OTLP says, or cannot be kept while `refusals` is None.
    """
    try:
        return _read(kind, item, read)
    except RefusedItem as exc:
        refuse(f"{_named(kind, item)} has {exc}", refusals, source=SOURCE)
        return None


def _read(kind: str, item: Any, read: Callable[[Any], _Made]) -> _Made:  # as above
    if not isinstance(item, Mapping):
        raise TelemetryDecodeError(
            source=SOURCE, found=f"{json_kind(item)} where the object of a {kind} should be"
        )
    try:
        return read(item)
    except RefusedItem:
        raise
    except UNREADABLE as exc:
        pass_on(exc)
        raise TelemetryDecodeError(
            source=SOURCE, found=f"{_named(kind, item)} cannot be read: {_what(exc)}"
        ) from exc


def _what(error: Exception) -> str:
    """Return what was found, in the words of JSON and not of Python."""
    if isinstance(error, KeyError):
        return f"no {error}"
    if isinstance(error, AttributeError):  # of what was taken for an object
        return f"{json_kind(error.obj)} where an object should be"
    return str(error)


def _named(kind: str, item: object) -> str:
    if kind not in _WITH_NAMES:
        return f"a {kind}"
    name = item.get("name") or item.get("eventName") if isinstance(item, Mapping) else ""
    return named(kind, name)
