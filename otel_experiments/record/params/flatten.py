"""Params: from whatever steers a run (dict, Namespace, dataclass, attrs, pydantic, OmegaConf) to typed values.

Nested mappings become dotted keys, lists stay whole, scalars of numpy, torch and JAX become Python's own. A
value that has no form of its own is kept as its `str`, so that nothing is lost without a trace.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from collections.abc import Callable, Mapping
from typing import Final, cast

from otel_experiments.codec.plain import PARAM_LIMITS
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import InvalidNameError, RecordingError
from otel_experiments.model.run import ParamValue
from otel_experiments.model.span import AttributeValue
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.value_loss import Tell, tell_nobody
from otel_experiments.record.params.source import as_mapping
from otel_experiments.record.params.value import param_value

MAX_ATTRIBUTE_CHARS: Final = 1_000
MAX_ATTRIBUTE_ITEMS: Final = 100
_KEPT_AS_IS: Final = frozenset({bool, int, float, type(None)})
_SIMPLE: Final = _KEPT_AS_IS | {str}
"""What holds nothing that would be a param too."""

Refuse = Callable[[InvalidNameError, int], None]
"""Takes why a key cannot be used, and how many params are lost by it."""


def flatten_params(
    source: object,
    refuse: Refuse | None = None,
    tell: Tell = tell_nobody,
) -> dict[str, ParamValue]:
    """Return dotted keys with typed values, in the order of the source; an empty mapping keeps its key.

    A key that cannot be used is handed to `refuse`, if there is one, and left out with what is below it; so is how much
    that is. `tell` is told
    of every value that is not kept exactly.

    Raises:
        TypeError: the source is no mapping and cannot be seen as one.
        InvalidNameError: a key is empty.
    """
    flat: dict[str, ParamValue] = {}
    _flatten(as_mapping(source, tell), "", flat, refuse, tell, (id(source),))
    return flat


def attribute_of_param(value: ParamValue) -> AttributeValue:
    """Return a param as an attribute of the run span: lists of one type whole, others as JSON; texts up to 1,000 chars."""
    if isinstance(value, list):
        kinds = set(map(type, value))
        if len(value) <= MAX_ATTRIBUTE_ITEMS and len(kinds) == 1 and kinds <= {str, bool, int, float}:
            return cast("AttributeValue", value)
    if isinstance(value, (list, dict)):
        return json.dumps(value)[:MAX_ATTRIBUTE_CHARS]
    return value[:MAX_ATTRIBUTE_CHARS] if isinstance(value, str) else value


def _flatten(
    source: Mapping[object, object],
    prefix: str,
    flat: dict[str, ParamValue],
    refuse: Refuse | None,
    tell: Tell,
    above: tuple[int, ...],
) -> None:
    """Take over what is in `source`; `above` are the ids of what it is in, which may not come again."""
    for key, value in source.items():
        try:
            name = prefix + clean_name(key if isinstance(key, str) else text_of(key), "param name")
        except InvalidNameError as error:
            if refuse is None:
                raise
            refuse(error, _count(value, above))
            continue
        is_followed = (
            type(value) not in _SIMPLE and id(value) not in above and len(above) < PARAM_LIMITS.max_depth
        )
        nested = _nested(value, name, tell) if is_followed else None
        if nested is not None:
            _flatten(nested, f"{name}.", flat, refuse, tell, (*above, id(value)))
            continue
        full = clean_name(name, "param name") if prefix else name
        if full in flat:
            what = f"Param {shown(full)} came twice, by its dotted name and nested; the first value is lost"
            tell("param name", full, f"{what}. Give them two names")
        flat[full] = (
            cast("ParamValue", value) if type(value) in _KEPT_AS_IS else param_value(value, full, tell, above)
        )


def _count(value: object, above: tuple[int, ...]) -> int:
    """Return how many params a value would have been."""
    nested = _nested(value, "", tell_nobody) if id(value) not in above else None
    if nested is None:
        return 1
    below: dict[str, ParamValue] = {}
    refused: list[int] = []

    def refuse(error: InvalidNameError, count: int) -> None:  # noqa: ARG001 - the shape of a Refuse
        refused.append(count)

    _flatten(nested, "", below, refuse, tell_nobody, (*above, id(value)))
    return len(below) + sum(refused)


def _nested(value: object, name: str, tell: Tell) -> Mapping[object, object] | None:
    """See a value as a mapping if it is a structure; `name` is what its own fields are below."""
    try:
        return _seen_as_mapping(
            value, lambda kind, inner, what: tell(kind, f"{name}.{inner}", f"{what} (below {shown(name)})")
        )
    except Exception as error:  # a foreign value may do anything
        if is_interruption(error) or isinstance(error, RecordingError):
            raise
        return None


def _seen_as_mapping(value: object, tell: Tell) -> Mapping[object, object] | None:
    is_structure = isinstance(value, Mapping) or (
        not isinstance(value, (type, enum.Enum))
        and (
            dataclasses.is_dataclass(value)
            or hasattr(value, "__attrs_attrs__")
            or callable(getattr(type(value), "model_dump", None))
            or type(value).__name__ == "Namespace"
        )
    )
    if not is_structure:
        return None
    return as_mapping(value, tell) or None
