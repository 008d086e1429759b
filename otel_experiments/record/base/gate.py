"""What a run refuses while it is paused and after its end: counted by kind, told once a kind, never recorded.

A pause is what the program asked for, so what is refused in it is counted and no loss. After the end it is one.
Spans that were open then may end.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection
from typing import Final, Literal, get_args

from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import RunGuard, logger

Kind = Literal[
    "point",
    "event",
    "log record",
    "param",
    "summary value",
    "tag",
    "name, group or note",
    "span",
    "metric definition",
    "count of samples or tokens",
    "artifact",
    "artifact use",
    "artifact alias",
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
PAUSED: Final = "paused"
FINISHED: Final = "finished"


def kind_after_the_end(kind: Kind) -> str:
    """Return under which kind of loss it is counted what came after the end."""
    return f"{kind} after the end"


class Gate:
    """Whether a run takes anything, and what came while it did not.

    Attributes:
        is_closed: the run takes nothing now.
        refused: how many items came meanwhile, by kind.
    """

    __slots__ = ("_guard", "_reason", "_run_id", "_told", "is_closed", "refused")

    def __init__(self, run_id: str, guard: RunGuard) -> None:
        self._run_id = run_id
        self._guard = guard
        self._reason = ""
        self._told: set[str] = set()
        self.is_closed = False
        self.refused: Counter[str] = Counter()

    @property
    def is_paused(self) -> bool:
        """Whether the run takes nothing because the program has paused it."""
        return self.is_closed and self._reason == PAUSED

    def close(self, reason: str = "") -> None:
        """Take nothing from now on: `PAUSED`, `FINISHED`, or without a reason, and nothing is counted."""
        self._reason = reason
        self.is_closed = True

    def open(self) -> None:
        """Take everything again."""
        self._reason = ""
        self.is_closed = False

    def refuse(self, kind: Kind, given: object = None) -> None:
        """Count what came in vain: each item of `given`, where that is a collection of them."""
        count = _size(given)
        if not self._reason or not count:
            return
        self.refused[kind] += count
        if self._reason == FINISHED:
            self._guard.lost(
                kind_after_the_end(kind),
                f"Run {self._run_id[:8]} has ended: {_one(kind)} came after the end and is lost. Record before the run "
                "ends, or resume it: start_run(resume=ID)",
                count=count,
            )
        elif kind not in self._told:
            self._told.add(kind)
            tell(
                logger,
                "Run %s is paused: %s came and is not recorded, nor are others until resume().",
                self._run_id[:8],
                _one(kind),
                level=logging.INFO,
            )


def _one(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'ae' else 'a'} {kind}"


def _size(given: object) -> int:
    try:
        return len(given) if isinstance(given, Collection) and not isinstance(given, (str, bytes)) else 1
    except Exception as error:  # a foreign __len__ may do anything
        if is_interruption(error):
            raise
        return 1
