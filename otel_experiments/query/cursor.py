"""Where the next page of a search begins, as a text that can be kept, printed and given back.

The text names the search that it was made for, so that it is refused by any other: there it would begin anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, Final

from otel_experiments.errors import PageCursorError
from otel_experiments.model.position import Position
from otel_experiments.process.interruption import pass_on

_FORM: Final = 1
_LONGEST: Final = 1_000_000
_LARGEST: Final = 2**63
_KINDS: Final = (0, 1, 2)


def cursor_of(search: object, position: Position) -> str:
    """Return the text for a position.

    Args:
        search: what is searched and how it is sorted; its repr tells it from others.
        position: where the page ends.
    """
    keys = [None if key is None else [key[0], _plain(key[1])] for key in position.keys]
    told = json.dumps([_FORM, _digest(search), keys, list(position.ties)], separators=(",", ":"))
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def position_of(cursor: str, search: object, *, keys: int, ties: tuple[type[int | str], ...]) -> Position:
    """Return the position that a text stands for.

    Args:
        cursor: the text.
        search: what is searched and how it is sorted.
        keys: how many sort keys there are.
        ties: the types of what a position has of ties.

    Raises:
        PageCursorError: it is none, or of another search.
    """
    form, digest, found_keys, found_ties = _read(cursor)
    if form != _FORM:
        raise PageCursorError(cursor=cursor, found="another release of otel-experiments made it")
    if digest != _digest(search):
        raise PageCursorError(cursor=cursor, found="it is of another search, order, or kind of thing")
    if not isinstance(found_keys, list) or len(found_keys) != keys or not isinstance(found_ties, list):
        raise _changed(cursor)
    if list(map(type, found_ties)) != list(ties) or not all(map(_is_bindable, found_ties)):
        raise _changed(cursor)
    return Position(tuple(_key(cursor, one) for one in found_keys), tuple(found_ties))


def _read(cursor: str) -> list[Any]:
    if not cursor or len(cursor) > _LONGEST:
        raise PageCursorError(cursor=cursor, found="it is no text that was given as one")
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found: object = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (ValueError, RecursionError) as error:
        pass_on(error)
        raise PageCursorError(cursor=cursor, found="it is no text that was given as one") from error
    if not isinstance(found, list) or len(found) != 4:
        raise PageCursorError(cursor=cursor, found="it is no text that was given as one")
    return found


def _key(cursor: str, found: object) -> tuple[int, float | str | bytes] | None:
    match found:
        case None:
            return None
        case [int() as kind, {"hex": str() as digits}] if kind in _KINDS:
            try:
                return kind, bytes.fromhex(digits)
            except ValueError as error:
                raise _changed(cursor) from error
        case [int() as kind, int() | float() | str() as value] if kind in _KINDS and _is_bindable(value):
            return kind, value
    raise _changed(cursor)


def _is_bindable(value: float | str) -> bool:
    """Tell whether a store takes the value."""
    if isinstance(value, str):
        return not any("\ud800" <= character <= "\udfff" for character in value)
    return type(value) is not int or -_LARGEST <= value < _LARGEST


def _plain(value: float | str | bytes) -> float | str | dict[str, str]:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _digest(search: object) -> str:
    return hashlib.sha256(repr(search).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _changed(cursor: str) -> PageCursorError:
    return PageCursorError(cursor=cursor, found="it was changed")
