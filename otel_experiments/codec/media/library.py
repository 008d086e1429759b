"""Which library a value is from, without importing any: a library whose value we hold is imported already."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, Final

from otel_experiments.errors import MediaRefusedError
from otel_experiments.process.interruption import is_interruption

_ARRAYS: Final = ("numpy", "torch", "jax", "jaxlib", "tensorflow", "cupy", "mlx")


def is_of(value: object, module: str, *names: str) -> bool:
    """Tell whether a value is an instance of one of these classes of a module, which may not be imported."""
    loaded = sys.modules.get(module)
    classes = tuple(found for name in names if isinstance(found := getattr(loaded, name, None), type))
    return isinstance(value, classes)


def is_array(value: object) -> bool:
    """Tell whether a value is an array of a library we know, by where its class is defined."""
    names = {base.__module__.partition(".")[0] for base in type(value).__mro__}
    return hasattr(value, "shape") and not names.isdisjoint(_ARRAYS)


def is_tensor(value: object) -> bool:
    """Tell whether it is a tensor of PyTorch."""
    return is_of(value, "torch", "Tensor")


def numpy() -> Any:  # a module; numpy is no requirement of this package
    """Return numpy.

    Raises:
        MediaRefusedError: it is not installed.
    """
    try:
        return sys.modules.get("numpy") or import_module("numpy")
    except ImportError as error:
        raise MediaRefusedError(
            why="an array is read with numpy, which is not installed: pip install numpy"
        ) from error


def as_array(value: Any) -> Any:  # whatever has the form of an array; returned is numpy's
    """Return an array of any library, or nested lists of numbers, as numpy's.

    Raises:
        MediaRefusedError: it is none.
    """
    np = numpy()
    try:
        if is_tensor(value):
            value = value.detach().cpu()
            if str(value.dtype) == "torch.bfloat16":
                value = value.float()
            value = value.numpy()
        if is_of(value, "numpy.ma", "MaskedArray"):
            value = value.filled(float("nan") if value.dtype.kind == "f" else 0)
        if callable(getattr(value, "get", None)) and type(value).__module__.startswith("cupy"):
            value = value.get()
        array = np.asarray(value)
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(why=f"{type(value).__name__} is no array: {error}") from error
    if array.dtype.kind not in "biuf":
        raise MediaRefusedError(
            why=f"an array of {array.dtype} holds no numbers that are kept; pass integers, floats or booleans"
        )
    return array
