"""The meter that user code gets: the SDK's, and in a forked child one that does nothing.

Nobody collects what instruments of a forked child are told, and their locks may be held for ever: by a thread of the
parent that was in the middle of a measurement. So a child's measurements are dropped, and that is told once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.metrics import Counter, Histogram, Meter, UpDownCounter

if TYPE_CHECKING:
    from opentelemetry.metrics import (
        ObservableCounter,
        ObservableGauge,
        ObservableUpDownCounter,
    )

IsRefused = Callable[[str], bool]
"""Tells, of an instrument's name, whether nothing is to be measured here; and whoever is to know it."""


class _Measured:
    """An instrument of the SDK, unless this is a forked child."""

    __slots__ = ("_inner", "_is_refused", "_name")

    def __init__(
        self, inner: Any, name: str, is_refused: IsRefused
    ) -> None:  # inner: an instrument of any kind
        self._inner = inner
        self._name = name
        self._is_refused = is_refused

    def add(self, *arguments: Any, **named: Any) -> None:  # the API's arguments, here and below
        """Add to a counter."""
        if not self._is_refused(self._name):
            self._inner.add(*arguments, **named)

    def record(self, *arguments: Any, **named: Any) -> None:
        """Record into a histogram."""
        if not self._is_refused(self._name):
            self._inner.record(*arguments, **named)

    def set(self, *arguments: Any, **named: Any) -> None:
        """Set a gauge."""
        if not self._is_refused(self._name):
            self._inner.set(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@Counter.register
class _Counter(_Measured):
    __slots__ = ()


@UpDownCounter.register
class _UpDownCounter(_Measured):
    __slots__ = ()


@Histogram.register
class _Histogram(_Measured):
    __slots__ = ()


class ForkSafeMeter(Meter):
    """Makes instruments of the SDK that a forked child may use without a wait."""

    def __init__(self, inner: Meter, idle: Meter, is_refused: IsRefused) -> None:
        super().__init__(inner.name, inner.version, inner.schema_url)
        self._inner = inner
        self._idle = idle
        self._is_refused = is_refused

    def _here(self, name: str) -> Meter:
        return self._idle if self._is_refused(name) else self._inner

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Counter:
        """Make a counter."""
        made = self._here(name).create_counter(name, unit, description)
        return cast("Counter", _Counter(made, name, self._is_refused))

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> UpDownCounter:
        """Make an up-down counter."""
        made = self._here(name).create_up_down_counter(name, unit, description)
        return cast("UpDownCounter", _UpDownCounter(made, name, self._is_refused))

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        **more: Any,  # what later versions of the API add
    ) -> Histogram:
        """Make a histogram."""
        made = self._here(name).create_histogram(name, unit, description, **more)
        return cast("Histogram", _Histogram(made, name, self._is_refused))

    def create_gauge(
        self, name: str, unit: str = "", description: str = ""
    ) -> Any:  # the API's private class
        """Make a gauge."""
        return _Measured(self._here(name).create_gauge(name, unit, description), name, self._is_refused)

    def create_observable_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableCounter:
        """Make an observable counter."""
        return self._here(name).create_observable_counter(name, callbacks, unit, description)

    def create_observable_up_down_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableUpDownCounter:
        """Make an observable up-down counter."""
        return self._here(name).create_observable_up_down_counter(name, callbacks, unit, description)

    def create_observable_gauge(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> ObservableGauge:
        """Make an observable gauge."""
        return self._here(name).create_observable_gauge(name, callbacks, unit, description)
