"""Finding the application's global provider of a signal: whoever set it and when, and whatever wraps it.

A new provider is handed to what adopts it, once as long as it is the global one. What wraps an SDK provider is looked
through. Nothing is installed or replaced (decisions 0002 and 0013).
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.sdk_locks import is_of_a_run

_MAX_DEPTH: Final = 8
_WRAPS: Final = 2
"""Providers in the chain of one that wraps another, at least."""
_WRAPPED: Final = ("__wrapped__", "wrapped", "provider", "tracer_provider", "delegate")
"""The public names under which a provider that wraps another one has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKind:
    """What is known of the providers of one signal.

    `finder` returns a function that returns the global one, or None, in little time. `ask` asks OpenTelemetry's API,
    which also makes the one that `variable` names. `sdk_class` returns the SDK's class, None where nothing has imported it yet. `adopt` gives a
    provider what is `added`, by its public method `adder`. `let_go` takes it back from a provider that is the global one no more, and may
    be adopted again; None where nothing can be taken back.
    """

    name: str
    items: str
    added: str
    variable: str
    getter: str
    adder: str
    finder: Callable[[], Callable[[], object]]
    ask: Callable[[], object]
    sdk_class: Callable[[], type | None]
    adopt: Callable[[Any], None]  # a provider, which may be any object with the method
    let_go: Callable[[Any], None] | None = None


class ProviderWatch:
    """Adopts the global provider of one signal wherever it is another one than the last time.

    Attributes:
        find: returns the global provider.
        seen: what `find` returned the last time, or what it never returns, where it is to be looked at each time.
    """

    __slots__ = ("_adopted", "_chain", "_kind", "_lock", "_outer", "find", "seen")

    def __init__(self, kind: ProviderKind) -> None:
        self.find = kind.finder()
        self.seen: object = None
        self._kind = kind
        self._outer: object = None
        self._chain: list[object] = []
        self._adopted: list[Callable[[], object]] = []  # references, weak where they can be
        self._lock = threading.RLock()

    def look(self) -> None:
        """Adopt the global provider, unless it is adopted. Never raises."""
        try:
            self.find = self._kind.finder()
            self._look(self.find())
        except Exception as error:  # recording never raises into training code
            if is_interruption(error):
                raise
            self._tell_unseen(error)

    def ask(self) -> None:
        """Have OpenTelemetry's API make the provider that the environment names. Never raises."""
        if self._kind.variable not in os.environ:
            return
        try:
            self._kind.ask()
        except Exception as error:  # it is the application's to be told, when it asks
            if is_interruption(error):
                raise
            tell(logger, "There is no global %s: %r", self._kind.name, error, level=logging.DEBUG)

    def reset_in_child(self) -> None:
        """Replace the lock, which another thread of the parent may have held at the fork."""
        self._lock = threading.RLock()

    def _look(self, outer: object) -> None:
        with self._lock:
            chain = list(self._wrapped_by(outer))
            if (
                outer is self._outer
                and len(chain) == len(self._chain)
                and all(one is before for one, before in zip(chain, self._chain, strict=True))
            ):
                return
            self._outer, self._chain = outer, chain
            self._let_go_all_but(chain)
            self.seen = outer if len(chain) < _WRAPS else self  # what is wrapped may be exchanged at any time
            sdk_class = self._kind.sdk_class()
            providers = [one for one in chain if sdk_class is not None and issubclass(type(one), sdk_class)]
            if not providers:  # one that is no SDK provider, and takes what we add as if it were
                providers = [one for one in chain if callable(_get(one, self._kind.adder))][:1]
            for provider in providers:
                if not is_of_a_run(provider):
                    self._adopt(provider)

    def _wrapped_by(self, outer: object) -> Iterator[object]:
        """Yield a provider and what it wraps, from outside to inside."""
        seen: list[object] = []
        waiting = [outer]
        while waiting and len(seen) < _MAX_DEPTH:
            one = waiting.pop()
            if (
                one is None
                or any(one is before for before in seen)
                or not callable(_get(one, self._kind.getter))
            ):
                continue
            seen.append(one)
            yield one
            waiting.extend(_get(one, name) for name in reversed(_WRAPPED))

    def _adopt(self, provider: object) -> None:
        self._adopted[:] = [refer for refer in self._adopted if refer() is not None]
        if any(refer() is provider for refer in self._adopted):
            return
        try:
            self._adopted.append(weakref.ref(provider))
        except TypeError:
            self._adopted.append(lambda: provider)
        try:
            self._kind.adopt(provider)
        except Exception as error:  # as in `_get`
            if is_interruption(error):
                raise
            tell(
                logger,
                "The application's %s (%s) takes no %s (%r): its %s do not land in runs.",
                self._kind.name,
                type(provider).__name__,
                self._kind.added,
                error,
                self._kind.items,
            )

    def _let_go_all_but(self, chain: list[object]) -> None:
        if self._kind.let_go is None:
            return
        adopted, self._adopted = self._adopted, []
        for refer in adopted:
            provider = refer()
            if any(provider is one for one in chain):
                self._adopted.append(refer)
            elif provider is not None:
                self._kind.let_go(provider)

    def _tell_unseen(self, error: Exception) -> None:
        tell(logger, "The global %s was not looked at: %r", self._kind.name, error, level=logging.DEBUG)


_watches: Final[list[ProviderWatch]] = []


def watch_providers(*kinds: ProviderKind) -> None:
    """Look for the providers of these kinds from now on."""
    _watches.extend(map(ProviderWatch, kinds))


def look_again() -> None:
    """Adopt each global provider that is another one than the last time. Never raises.

    Called at the start of every scope: it is one comparison a signal, for a provider that is no wrapper.
    """
    for watch in _watches:
        if watch.find() is not watch.seen:
            watch.look()


def adopt_global_providers() -> None:
    """Adopt the global providers, also those that the environment names and nobody has asked for yet. Never raises."""
    for watch in _watches:
        watch.ask()
    look_again()


def _get(one: object, name: str) -> object:
    try:
        return getattr(one, name, None)
    except Exception as error:  # a foreign object may do anything
        if is_interruption(error):
            raise
        return None


def _reset_in_child() -> None:
    for watch in _watches:
        watch.reset_in_child()


at_fork(after_in_child=_reset_in_child)
