"""What a run says of itself to a person who is watching: where it goes and how to look at it, and at its end what came of it.

Only where somebody watches, on a terminal or in a notebook; and only of the first runs of a process, so that a sweep does
not bury what the program prints. It goes where the program has its streams now, and nothing that happens there matters.
"""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.codec.text import shown
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.interruption import Swallowing
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.output.streams import write_of
from otel_experiments.record.run.last_exception import find_notebook

if TYPE_CHECKING:
    from otel_experiments.model.metric import Series
    from otel_experiments.record.run.core import RunCore

MOST_RUNS: Final = 5
"""Of a process, so many runs speak; the next one says that it is the last to."""
MOST_METRICS: Final = 4
_COMMAND: Final = "otel-experiments"
_START: Final = "otel-experiments: "
_STORING_S: Final = 1.0
"""How long the end waits for what came last, where somebody watches; what is not stored then is left out."""


class _Spoken:
    count = 0


class Stream(Protocol):
    """Where a person reads."""

    def write(self, text: str, /) -> object:
        """Take the text."""
        ...

    def flush(self) -> object:
        """Show it."""
        ...


def watched_stream() -> Stream | None:
    """Return standard error where it is a terminal, and standard output in a notebook, which shows errors in red."""
    if _is_notebook():
        return sys.stdout
    stream = sys.stderr
    if stream is not None:
        with Swallowing(Exception):  # whatever a program has put there
            return stream if stream.isatty() else None
    return None


def _is_notebook() -> bool:
    """Tell whether cells run here; IPython in a terminal is known by the terminal."""
    return hasattr(find_notebook(), "kernel")


class Announcement:
    """What one run says. `begin` decides whether it speaks at all."""

    def __init__(self, core: RunCore) -> None:
        self._core = core
        self._is_heard = False

    def begin(self) -> None:
        """Say that the run is on, where it is recorded, and how to look at it."""
        core = self._core
        settings = core.pipeline.settings
        if settings.quiet or core.identity.parent_run_id in active_runs or _Spoken.count > MOST_RUNS:
            return
        stream = watched_stream()
        if stream is None:
            return
        _Spoken.count += 1
        if _Spoken.count > MOST_RUNS:
            _say(stream, "further runs of this process are recorded and not announced")
            return
        self._is_heard = True
        again = f", attempt {core.identity.attempt}" if core.identity.attempt > 1 else ""
        lines = [f"run {shown(core.name)}{again} is recorded {self._where()}"]
        if settings.store_path is not None:
            lines.append(f"look at it: {self._command(settings.shown_store)}")
        _say(stream, *lines)

    def end(self, duration_s: float | None) -> None:
        """Say how the run ended, how long it took, what its metrics were last, and what was lost."""
        stream = watched_stream() if self._is_heard else None
        if stream is None:
            return
        self._is_heard = False
        core = self._core
        pipeline = core.pipeline
        pipeline.write_losses()
        is_known = pipeline.storage is not None and pipeline.storage.drain_now(timeout_s=_STORING_S)
        after = "" if duration_s is None else f" after {_seconds(duration_s)}"
        more = f"{self._metrics()}{self._lost()}" if is_known else ""
        _say(stream, f"run {shown(core.name)} {core.state}{after}{more}")

    def _where(self) -> str:
        settings = self._core.pipeline.settings
        places = [f"in {_plain(settings.shown_store)}"] if settings.is_stored else []
        if self._core.pipeline.otlp is not None:
            places.append("sent over OTLP")
        return " and ".join(places) or "nowhere (store='none')"

    def _command(self, store: str) -> str:
        command = f"{_COMMAND} show {self._core.id[:8]}"
        with Swallowing(Exception):  # a variable that names no store was told already
            if str(StoreLocation.named(None)) == store:
                return command
        return f"{command} --store {_plain(shlex.quote(store))}"

    def _metrics(self) -> str:
        storage = self._core.pipeline.storage
        found = [] if storage is None else storage.series_of(self._core.id)
        texts = [f"{_name(one)} {one.summary.last:.4g}" for one in found[:MOST_METRICS]]
        more = len(found) - len(texts)
        return f": {', '.join(texts)}{f' and {more} more' if more else ''}" if texts else ""

    def _lost(self) -> str:
        storage = self._core.pipeline.storage
        count = 0 if storage is None else storage.lost_count_of(self._core.id)
        return f"; {count:,} not recorded as given" if count else ""


def _name(series: Series) -> str:
    return _plain(series.key.name)


def _plain(text: str) -> str:
    return text if text.isprintable() else shown(text)


def _seconds(duration_s: float) -> str:
    whole = round(duration_s)
    minute, hour = 60, 3600
    if whole < minute:
        return f"{duration_s:.1f} s"
    if whole < hour:
        return f"{whole // minute} min {whole % minute} s"
    return f"{whole // hour} h {whole % hour // minute} min"


def _say(stream: Stream, *lines: str) -> None:
    """Write all lines at once, so that what other threads print does not come between."""
    with Swallowing(Exception):
        write_of(stream)("".join(f"{_START}{line}\n" for line in lines))
        stream.flush()
