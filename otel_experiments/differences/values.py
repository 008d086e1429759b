"""Two mappings of typed values compared: params, packages, facts of a machine."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest

from otel_experiments.differences.difference import Difference, Section


def are_equal(a: object, b: object) -> bool:
    """Tell whether two values are the same in value and in type; NaN is the same as NaN."""
    if type(a) is not type(b):
        both_lists = isinstance(a, list | tuple) and isinstance(b, list | tuple)
        both_maps = isinstance(a, Mapping) and isinstance(b, Mapping)
        if not (both_lists or both_maps):
            return False
    if isinstance(a, float) and isinstance(b, float):
        return a == b or (math.isnan(a) and math.isnan(b))
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return a.keys() == b.keys() and all(are_equal(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str | bytes):
        missing = object()
        return all(are_equal(one, other) for one, other in zip_longest(a, b, fillvalue=missing))
    return a == b


def is_type_alone(a: object, b: object) -> bool:
    """Tell whether two values differ in their type and in nothing else: 1 and 1.0, 1 and "1"."""
    if type(a) is type(b):
        return False
    numbers = isinstance(a, int | float) and isinstance(b, int | float)
    if numbers and not isinstance(a, bool) and not isinstance(b, bool):
        return a == b
    return (isinstance(a, str) or isinstance(b, str)) and str(a).lower() == str(b).lower()


def compare_mappings(
    section: Section,
    a: Mapping[str, object],
    b: Mapping[str, object],
    weigh: Callable[[str, object, object], float],
) -> Iterator[Difference]:
    """Yield what differs between two mappings.

    A value that is None is taken as one that is not there, unless the other side has the key with a value: then it is `null`.

    Args:
        section: what the mappings are about.
        a: those of the first run.
        b: those of the second run.
        weigh: returns the weight of a difference, from its key and both values.
    """
    for key in dict.fromkeys((*a, *b)):
        before, after = a.get(key), b.get(key)
        if (key in a) == (key in b) and are_equal(before, after):
            continue
        detail = ""
        weight = weigh(key, before, after)
        if key in a and key in b:
            before, after = _shown(before), _shown(after)
            if is_type_alone(before, after):
                detail = f"another type: {type(before).__name__} and {type(after).__name__}"
                weight = min(weight, 0.3)
        elif before is None and after is None:
            before, after = (_NULL, None) if key in a else (None, _NULL)
        yield Difference(section, key, a=before, b=after, weight=weight, detail=detail)


_NULL = "null"


def _shown(value: object) -> object:
    return _NULL if value is None else value
