"""How far a reader has followed a run, as the text of a cursor.

A cursor is given back by whoever got it, from a browser as well, so nothing that it says is believed before it was looked at.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from otel_experiments.errors import CursorError
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import Run
from otel_experiments.process.interruption import is_interruption

_FORM: Final = 1
_MOST_BYTES: Final = 32 << 20
_LARGEST: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Mark:
    """The last item of a kind that a reader has seen: its number, and what tells it from another of that number."""

    number: int = 0
    what: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """How far a reader has followed a run.

    Attributes:
        store: what tells the store from every other.
        run_id: the run.
        run: the digest of its row and labels, as they were.
        counts: how many points of each series were seen.
        marks: for spans and log records, by a name that the store chooses, how far it was read.
        open_spans: the numbers of the spans that were open.
    """

    store: str
    run_id: str
    run: str = ""
    counts: Mapping[SeriesKey, int] = field(default_factory=dict)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    open_spans: Sequence[int] = ()

    def mark(self, name: str) -> Mark:
        """Return how far a kind was read; the beginning where it was not."""
        return self.marks.get(name, Mark())

    def text(self) -> str:
        """Return the cursor."""
        held = [
            _FORM,
            self.store,
            self.run_id,
            self.run,
            [[key.name, key.phase, key.rank, count] for key, count in self.counts.items()],
            [[name, mark.number, mark.what] for name, mark in self.marks.items()],
            list(self.open_spans),
        ]
        packed = zlib.compress(json.dumps(held, separators=(",", ":")).encode("ascii"), 1)
        return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")


def position_of(cursor: str, *, store: str, run_id: str) -> Position:
    """Return the position that a cursor says.

    Raises:
        CursorError: it is no cursor, or one of another store or run.
    """
    try:
        found = _read(cursor)
    except (ValueError, TypeError, KeyError, RecursionError, zlib.error, binascii.Error) as error:
        if is_interruption(error):
            raise
        raise CursorError(cursor=cursor, why="it is no cursor of this release") from error
    if found.store != store:
        raise CursorError(cursor=cursor, why="it is of another store")
    if found.run_id != run_id:
        raise CursorError(cursor=cursor, why=f"it is of run {found.run_id[:12]!r}, not {run_id[:12]!r}")
    return found


def digest_of(run: Run, labels: object) -> str:
    """Return what changes when the run's row or its labels do; signs of life change nothing."""
    shown = repr((replace(run, heartbeat_ns=None), labels))
    return hashlib.blake2b(shown.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _read(cursor: str) -> Position:
    packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    unpack = zlib.decompressobj()
    raw = unpack.decompress(packed, _MOST_BYTES)
    if not unpack.eof or unpack.unused_data:
        raise ValueError("it is cut, or too long")
    form, store, run_id, run, counts, marks, open_spans = json.loads(raw)
    if form != _FORM or not all(isinstance(one, str) for one in (store, run_id, run)):
        raise ValueError("it has another form")
    return Position(
        store,
        run_id,
        run,
        {
            SeriesKey(_text(name), _text(phase), _number(rank)): _number(count)
            for name, phase, rank, count in counts
        },
        {_text(name): Mark(_number(number), _text(what)) for name, number, what in marks},
        tuple(map(_number, open_spans)),
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("a text was expected")
    return value


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LARGEST:
        raise ValueError("a count was expected")
    return value
