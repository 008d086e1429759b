"""What `run.log` is given beside numbers, and that is kept all the same: where it goes, and at which step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from otel_experiments.codec.text import text_of
from otel_experiments.errors import InvalidNameError
from otel_experiments.model.metric import SeriesKey
from otel_experiments.record.base.names import clean_name

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.metrics.keysets import Keysets


class MediaKeeper(Protocol):
    """Where values go that are no numbers."""

    def takes(self, value: object) -> bool:
        """Tell whether it keeps such a value."""
        ...

    def keep(self, name: str, value: object, step: float, phase: str | None, time_ns: int | None) -> None:
        """Keep a value at a step, of a time (None: now); whatever goes wrong is counted and told."""
        ...


class OtherValues:
    """Hands on what is no number.

    Attributes:
        keeper: takes the values; without one they are losses.
    """

    def __init__(self, guard: RunGuard, keysets: Keysets) -> None:
        self._guard = guard
        self._keysets = keysets
        self.keeper: MediaKeeper | None = None

    def takes(self, value: object) -> bool:
        """Tell whether a value that is no number is kept."""
        return self.keeper is not None and self.keeper.takes(value)

    def keep(
        self, values: Mapping[Any, Any], step: float | None, phase: str | None, time_ns: int | None
    ) -> None:
        """Keep values at a step, else each at the next step of its name, which steps of numbers and media count up."""
        if self.keeper is None:
            return
        for name, value in values.items():
            try:
                key = SeriesKey(clean_name(name, "name of media"), phase or "")
            except InvalidNameError as error:
                self._guard.lost("media name", f"{error} What it names is lost", name=text_of(name))
                continue
            if step is not None:
                self._keysets.reach_step(key, step)
            at = self._keysets.take_step(key) if step is None else step
            self.keeper.keep(key.name, value, at, phase, time_ns)
