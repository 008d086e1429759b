"""An attribute out of the JSON that is stored of all: what SQL asks for where it searches spans and log records."""

from __future__ import annotations

from functools import lru_cache

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value, load_value
from otel_experiments.store.semantics.search import comparable, kind_of


def json_attribute(attributes_json: bytes, key: str, kind: str) -> str | float | None:
    """Return a stored attribute where it is of this kind, else None. SQLite calls it as `ox_attribute`.

    Kinds are those of `kind_of`, `nan`, and `any` for one that is there. Lists come as JSON.
    """
    attributes = _loaded(attributes_json)
    if attributes is None or key not in attributes:
        return None
    found = attributes[key]
    if kind == "any":
        return 1
    is_nan = isinstance(found, float) and found != found  # noqa: PLR0124 - NaN alone differs from itself
    of_kind = "nan" if is_nan else kind_of(found)
    if of_kind != kind or (kind == "list" and not isinstance(found, list)):
        return None
    if isinstance(found, bool) or found is None or is_nan:
        return int(bool(found)) if isinstance(found, bool) else 1
    if isinstance(found, int | float):
        return comparable(found)
    return clean_text(found) if isinstance(found, str) else dump_value(found)


@lru_cache(maxsize=64)
def _loaded(attributes_json: bytes) -> dict[str, object] | None:
    """Return stored attributes; the same ones are asked for several times in one statement."""
    try:
        found: object = load_value(attributes_json.decode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return None  # reading the row itself warns
    return found if isinstance(found, dict) else None
