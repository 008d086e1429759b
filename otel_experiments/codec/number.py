"""From a value of any library to the number it is, without a warning and without a change in silence.

`float()` does too much: it takes texts, drops the imaginary part of numpy's complex numbers, and makes torch warn of a
loss that requires gradients. So scalars of array libraries are asked for their Python value first.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Final, cast

from otel_experiments.process.interruption import is_interruption

PLAIN: Final[set[type]] = {float, int, bool}
"""Types that `struct` packs as what they are. Those of numpy's real scalars join when they are met."""
NO_NUMBERS: Final = frozenset({str, bytes, type(None), list, tuple, dict, set, complex})
"""Types that are none, told without an exception: telling where one comes from takes 0.1 ms."""
_REAL_KINDS: Final = frozenset("fiub")
_INT64: Final = 2**63
_NO_NUMBERS: Final = frozenset("cmM")
"""Kinds of numpy's types: complex numbers, lengths of time, dates."""


def number_of(value: Any) -> float:  # whatever user code logs
    """Return the value as a float.

    Raises:
        Exception: it is no number; any kind, since any object may be passed.
    """
    if type(value) in PLAIN:
        return float(value)
    return float(_python_number(value))


def _python_number(value: Any) -> int | float:  # as above
    if isinstance(value, (str, bytes, bytearray, memoryview)):
        raise TypeError(value)  # float("0.5") is a number, but a text is none
    try:
        return _number(value)
    except Exception as error:
        if is_interruption(error) or not _may_be_a_warning(error):
            raise
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _number(value)


def plain_number(value: object) -> int | float:
    """Return a number of any library as Python's; integers stay integers as long as 64 bits hold them.

    A larger one becomes the nearest float, or an infinity: neither OTLP nor the column of a store has room for it.

    Raises:
        Exception: it is no number; any kind, since any object may be passed.
    """
    if is_plain_number(value):
        return value  # type: ignore[return-value] # an int or a float
    if isinstance(value, (int, float)):  # of an enum, of numpy
        number = value if isinstance(value, bool) else int(value) if isinstance(value, int) else float(value)
    else:
        number = _python_number(value)
    if isinstance(number, float) or is_plain_number(int(number)):
        return number
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def is_plain_number(value: object) -> bool:
    """Tell whether `plain_number` would change nothing."""
    return type(value) is float or (type(value) is int and -_INT64 <= value < _INT64)


def why_none(value: object) -> str:
    """Return why the value of a metric was refused, and what can be done with it."""
    if isinstance(value, (str, bytes)):
        return "for texts there are run.set_tag, run.log_params and run.emit, and for what a model writes Text(text)"
    if value is None:
        return "leave the metric out, or log float('nan')"
    if isinstance(value, int):
        return "it is larger than any float; log its logarithm, or the integer with run.log_params"
    if hasattr(value, "shape"):
        return "log one number of it, such as its mean, or say what it is: Histogram(array), Image(array), Table(data=array)"
    return "log one number of it, such as its mean, or each of its numbers under a name of its own"


def _may_be_a_warning(error: Exception) -> bool:
    """Tell whether it is an error only because the program makes errors of warnings: it is not about what we do."""
    return isinstance(error, Warning) or getattr(warnings.showwarning, "__module__", None) != "warnings"


def _number(value: Any) -> int | float:  # as above
    if (
        type(value).__name__ == "DataFrame"
        or _kind_of(value) in _NO_NUMBERS
        or (type(value).__module__.startswith("numpy.ma") and bool(cast("Any", value).mask))
    ):
        raise TypeError(
            value
        )  # float() drops the imaginary part, masked values say zero or NaN and are neither, a frame is a table
    for name in ("item", "numpy"):  # numpy, torch, JAX, CuPy; TensorFlow
        method = getattr(value, name, None)
        if callable(method):
            found = method()
            if type(found) in {float, int, bool}:
                _remember(value)
                return cast("int | float", found)
            if isinstance(found, (complex, str, bytes)):
                raise TypeError(value)
            if type(found) is not type(value) and callable(getattr(found, "item", None)):
                return _number(found)
    return float(value)


def _kind_of(value: object) -> object:
    return getattr(getattr(value, "dtype", None), "kind", None)


def _remember(value: Any) -> None:  # as above
    """Let scalars of this type go the fast way: numpy's, whose type says that they are real."""
    kind = type(value)
    is_scalar = kind.__module__ == "numpy" and kind.__name__ != "ndarray"
    if is_scalar and _kind_of(value) in _REAL_KINDS and value.dtype.itemsize <= 8:
        PLAIN.add(kind)
