"""What steers a run, seen as a mapping: dict, Namespace, dataclass, attrs, pydantic, OmegaConf, any object.

A field that cannot be read, because it has no value yet or its property raises, is left out and told; the others stay.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

from otel_experiments.codec.text import shown
from otel_experiments.errors import RecordingError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.value_loss import Tell, tell_nobody

LEFT_OUT: Final = "param left out"


def as_mapping(source: object, tell: Tell = tell_nobody) -> Mapping[object, object]:
    """See the source as a mapping, one level deep; `tell` is told of every field that cannot be read.

    Raises:
        TypeError: it cannot be seen as one.
    """
    try:
        return _seen(source, tell)
    except Exception as error:  # a foreign object may do anything
        if is_interruption(error) or isinstance(error, (_NotAMappingError, RecordingError)):
            raise
        raise _NotAMappingError(
            f"The params cannot be read: {type(source).__name__} raised {type(error).__name__}: {error}\n"
            "  Pass a dict, an argparse.Namespace, a dataclass or a pydantic model."
        ) from error


class _NotAMappingError(TypeError):
    """The error of `as_mapping`, told from those of foreign objects."""


def _seen(source: object, tell: Tell) -> Mapping[object, object]:
    if type(source) is dict:
        return source
    if isinstance(source, Mapping):
        return _read(source, list(source), source.__getitem__, tell)
    if dataclasses.is_dataclass(source) and not isinstance(source, type):
        return _fields(source, [field.name for field in dataclasses.fields(source)], tell)
    if callable(getattr(type(source), "model_dump", None)):  # pydantic
        return _dumped(source, tell)
    if hasattr(source, "__attrs_attrs__"):
        return _fields(source, [field.name for field in cast("Any", source).__attrs_attrs__], tell)
    try:
        return cast("Mapping[object, object]", dict(vars(source)))  # argparse.Namespace and plain objects
    except TypeError as error:
        if is_interruption(error):
            raise
        raise _NotAMappingError(
            f"Params are a mapping of names to values, not {type(source).__name__}.\n"
            "  Pass a dict, an argparse.Namespace, a dataclass or a pydantic model."
        ) from None


def _dumped(source: object, tell: Tell) -> Mapping[object, object]:
    """Return what a pydantic model dumps, or its fields one by one where it cannot."""
    try:
        dumped = cast("Any", source).model_dump()
        if isinstance(dumped, Mapping):
            return dumped
    except Exception as error:  # a serializer of the user's may raise
        if is_interruption(error):
            raise
    names = getattr(type(source), "model_fields", None)
    return _fields(source, list(names) if names else list(vars(source)), tell)


def _fields(source: object, names: Iterable[str], tell: Tell) -> dict[object, object]:
    return _read(source, names, lambda name: getattr(source, str(name)), tell)


def _read(
    source: object, keys: Iterable[object], get: Callable[[Any], object], tell: Tell
) -> dict[object, object]:
    """Return what can be read of a source, by key."""
    found: dict[object, object] = {}
    for key in keys:
        try:
            found[key] = get(key)
        except Exception as error:  # as above
            if is_interruption(error):
                raise
            tell(
                LEFT_OUT,
                str(key) if isinstance(key, str) else shown(key),
                f"Param {shown(key)} of {type(source).__name__} has no value that can be read "
                f"({type(error).__name__}: {str(error)[:200]}); it is left out",
            )
    return found
