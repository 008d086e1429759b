"""The one broad except: what goes wrong in recording is counted, told once for each name, and never raised.

A loss has a kind (a short fixed text: what sort of thing was not recorded as it was given), a name where it has one (the
metric, param, tag or attribute), and the run it belongs to. It is counted in this process, and in the run itself
(`record/events/losses.py`), so that who looks at the run sees what it lacks. `lost` here is never the state
`RunState.LOST`, which is of a run whose process is gone (`query/liveness.py`).

What is not ours to swallow passes: KeyboardInterrupt, and whatever a signal handler of the program raised while our
code was running (`is_interruption`). No lock is held while anything is said, and the lock may be taken again by the
thread that has it: a signal handler and `__del__` record as well.

`on_error="raise"` (a public setting, for tests of this package and of integrations) raises instead.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import RecordingError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell

logger: Final = logging.getLogger("otel_experiments")

THREAD_PREFIX: Final = "otel-experiments-"
"""How the names of our own threads begin: nobody is there to catch what is raised in them."""
MAX_NAMES_TOLD: Final = 300
"""Of each kind, so many names have a line of their own in the log; the others are counted together."""
MAX_NAME_CHARS: Final = 200
_MAX_RUNS: Final = 4096
"""So many runs that lost something are counted by themselves."""
_MAX_SHOWN_NAMES: Final = 5
"""Of each kind, in the last word at the end of the process."""

Text = str | Callable[[], str]


class Ledger(Protocol):
    """Whoever writes down what a run lost."""

    def add(self, run_id: str, kind: str, name: str, count: int) -> None:
        """Count a loss of a run."""
        ...


class Guard:
    """Keeps count of what recording lost, by kind.

    Attributes:
        losses: how many items were lost or changed since the start of the process, by kind.
        ledger: where the losses of a run are written down; None where nothing is recorded.
    """

    def __init__(self, *, raises: bool = False) -> None:
        self.raises = raises
        self.losses: Counter[str] = Counter()
        self.ledger: Ledger | None = None
        self._by_run: dict[str, Counter[str]] = {}
        self._told: dict[str, set[str]] = {}
        self._raised_later: Exception | None = None
        self._lock = threading.RLock()

    def lost(
        self,
        kind: str,
        what: Text,
        *,
        name: str = "",
        run_id: str = "",
        count: int = 1,
        error: BaseException | None = None,
    ) -> None:
        """Count `count` lost items of a kind; say `what` the first time that `name` is among them.

        `what` names the object, what was found instead and what to do; a function makes it when it is wanted.
        """
        if self.raises:
            self._raise(error or RecordingError(kind=kind, name=name, what=_text(what)))
        name = clean_text(name[:MAX_NAME_CHARS].replace("\0", "\ufffd"))
        with self._lock:
            self.losses.setdefault(kind, 0)
            self.losses[kind] += count  # no call in it, so nothing comes in between
            self._by_run.setdefault(run_id, Counter())[kind] += count
            while len(self._by_run) > _MAX_RUNS:
                self._by_run.pop(next(iter(self._by_run)))
            told = self._told.setdefault(kind, set())
            is_first, is_last = name not in told, len(told) == MAX_NAMES_TOLD
            if is_first and len(told) <= MAX_NAMES_TOLD:
                told.add(name)
            else:
                is_first = False
        if is_first:
            text = f"More than {MAX_NAMES_TOLD} names have lost something" if is_last else _text(what)
            tell(logger, "%s (%s)", text, _further(kind, "" if is_last else name))
        if run_id and count and self.ledger is not None:
            self.ledger.add(run_id, kind, name, count)

    def losses_of(self, run_id: str | None) -> dict[str, int]:
        """Return what a run lost in this process, by kind, with what belongs to no run, such as spans that were not sent.

        None: what the whole process lost.
        """
        if run_id is None:
            return dict(self.losses)
        with self._lock:
            found = Counter(self._by_run.get("", ()))
            found.update(
                self._by_run.get(run_id, ())
            )  # a sum of counters would leave out kinds that count nothing
        return dict(found)

    def of_run(self, run_id: str) -> RunGuard:
        """Return the guard whose losses are those of a run."""
        return RunGuard(self, run_id)

    def tell_all(self) -> None:
        """Say in one line what was lost since the start of the process: the last word at its end."""
        counts = [
            (kind, count)
            for kind, count in self.losses.most_common()
            if count and not kind.startswith("otlp ")  # stored, and said by `tell_unsent`
        ]
        if counts:
            parts = [f"{kind} {count:,}{self._names(kind)}" for kind, count in counts]
            tell(
                logger,
                "Not everything was recorded as it was given: %s. `otel-experiments show RUN` lists them for each run.",
                ", ".join(parts),
            )

    def _names(self, kind: str) -> str:
        names = sorted(name for name in self._told.get(kind, ()) if name)
        more = ["..."] if len(names) > _MAX_SHOWN_NAMES else []
        return f" ({', '.join([*map(shown, names[:_MAX_SHOWN_NAMES]), *more])})" if names else ""

    def raise_later(self) -> None:
        """Raise, with `on_error="raise"`, what went wrong in a thread of ours since the last time."""
        error, self._raised_later = self._raised_later, None
        if error is not None:
            raise error

    def _raise(self, error: BaseException) -> None:
        if threading.current_thread().name.startswith(THREAD_PREFIX) and isinstance(error, Exception):
            self._raised_later = self._raised_later or error
        else:
            raise error

    def failed(self, error: BaseException | None, run_id: str = "") -> bool:
        """Count an exception that left a block of ours; True when it is to be swallowed."""
        if not isinstance(error, Exception) or is_interruption(error):
            return False
        if self.raises:
            if not threading.current_thread().name.startswith(THREAD_PREFIX):
                return False
            self._raised_later = self._raised_later or error
        self.lost(
            f"internal:{type(error).__name__}",
            lambda: (
                f"Recording failed with {type(error).__name__}: {text_of(error)}; training goes on, this item is lost"
            ),
            run_id=run_id,
        )
        tell(logger, "Recording failed", level=logging.DEBUG, about=error)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow what went wrong inside; what is the program's own passes."""
        return error is not None and self.failed(error)

    def reset_in_child(self) -> None:
        """Forget the parent's lock and counts after a fork."""
        self._lock = threading.RLock()
        self.losses = Counter()
        self._by_run = {}


class RunGuard:
    """The guard of one run: what is lost under it is counted in the run as well."""

    __slots__ = ("_guard", "_run_id")

    def __init__(self, guard: Guard, run_id: str) -> None:
        self._guard = guard
        self._run_id = run_id

    @property
    def losses(self) -> dict[str, int]:
        """How many items the run lost in this process, by kind, with what belongs to no run."""
        return self._guard.losses_of(self._run_id)

    def lost(
        self,
        kind: str,
        what: Text,
        *,
        name: str = "",
        count: int = 1,
        error: BaseException | None = None,
    ) -> None:
        """Count what the run lost; see `Guard.lost`."""
        self._guard.lost(kind, what, name=name, run_id=self._run_id, count=count, error=error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        """Swallow what went wrong inside; what is the program's own passes."""
        return error is not None and self._guard.failed(error, self._run_id)


def _further(kind: str, name: str) -> str:
    what = f"of {shown(name)} " if name else ""
    return f"further losses {what}of the kind {kind!r} are counted, not reported"


def _text(what: Text) -> str:
    return what if isinstance(what, str) else what()
