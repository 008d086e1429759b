"""What `run.log` is given, looked at with care: numbers, what else is kept, names that can be used, steps that are numbers.

Nothing here raises into training code; what cannot be recorded is counted and told once for its name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from otel_experiments.codec.number import NO_NUMBERS, PLAIN, number_of, why_none
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import InvalidNameError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.other_trackers import tell_without_effect
from otel_experiments.record.metrics.behind import clone, is_on_a_device

if TYPE_CHECKING:
    from otel_experiments.record.base.guard import RunGuard
    from otel_experiments.record.metrics.other_values import OtherValues

EPOCH_METRIC: Final = "epoch"
"""The series that `epoch=` goes to: a metric of its own, so that it can be an axis."""
_Value = TypeVar("_Value")
_MAX_NESTING: Final = 8
_NEVER_KEPT: Final = NO_NUMBERS - {list, tuple}
"""Types that are neither numbers nor media, nor lists of them: nothing is asked about their values."""


class GivenPoints:
    """Sorts what calls were given, for one run."""

    def __init__(self, guard: RunGuard, others: OtherValues) -> None:
        self._guard = guard
        self._others = others

    def with_more(self, values: Any, epoch: Any, sync: object) -> Any:
        """Return the values with the metric `epoch` among them, and tell of an argument that does nothing."""
        tell_without_effect("run.log", {"sync": sync})
        if epoch is None or not isinstance(values, Mapping):
            return values
        with self._guard:
            given = values.get(EPOCH_METRIC, epoch)
            if given is not epoch and given != epoch:
                self._guard.lost(
                    "metric value",
                    f"Metric {EPOCH_METRIC!r} came twice in one call: {shown(given)} among the values is lost, "
                    f"epoch={shown(epoch)} is kept",
                    name=EPOCH_METRIC,
                )
            return {**values, EPOCH_METRIC: epoch}
        return values

    def gather(
        self,
        values: Mapping[Any, Any],
        prefix: str,
        numbers: dict[Any, float],
        others: dict[Any, Any],
        deferred: dict[Any, Any] | None = None,
        depth: int = 0,
    ) -> None:
        """Sort a mapping into numbers and what else is kept; below nested ones the names are dotted, as those of params.

        Where there is a mapping for what is `deferred`, clones of numbers that are on a device go there.
        """
        for name, value in values.items():
            full = f"{prefix}{text_of(name)}" if prefix else name
            kind = type(value)
            if kind not in PLAIN and depth < _MAX_NESTING and _is_nested(value):
                try:
                    self.gather(value, f"{text_of(full)}.", numbers, others, deferred, depth + 1)
                except Exception as error:  # any object may be passed, and any may raise
                    if is_interruption(error):
                        raise
                    text = f"The mapping {shown(full)} raised {type(error).__name__} when it was read; the rest of it is lost"
                    self._guard.lost("metric value", text, name=text_of(full), error=error)
                continue
            if deferred is not None and kind not in PLAIN and self._take_clone(full, value, deferred):
                continue
            number = float(value) if kind is float or kind is bool else self._number(full, value, others)
            if number is None:
                continue
            if full in numbers:
                self._guard.lost(
                    "metric value",
                    lambda full=full: (  # type: ignore[misc] # mypy knows no type of a default
                        f"Metric {shown(full)} came twice in one call, by its dotted name and nested; the first value "
                        "is lost. Give them two names"
                    ),
                    name=text_of(full),
                )
            numbers[full] = number

    def _take_clone(self, name: object, value: Any, deferred: dict[Any, Any]) -> bool:
        """Clone a value where it is, if it is on a device; tell whether it was."""
        try:
            if not is_on_a_device(value):
                return False
            deferred[name] = clone(value)
        except Exception as error:  # as above
            if is_interruption(error):
                raise
            return False  # the other way tells what is wrong with it
        return True

    def _number(self, name: object, value: Any, others: dict[Any, Any]) -> float | None:
        kind = type(value)
        if kind not in NO_NUMBERS:
            try:
                return number_of(value)
            except Exception as error:  # any object may be passed, and any may raise
                if is_interruption(error):
                    raise
        if kind not in _NEVER_KEPT:
            try:
                if self._others.takes(value):
                    others[name] = value
                    return None
            except Exception as error:  # as above
                if is_interruption(error):
                    raise
        self._guard.lost("metric value", lambda: _why_lost(name, value), name=text_of(name))
        return None

    def usable(self, numbers: Mapping[Any, _Value]) -> dict[Any, _Value]:
        """Return the numbers whose names can be used, each name once; count and tell the others."""
        usable: dict[Any, _Value] = {}
        seen: set[str] = set()
        for name, number in numbers.items():
            try:
                cleaned = clean_name(name, "metric name")
            except InvalidNameError as error:
                text = f"{error} The points are lost"
                self._guard.lost("metric name", text, name=text_of(name))
                continue
            if cleaned in seen:
                text = f"Two names of one call are both recorded as {cleaned!r}; the second value is lost"
                self._guard.lost("metric name", text, name=cleaned)
                continue
            seen.add(cleaned)
            usable[name] = number
        return usable

    def usable_phase(self, phase: object) -> str | None:
        """Return the phase, or None for one that cannot be used: the points are kept."""
        if phase is None or phase == "":
            return None
        try:
            clean_name(phase, "phase")
        except InvalidNameError as error:
            self._guard.lost("phase", f"{error} The points are kept without a phase", name=text_of(phase))
            return None
        return cast("str", phase)


def _is_nested(value: object) -> bool:
    try:
        return isinstance(value, Mapping) and bool(value)
    except Exception as error:  # any object may be passed, and any may raise
        if is_interruption(error):
            raise
        return False


def _why_lost(name: object, value: object) -> str:
    try:
        what = f"not a {'float' if isinstance(value, int) else 'number'}: {shown(value)}, of type {type(value).__name__}"
        advice = why_none(value)
    except Exception as error:  # as above
        if is_interruption(error):
            raise
        what = f"no number, and raised {type(error).__name__} when it was looked at"
        advice = "log one number of it"
    return f"The value of metric {shown(name)} is {what}. It is lost, the other values of the call are kept; {advice}"


def checked_step(step: Any, guard: RunGuard) -> float | None:
    """Return a step as it is recorded; None, and a loss, for one that is no finite number."""
    if step is None:
        return None
    try:
        checked = number_of(step)
        if math.isfinite(checked):
            return checked
    except Exception as error:  # any object may be passed, and any may raise
        if is_interruption(error):
            raise
        checked = math.nan
    guard.lost(
        "metric step",
        lambda: (
            f"The step {shown(step)} is not a finite number; the points keep their value and get the next step"
        ),
    )
    return None


def is_true(value: Any) -> bool:  # whatever was passed for a truth value
    """Return the truth value of anything; what cannot be asked counts as true."""
    try:
        return bool(value)
    except Exception as error:  # any object may be passed, and any may raise
        if is_interruption(error):
            raise
        return True
