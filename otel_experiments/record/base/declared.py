"""Resources and scopes under short numbers, so that a journal frame need not repeat them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from otel_experiments.journal.encode import encode_resource, encode_scope
from otel_experiments.journal.writer import Declaration
from otel_experiments.model.span import Resource, Scope
from otel_experiments.semconv import attributes as attr

MOST_KNOWN: Final = 1024

Source = TypeVar("Source")
Value = TypeVar("Value")


class Reference(Generic[Source, Value]):
    """A resource or scope with the number it has in this process's journal.

    `source` is the SDK's object, kept so that its identity stays its own.
    """

    __slots__ = ("declaration", "number", "run_id", "source", "value")

    def __init__(
        self, source: Source, value: Value, number: int, declaration: Declaration, run_id: str | None
    ) -> None:
        self.source = source
        self.value = value
        self.number = number
        self.declaration = declaration
        self.run_id = run_id


class References:
    """The resources and scopes met so far, by the identity of the SDK's objects.

    Looking one up takes one dictionary access and no lock; `resources` and `scopes` map ids to references. When
    there are `MOST_KNOWN` of a kind all of them are forgotten: what is met again gets another number and is
    declared once more, and a process with any number of runs stays small.
    """

    def __init__(self) -> None:
        self._resource_numbers = itertools.count()
        self._scope_numbers = itertools.count()
        self.resources: dict[int, Reference[object, Resource]] = {}
        self.scopes: dict[int, Reference[object, Scope]] = {}
        self._lock = threading.RLock()

    def resource(self, source: object, convert: Callable[[], Resource]) -> Reference[object, Resource]:
        """Return the reference of the resource `source`, converting it the first time."""
        found = self.resources.get(id(source))
        if found is not None:
            return found
        value = convert()
        run_id = value.attributes.get(attr.ML_RUN_ID)
        with self._lock:
            number = next(self._resource_numbers)
            declaration = (("resource", number), lambda: encode_resource(number, value))
            made = Reference(source, value, number, declaration, run_id if isinstance(run_id, str) else None)
            if len(self.resources) >= MOST_KNOWN:
                self.resources.clear()
            self.resources[id(source)] = made
        return made

    def scope(self, source: object, convert: Callable[[], Scope]) -> Reference[object, Scope]:
        """Return the reference of the scope `source`, converting it the first time."""
        found = self.scopes.get(id(source))
        if found is not None:
            return found
        value = convert()
        with self._lock:
            number = next(self._scope_numbers)
            declaration = (("scope", number), lambda: encode_scope(number, value))
            made = Reference(source, value, number, declaration, None)
            if len(self.scopes) >= MOST_KNOWN:
                self.scopes.clear()
            self.scopes[id(source)] = made
        return made

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()
