"""Copies of what the program writes to `sys.stdout` and `sys.stderr`, while a run wants them.

The stream stays the object that it is: `isatty`, `fileno`, `encoding`, `buffer`, `reconfigure` and its identity are the
program's. Only its attribute `write` is another one meanwhile, which `print`, `logging` and `writelines` look up at each call.
It calls the stream's own first, so what the program sees, exceptions included, is what it would see without us.

A line is in the journal when the call that ended it returns. Until then it waits; where another thread prints meanwhile, its line
waits by itself, so that lines of threads do not mix. No lock is taken: a signal handler, `__del__` and a forked child print as well.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import Swallowing, is_interruption
from otel_experiments.record.base.current import active_runs, find_run
from otel_experiments.record.output.lines import Lines
from otel_experiments.record.output.writer import RunOutput

if TYPE_CHECKING:
    from otel_experiments.journal.output import Stream
    from otel_experiments.record.base.ports import RunPort

_NAMES: Final[tuple[Stream, ...]] = ("stdout", "stderr")
_DESCRIPTORS: Final = {"stdout": 1, "stderr": 2}
_MOVES: Final = ("\r", "\x1b[")
_get_ident = threading.get_ident


class _Copy:
    """A stream of the program that is copied."""

    def __init__(self, name: Stream, stream: Any) -> None:  # a stream of any class
        self.name = name
        self.stream = stream
        self._lines = Lines()
        self._owner = 0
        self._others: dict[int, Lines] = {}
        self.generation = 0  # of the `write` that copies: an earlier one may be left inside somebody else's
        self.renew()

    def renew(self) -> None:
        """Give the stream the `write` that copies, over the one that it has now."""
        self.generation += 1
        self._before = vars(self.stream).get("write")
        self.own_write: Callable[..., Any] = self.stream.write
        self._write: Callable[..., Any] | None = _copying(self, self.own_write)
        self.stream.write = self._write

    @property
    def is_in_place(self) -> bool:
        """Whether the stream has the `write` that copies."""
        return vars(self.stream).get("write") is self._write

    def let_go(self) -> None:
        """Give the stream its `write` back, unless somebody has replaced it since: theirs goes on calling ours."""
        if self.is_in_place:
            if self._before is None:
                del self.stream.write
            else:
                self.stream.write = self._before
        self.generation += 1
        self._write = None  # a circle less, which a thousand small runs would notice

    def keep_rest(self, *, thread: int | None = None) -> None:
        """Write down what no line break has ended, of all threads or of one."""
        for lines in (
            [self._lines, *list(self._others.values())] if thread is None else [self.lines_of(thread)]
        ):
            rest = lines.take_rest()
            if rest is not None:
                _keep(self.name, rest)

    def lines_of(self, thread: int, text: str = "") -> Lines:
        """Return where what a thread writes goes: its own line where another thread has begun one.

        What begins with a movement of the cursor goes on with what is there, as threads that draw a display do.
        """
        own = self._others.get(thread)
        if own is not None:
            if not own.is_empty:
                return own
            self._others.pop(thread, None)
        if thread == self._owner or self._lines.is_empty or text.startswith(_MOVES):
            self._owner = thread
            return self._lines
        own = self._others[thread] = Lines()
        return own

    def forget(self) -> None:
        """Forget what was begun: in a forked child it is the parent's."""
        self._lines = Lines()
        self._others.clear()


def _copying(copy: _Copy, write: Callable[..., Any]) -> Callable[..., Any]:
    """Return a `write` that copies what the stream's own has taken."""
    name, lines_of, generation = copy.name, copy.lines_of, copy.generation

    def write_and_copy(*given: Any, **named: Any) -> Any:
        inner = _inside.get(_get_ident()) if _is_layered else None
        if (
            inner is not None and inner is not copy
        ):  # a stream of the program's writes into one that is copied as well
            return write(*given, **named)
        if _is_layered:
            _inside[_get_ident()] = copy
        try:
            written = write(*given, **named)
        finally:
            if _is_layered and inner is None:
                _inside.pop(_get_ident(), None)
        if active_runs and copy.generation == generation and given and isinstance(given[0], str):
            try:
                text = given[0]
                whole = lines_of(_get_ident(), text).feed(text)
                if whole is not None:
                    _keep(name, whole)
            except Exception as error:  # it would come out of the program's `print`
                if is_interruption(error):
                    raise
                _tell(error)
        return written

    return write_and_copy


_copies: Final[list[_Copy]] = []
_outputs: Final[dict[tuple[str, str], RunOutput]] = {}
_inside: Final[dict[int, _Copy]] = {}
_copied_instead: Final[set[str]] = set()
_is_layered = False
_is_telling = False


def take_streams(run: RunPort) -> None:
    """Copy what is written from now on, where the run's settings ask for it; safe to call again."""
    if _wants(run):
        _adopt_all(is_first=True)


def write_of(stream: Any) -> Callable[[str], object]:  # as above
    """Return a stream's `write` that copies nothing: what we say ourselves is no output of the program."""
    found = next((copy for copy in _copies if copy.stream is stream), None)
    return stream.write if found is None else found.own_write


def copy_instead(run: RunPort) -> None:
    """Copy the streams for a run whose descriptors cannot be taken."""
    _copied_instead.add(run.id)


def renew_streams(_: object = None) -> None:
    """Copy again after IPython has put back, at the end of a cell, the `write` that a stream had at its beginning."""
    for copy in _copies:
        with Swallowing(Exception):  # whatever a program has put there
            if not copy.is_in_place:
                copy.renew()


def look_again() -> None:
    """See whether the program has replaced a stream by another one of the same descriptor, and copy that too."""
    if _copies and any(map(_wants, list(active_runs.values()))):
        _adopt_all(is_first=False)


def leave_streams(run: RunPort) -> None:
    """Write down what is left of a run's lines; let go of the streams when no other run needs them. Safe to call again."""
    if not _copies:
        return
    is_last = not any(other is not run and _wants(other) for other in list(active_runs.values()))
    for copy in _copies:
        copy.keep_rest(thread=None if is_last else _get_ident())
    for name in _NAMES:
        _outputs.pop((run.id, name), None)
    _copied_instead.discard(run.id)
    if is_last:
        _let_go()


def _wants(run: RunPort) -> bool:
    pipeline = run.pipeline
    is_wanted = pipeline.settings.capture_output == "python" or run.id in _copied_instead
    return is_wanted and pipeline.has_telemetry


def _adopt_all(*, is_first: bool) -> None:
    for name in _NAMES:
        stream: Any = getattr(sys, name, None)
        if stream is None or any(copy.stream is stream for copy in _copies):
            continue
        with Swallowing(Exception):  # a stream of the program's that has no such attribute, or takes none
            if is_first or stream.fileno() == _DESCRIPTORS[name]:
                _copies.append(_Copy(name, stream))
    _note_layers()


def _let_go() -> None:
    while _copies:
        with Swallowing(Exception):  # as above
            _copies.pop().let_go()
    _note_layers()


def _note_layers() -> None:
    global _is_layered  # noqa: PLW0603 - the process has one standard output
    names = [copy.name for copy in _copies]
    _is_layered = len(names) > len(set(names))


def _keep(name: Stream, text: str) -> None:
    """Write lines into the run that is current here; where several are on and none is, into the oldest."""
    run = find_run() or next(iter(list(active_runs.values())), None)
    if run is None or not _wants(run) or (run.gate.is_closed and run.gate.is_paused):
        return
    output = _outputs.get((run.id, name))
    if output is None:
        output = _outputs[run.id, name] = RunOutput(run, name)
    output.write(text)


def _tell(error: Exception) -> None:
    """Count what could not be copied; what is said of it goes through the stream that is being copied."""
    global _is_telling  # noqa: PLW0603 - as above
    run = None if _is_telling else next(iter(list(active_runs.values())), None)
    if run is None:
        return
    _is_telling = True
    try:
        run.pipeline.guard.failed(error, run.id)
    finally:
        _is_telling = False


def _reset_in_child() -> None:
    """Forget what the parent has begun: its lines are its own, and the child counts from 1."""
    _outputs.clear()
    _inside.clear()
    for copy in _copies:
        copy.forget()


at_fork(after_in_child=_reset_in_child)
