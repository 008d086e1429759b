"""Sending stored runs over OTLP: what an endpoint did not take while they were recorded, or whole runs again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.resources import Resource

from otel_experiments._active import active_settings, active_store
from otel_experiments._opening import open_reader, reader_over
from otel_experiments.errors import ConfigurationError, StoreError
from otel_experiments.journal.owner import current_owner
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.run import Run
from otel_experiments.model.search import RunQuery
from otel_experiments.model.signal import LEAST_NS, SIGNALS, Signal
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.model.unsent import Unsent
from otel_experiments.process.notice import tell
from otel_experiments.query import Reader, RunView
from otel_experiments.query.unsent import rows_left_behind
from otel_experiments.record.base.guard import Guard, logger
from otel_experiments.record.base.known_runs import KnownRun, KnownRuns
from otel_experiments.record.base.otlp_setting import Otlp, variables_of
from otel_experiments.record.base.scope import version
from otel_experiments.record.base.settings import Settings
from otel_experiments.record.otlp.environment import SendingPlan, read_plan
from otel_experiments.record.otlp.grpc_forks import without_fork_handlers
from otel_experiments.record.otlp.start import check_sending
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.store import Store, open_store

if TYPE_CHECKING:
    from otel_experiments.record.otlp.export import OtlpExport

_NOTE_S: Final = 1.0
"""How often is written how far the push is."""
_RETRY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push reached.

    Attributes:
        run_count: how many runs there were to send.
        sent: how many items the endpoint took, by what they are called (`spans`, `log records`, `metric points`,
            `data points of instruments`).
        refused: how many it refused for good.
        is_complete: whether it has taken all of them.
        reason: why the push did not get to the end, from where the same push goes on; empty where it did.
    """

    run_count: int
    sent: Mapping[str, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    is_complete: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Part:
    """One signal of a run that is to be sent from a time on, and the rows that this settles."""

    run: Run
    signal: Signal
    since_ns: int
    settles: Sequence[Unsent]


def push(  # noqa: PLR0913 - what is sent, and where to, each by name
    runs: str | Iterable[str] | None = None,
    *,
    where: str | None = None,
    unsent: bool = False,
    to: str | None = None,
    otlp: str | Otlp | None = None,
    signals: Iterable[str] | None = None,
    store: str | PathLike[str] | StoreObject | None = None,
    timeout_s: float = 60.0,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> PushReport:
    """Send stored runs over OTLP, exactly as they leave while they are recorded: ids, times, resources.

    Without `runs` and `where`, what endpoints did not take is sent, of processes that have ended. A push that was stopped
    goes on where it was when it is called again. Ended spans are sent; of a run that is still on, what there is.

    Args:
        runs: ids, beginnings of ids, or names (the newest run of a name).
        where: a search expression; all runs that match.
        unsent: of `runs` or `where`, only what was not taken.
        to: the endpoint; by default that of `otlp`.
        otlp: where and how to send, as `configure` takes it; by default what `configure` was given in this process, and
            what the standard variables say (`OTEL_EXPORTER_OTLP_ENDPOINT` and the like).
        signals: some of `traces`, `metrics` and `logs`; by default those of `otlp`, else all.
        store: where the runs are; by default the store that this process records into, else that of the environment.
        timeout_s: how long an endpoint that takes nothing is waited for, once it has taken something.
        on_progress: called with how many runs are done, how many there are, and how many items were sent.

    Raises:
        ConfigurationError: there is no endpoint, or a signal that does not exist, or `otlp` cannot be used.
        RunNotFoundError: there is no such run.
        QueryError: the expression cannot be understood.
        StoreError: the store cannot be read.
    """
    setting = _setting(otlp)
    plan = _plan(setting, to, _checked_signals(signals, setting))
    with _opened(store) as (reader, book):
        chosen = _chosen_runs(reader, runs, where)
        is_moved = to is not None or isinstance(otlp, str) or (otlp is not None and otlp.endpoint is not None)
        parts = _parts(reader.store, chosen, plan, is_rest=unsent or chosen is None, is_moved=is_moved)
        book.note([], [row for row in _left_behind(reader.store) if row.is_empty])
        return _Push(reader.store, plan, book, timeout_s, on_progress).send(parts)


def _setting(given: str | Otlp | None) -> bool | Otlp | None:
    """Return what settings say of sending; what they turn off is sent all the same, since it is asked for."""
    recording = None if given is not None else active_settings()
    setting = (recording or Settings.resolve(otlp=given)).otlp
    check_sending(setting, os.environ)
    return setting or None


@contextmanager
def _opened(store: str | PathLike[str] | StoreObject | None) -> Iterator[tuple[Reader, _Book]]:
    """Open what is read and what is written: the store of this process's recording, which stays open, or another one."""
    recorded = active_store() if store is None else None
    with ExitStack() as stack:
        if recorded is not None:
            location = StoreLocation.parse(recorded.location)
            reader = reader_over(recorded)
        else:
            settings = Settings.resolve(store=store)
            location = settings.location.require_store()
            reader = stack.enter_context(open_reader(location, is_network=settings.network_filesystem))
        is_file = recorded is None or location.absolute_path is not None
        book = _Book(location) if is_file else _Book(location, recorded)
        stack.callback(book.close)
        yield reader, book


def _checked_signals(signals: Iterable[str] | None, setting: bool | Otlp | None) -> list[Signal]:  # noqa: FBT001 - the setting
    if signals is None:
        signals = (setting.signals if isinstance(setting, Otlp) else None) or SIGNALS
    wanted = [signal.strip() for signal in signals]
    for signal in wanted:
        if signal not in SIGNALS:
            raise ConfigurationError(
                f"Signal {signal!r} cannot be pushed: there is none of that name.\n  Name some of traces, metrics, logs."
            )
    return [signal for signal in SIGNALS if signal in wanted]


def _plan(setting: bool | Otlp | None, to: str | None, signals: Sequence[Signal]) -> SendingPlan:  # noqa: FBT001 - as above
    environ = {name: value for name, value in os.environ.items() if name != "OTEL_SDK_DISABLED"}
    if isinstance(setting, Otlp):
        environ = variables_of(setting, environ)
    for signal in SIGNALS:
        exporter = f"OTEL_{signal.upper()}_EXPORTER"
        if signal not in signals:
            environ[exporter] = "none"
        elif "otlp_proto" not in environ.get(exporter, ""):  # which names a protocol too
            environ[exporter] = "otlp"
        if to is not None:
            environ.pop(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", None)
    if to is not None:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = to
    plan = read_plan(True if setting else None, environ)
    missing = [signal for signal in signals if signal not in plan.destinations]
    if not plan.destinations or (to is not None and missing):
        why = (
            plan.notices[0]
            if plan.notices
            else "no endpoint is given, and OTEL_EXPORTER_OTLP_ENDPOINT is not set."
        )
        raise ConfigurationError(
            f"Nothing can be pushed: {why}\n  Name the endpoint, such as http://localhost:4317: --to, or the argument `to`."
        )
    return plan


def _chosen_runs(reader: Reader, runs: str | Iterable[str] | None, where: str | None) -> list[Run] | None:
    """Return the runs that are asked for; None where it is what was not sent, whatever run it is of."""
    found: list[RunView] = []
    if runs is not None:
        found += [reader.run(one) for one in ([runs] if isinstance(runs, str) else runs)]
    if where is not None:
        found += reader.runs(where)
    if runs is None and where is None:
        return None
    return list({view.id: view.record for view in found}.values())


def _parts(
    store: Store, chosen: Sequence[Run] | None, plan: SendingPlan, *, is_rest: bool, is_moved: bool
) -> list[_Part]:
    """Return what is to be sent, run by run, the spans of each first."""
    rows: dict[tuple[str, Signal], list[Unsent]] = {}
    for row in _left_behind(store):
        rows.setdefault((row.run_id, row.signal), []).append(row)
    if chosen is None:
        wanted = {run_id for run_id, _ in rows}
        chosen = [run for run in store.find_runs(RunQuery()) if run.run_id in wanted]
    parts = []
    for run in chosen:
        for signal in SIGNALS:
            if signal not in plan.destinations:
                continue
            target = plan.destinations[signal].address.target
            here = [
                row for row in rows.get((run.run_id, signal), ()) if is_moved or row.destination == target
            ]
            if is_rest:
                since_ns = min((row.since_ns for row in here if not row.is_empty), default=None)
            else:
                here = [row for row in here if row.destination == target]
                since_ns = max((row.since_ns for row in here if row.is_push), default=LEAST_NS)
            if since_ns is not None:
                parts.append(_Part(run, signal, since_ns, here))
    return parts


def _left_behind(store: Store) -> list[Unsent]:
    """Return the rows that only a push sends: of processes that have ended, and of this one where it has stopped recording."""
    found = store.unsent()
    me, has_stopped = current_owner(), active_settings() is None
    return [
        *rows_left_behind(found),
        *(row for row in found if row.owner == me and (row.is_push or has_stopped)),
    ]


class _Book:
    """Where is written how far a push is: the store, if it can be written.

    Args:
        location: where the store is.
        store: it, where it is open already and has no file; it stays open.
    """

    def __init__(self, location: StoreLocation, store: Store | None = None) -> None:
        self._store = store
        self._is_kept_open = store is not None
        if store is None:
            try:
                self._store = open_store(location, create=False)
            except StoreError as error:
                self._give_up(error)

    def note(self, rows: Sequence[Unsent], sent: Sequence[Unsent] = ()) -> None:
        """Write rows and remove those of what was sent."""
        if self._store is None:
            return
        try:
            self._store.apply(WriteBatch(unsent=list(rows), sent=list(sent)))
        except StoreError as error:
            self._give_up(error)

    def close(self) -> None:
        """Let go of the store."""
        store, self._store = self._store, None
        if store is not None and not self._is_kept_open:
            store.close()

    def _give_up(self, error: StoreError) -> None:
        self.close()
        tell(
            logger,
            "How far the push is cannot be written into the store, so that a push that is stopped starts again from the "
            "beginning, and the store does not know what was sent: %s",
            error,
        )


class _Push:
    """One push: one part after the other, page by page."""

    def __init__(
        self,
        store: Store,
        plan: SendingPlan,
        book: _Book,
        timeout_s: float,
        on_progress: Callable[[int, int, int], None] | None,
    ) -> None:
        self._store = store
        self._plan = plan
        self._book = book
        self._timeout_s = timeout_s
        self._on_progress = on_progress
        self._known = KnownRuns()
        self._owner = current_owner()
        self._export = self._open_export()
        self._noted_s = 0.0

    def send(self, parts: Sequence[_Part]) -> PushReport:
        """Send the parts; stop at the first that the endpoint does not take now, leave out signals that are not let in."""
        run_ids = list(dict.fromkeys(part.run.run_id for part in parts))
        reason = ""
        try:
            for part in parts:
                if part.signal in self._export.denied_signals:
                    continue
                done = run_ids.index(part.run.run_id)
                is_sent = self._send_part(part, lambda done=done: self._tell(done, len(run_ids)))  # type: ignore[misc] # mypy cannot infer a default
                if not is_sent and part.signal not in self._export.denied_signals:
                    reason = self._export.reason or "there was no answer in time"
                    break
            else:
                self._tell(len(run_ids), len(run_ids))
        finally:
            self._export.stop()
        sent, refused = self._export.sent_counts, self._export.lost_counts
        reason = reason or self._export.reason or self._unserved_reason()
        return PushReport(len(run_ids), sent, refused, not (reason or refused), reason)

    def _unserved_reason(self) -> str:
        """Return what an endpoint said that served nothing at all; one that takes some of the signals has what it takes."""
        if self._export.sent_counts:
            return ""
        return "; ".join(dict.fromkeys(self._export.unserved_signals.values()))

    def _send_part(self, part: _Part, tell_progress: Callable[[], None]) -> bool:
        run, signal = part.run, part.signal
        self._known.add(run.run_id, self._known_run(run))
        row = Unsent(
            run.run_id,
            signal,
            self._plan.destinations[signal].address.target,
            self._owner,
            part.since_ns,
            is_push=True,
            noted_ns=time.time_ns(),
        )
        self._book.note([row])
        try:
            for page in self._store.stored_pages(run.run_id, signal, since_ns=part.since_ns):
                self._export.hold(page.batch)
                if not self._is_taken():
                    self._book.note([replace(row, reason=self._export.reason, noted_ns=time.time_ns())])
                    return False
                row = replace(row, since_ns=page.until_ns, noted_ns=time.time_ns())
                if time.monotonic() - self._noted_s > _NOTE_S:
                    self._noted_s = time.monotonic()
                    self._book.note([row])
                tell_progress()
        except BaseException:  # Ctrl-C: the next push goes on here
            self._book.note([row])
            raise
        reason = self._unserved_reason() if signal in self._export.unserved_signals else ""
        if reason:  # a wrong path, rather than an endpoint for another signal
            self._book.note([replace(row, since_ns=part.since_ns, reason=reason)])
            return True
        self._book.note([], [row, *part.settles])
        return True

    def _is_taken(self) -> bool:
        """Wait until the endpoint has answered for what is held; False when that takes too long."""
        deadline_s = time.monotonic() + self._timeout_s
        while True:
            self._export.flush(timeout_s=max(0.0, deadline_s - time.monotonic()))
            if self._export.denied_signals:
                return False
            if not self._export.waiting_count:
                return True
            is_hopeless = self._export.is_unreachable and not self._export.sent_counts
            if is_hopeless or time.monotonic() >= deadline_s:
                return False
            time.sleep(_RETRY_S)

    def _tell(self, done: int, count: int) -> None:
        if self._on_progress is not None:
            self._on_progress(done, count, sum(self._export.sent_counts.values()))

    def _known_run(self, run: Run) -> KnownRun:
        resource = Resource(cast("Any", run.resource), SCHEMA_URL)  # our attributes are the SDK's
        return KnownRun(resource, int(run.run_id, 16), int(run.root_span_id or "0", 16))

    def _open_export(self) -> OtlpExport:
        with without_fork_handlers():
            from otel_experiments.record.otlp.export import OtlpExport  # noqa: PLC0415 - gRPC, where something is sent

            return OtlpExport(self._plan, Guard(), self._known, is_stored=True, version=version())
