"""From the values that several runs have in one place to the pattern that a golden accepts there.

A value that some runs lack is optional; few values that repeat are a list; values that keep being new are open,
for the next run will have yet another one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from otel_experiments.golden.canonical.values import ANY, MAY_BE_ABSENT, Value, allows_absence, values_match
from otel_experiments.golden.match.content_diff import EXACT

_MAX_ALTERNATIVES: Final = 5
_LEAST_RUNS: Final = 3
"""Of fewer values nobody can tell whether they are all there are."""

Seen: TypeAlias = "Sequence[Value | None]"
"""What each run has in one place; None where it has nothing."""


def varies(seen: Seen) -> bool:
    """Whether runs differ in a place."""
    return len(_groups(seen)) > 1


def is_open(places: Sequence[Seen]) -> bool:
    """Whether the values of these places, which belong together, keep being new.

    They are where three values or more were seen and at least half of all that was seen was seen once: the chance
    that the next one is new is about that share. Source: Good, The population frequencies of species, 1953.
    """
    return any(map(_keeps_being_new, places)) or _keeps_being_new([one for seen in places for one in seen])


def pattern_of(seen: Seen, *, open_to_all: bool) -> Value | None:
    """Return what a golden accepts where runs have these values; None where none has any."""
    groups = [value for value, _ in _groups(seen) if value is not None]
    if not groups:
        return None
    if any(value == ANY for value in groups) or open_to_all or len(groups) > _MAX_ALTERNATIVES:
        groups = [ANY]
    flat = [one for value in groups for one in _choices(value)]
    is_optional = MAY_BE_ABSENT in flat or any(value is None for value in seen)
    choices = list(dict.fromkeys(one for one in flat if one != MAY_BE_ABSENT))
    if ANY in choices:
        choices = [ANY]
    if is_optional:
        choices.append(MAY_BE_ABSENT)
    return choices[0] if len(choices) == 1 else ("either", *choices)


def widened(value: Value | None, *, is_optional: bool) -> Value:
    """Return the pattern that takes any value, and none where the one before did or `is_optional`."""
    if is_optional or value is None or allows_absence(value):
        return ("either", ANY, MAY_BE_ABSENT)
    return ANY


def _choices(value: Value) -> Iterable[Value]:
    return value[1:] if isinstance(value, tuple) and value[0] == "either" else (value,)


def _keeps_being_new(seen: Seen) -> bool:
    counts = [count for value, count in _groups(seen) if value is not None]
    once = counts.count(1)
    return sum(counts) >= _LEAST_RUNS and len(counts) >= _LEAST_RUNS and 2 * once >= sum(counts)


def _groups(seen: Seen) -> list[tuple[Value | None, int]]:
    """Return the different values with how often each was seen; floats are equal but for their last bits."""
    counts: dict[Value | None, int] = {}
    for value in seen:
        counts[value] = counts.get(value, 0) + 1
    found: list[tuple[Value | None, int]] = []
    for value, count in counts.items():
        at = next((at for at, (other, _) in enumerate(found) if _is_same(other, value)), None)
        if at is None:
            found.append((value, count))
        else:
            found[at] = found[at][0], found[at][1] + count
    return found


def _is_same(one: Value | None, other: Value | None) -> bool:
    if one is None or other is None or not isinstance(one, tuple):
        return one == other
    return one[0] not in {"any", "near", "either"} and values_match(one, other, rtol=EXACT.rtol)
