"""Runs into files of OTLP, and files of OTLP into a store."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import IO, Final

from otel_experiments._chosen_store import open_chosen, writing
from otel_experiments.codec.incoming.check import check_request
from otel_experiments.errors import (
    MissingPackageError,
    OtelExperimentsError,
    QueryError,
    StoreLockedError,
    TelemetryDecodeError,
)
from otel_experiments.importers.otlp import unpack
from otel_experiments.importers.otlp.files import FilePart, Unreadable, parts_of
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query.chosen import chosen_runs
from otel_experiments.query.export.otlp import ExportReport, OtlpForm
from otel_experiments.query.export.otlp import export_otlp as write_otlp
from otel_experiments.query.export.whole_file import whole_file
from otel_experiments.store import Store

_FLUSH_BYTES: Final = 4 << 20
"""So much of a file is stored at once: a transaction costs the same for little as for much."""
_SHOWN: Final = 20
_COUNTS: Final = {
    "spans": "select count(*) from spans",
    "log records": "select count(*) from log_records",
    "metric points": "select sum(count) from series",
    "data points of instruments": "select count(*) from instrument_points",
    "artifacts": "select count(*) from artifacts",
}


@dataclass(slots=True)
class ImportReport:
    """What an import found and stored.

    Attributes:
        run_ids: the runs that something came of.
        found: how many items there were that can be kept, by what they are called (`spans`, `log records`, `metric points`,
            `data points of instruments`, `artifacts`, of which a file has no bytes). Those that the store had already are among them.
        new: how many of them the store did not have, by the same names; with what others have written into it meanwhile.
        refused_count: how many items cannot be kept.
        unreadable_count: how many parts of the files are no OTLP, or none that can be read.
        problem_count: how many of these there are to say something about, an item or a part of a file each.
        problems: of the first 20 of these which they are, and why.
    """

    run_ids: set[str] = field(default_factory=set)
    found: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)
    refused_count: int = 0
    unreadable_count: int = 0
    problem_count: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all that the files hold is stored."""
        return not self.refused_count and not self.unreadable_count


def export_otlp(
    path: str | os.PathLike[str],
    runs: str | Iterable[str] | None = None,
    *,
    where: str | None = None,
    experiment: str | None = None,
    form: OtlpForm = "json",
    unattached: bool | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
    on_progress: Callable[[ExportReport], None] = lambda _: None,
) -> ExportReport:
    """Write runs as OTLP into a file: all that is stored of them, so that `import_otlp` makes them again elsewhere.

    The file is what the Collector's file exporter writes, and other tools read it. It appears whole or not at all. Of artifacts
    and media it has names and digests, and not the bytes, which `bundle` takes along; the report counts them as `artifacts`.

    Args:
        path: the file.
        runs: ids, beginnings of ids, or names (the newest run of a name).
        where: a search expression; all runs that match. Without `runs`, `where` and `experiment` it is all runs.
        experiment: only runs of this experiment.
        form: `json`, a request a line, or `proto`, a request behind its length of four bytes.
        unattached: whether spans, log records and data points of no run are written too; by default where all runs are.
        store: where the runs are; by default the store that this process records into, else that of the settings.
        on_progress: called after each request with what was written so far.

    Raises:
        RunNotFoundError: there is no such run.
        QueryError: the expression cannot be understood.
        StoreError: the store cannot be read.
        OSError: the file cannot be written.
    """
    is_all = runs is None and where is None and experiment is None
    with open_chosen(store) as reader:
        chosen = chosen_runs(reader, runs, where=where, experiment=experiment)
        with whole_file(Path(path)) as sink:
            return write_otlp(
                reader.store,
                [run.record for run in chosen],
                sink,
                form=form,
                unattached=is_all if unattached is None else unattached,
                on_progress=on_progress,
            )


def import_otlp(
    *files: str | os.PathLike[str] | IO[bytes],
    store: str | os.PathLike[str] | StoreObject | None = None,
    on_progress: Callable[[int, int | None, ImportReport], None] = lambda *_: None,
) -> ImportReport:
    """Store what files of OTLP hold: of `export_otlp`, of the Collector's file exporter, of any program that writes OTLP.

    JSON lines, JSON documents and protobuf are read, also when they are compressed with gzip or zstd. Runs of ours come in as
    they were, those of other programs as the receiver would take them. Importing a file twice is importing it once, and one
    that was stopped is made whole by importing it again. A file that is no OTLP is left out where others can be read, and is
    among the report's problems.

    Args:
        files: paths, or open files of bytes.
        store: where to; by default the store that this process records into, else that of the settings. It is made where there is none.
        on_progress: called with how many bytes of the files are read, how many there are (None where that is not known),
            and the report so far.

    Raises:
        TelemetryDecodeError: the files are no OTLP at all.
        MissingPackageError: they are compressed with zstd, and the package for that is missing.
        StoreError: the store cannot be written.
        OSError: a file cannot be read.
    """
    report, failures = read_otlp(files, store=store, on_progress=on_progress)
    if failures and len(failures) == len(files):
        raise failures[0]
    return report


def read_otlp(
    files: Sequence[str | os.PathLike[str] | IO[bytes]],
    *,
    store: str | os.PathLike[str] | StoreObject | None = None,
    on_progress: Callable[[int, int | None, ImportReport], None] = lambda *_: None,
) -> tuple[ImportReport, list[OtelExperimentsError]]:
    """Do what `import_otlp` does, and return the errors of files that cannot be read instead of raising one.

    Raises:
        StoreError: the store cannot be written.
        OSError: a file cannot be read.
    """
    try:
        with writing(store) as (opened, settings):
            return _imported(files, opened, settings.location, on_progress)
    except StoreLockedError as error:
        raise StoreLockedError(path=error.path, waited_s=error.waited_s, is_importing=True) from error


def _imported(
    files: Sequence[str | os.PathLike[str] | IO[bytes]],
    store: Store,
    location: StoreLocation,
    on_progress: Callable[[int, int | None, ImportReport], None],
) -> tuple[ImportReport, list[OtelExperimentsError]]:
    total, done = _total_bytes(files), 0
    before = _counts(store)
    one = _Import(store, location.absolute_path)
    failures: list[OtelExperimentsError] = []

    def tell(raw: IO[bytes] | None) -> None:
        on_progress(done + (raw.tell() if raw is not None else 0), total, one.report)

    for file in files:
        try:
            if isinstance(file, (str, os.PathLike)):
                with Path(file).open("rb") as raw:
                    one.read(raw, str(file), partial(tell, raw))
            else:
                one.read(file, str(getattr(file, "name", "") or "the file"), partial(tell, None))
        except (TelemetryDecodeError, MissingPackageError) as error:
            failures.append(error)
        if isinstance(file, (str, os.PathLike)):
            done += Path(file).stat().st_size
    one.report.new += _counts(store) - before
    return one.report, failures


def _counts(store: Store) -> Counter[str]:
    """Return how many items a store holds, by what they are called."""
    if store.location == "memory://":  # which has no SQL, and is gone after the import
        return Counter()
    try:
        return Counter({noun: store.sql(statement)[1][0][0] or 0 for noun, statement in _COUNTS.items()})
    except QueryError:  # another package's, which has no SQL
        series = store.series(store.find_run_ids(RunQuery(visibility="all")))
        return Counter(
            {
                "spans": len(store.spans(SpanQuery())),
                "log records": len(store.log_records()),
                "metric points": sum(one.summary.count for found in series.values() for one in found),
                "data points of instruments": len(store.instrument_points()),
                "artifacts": len(store.artifacts(ArtifactQuery(role=None))),
            }
        )


def _total_bytes(files: Iterable[str | os.PathLike[str] | IO[bytes]]) -> int | None:
    paths = [Path(file) for file in files if isinstance(file, (str, os.PathLike))]
    return sum(path.stat().st_size for path in paths) if len(paths) == len(list(files)) else None


class _Import:
    """Reads files into one store."""

    def __init__(self, store: Store, path: Path | None) -> None:
        self.report = ImportReport()
        self._store = store
        self._path = path
        self._held = WriteBatch()
        self._held_bytes = 0
        self._latest_problem = ""

    def read(self, raw: IO[bytes], name: str, tell_progress: Callable[[], None]) -> None:
        """Store what a file holds.

        Raises:
            TelemetryDecodeError: it is no OTLP at all.
        """
        before = sum(self.report.found.values()), self.report.unreadable_count
        try:
            self._read_parts(raw, name, tell_progress)
        except (TelemetryDecodeError, MissingPackageError) as error:
            self._note(str(error).partition("\n")[0])
            raise
        finally:
            self._flush()
        tell_progress()
        found, unreadable = sum(self.report.found.values()), self.report.unreadable_count
        if found == before[0] and unreadable > before[1]:
            raise TelemetryDecodeError(source=name, found=self._latest_problem.removeprefix(f"{name}, "))

    def _read_parts(self, raw: IO[bytes], name: str, tell_progress: Callable[[], None]) -> None:
        for part in parts_of(raw, name=name):
            if isinstance(part, Unreadable):
                self._note(f"{name}, {part.place}: {part.why}")
                continue
            self._take(part, name)
            if self._held_bytes >= _FLUSH_BYTES:
                self._flush()
                tell_progress()

    def _take(self, part: FilePart, name: str) -> None:
        try:
            checked = check_request(part.signal, part.encoding, part.payload)
        except TelemetryDecodeError as error:
            self._note(f"{name}, {part.place}: {error.found}")
            return
        now_ns = time.time_ns()
        request = ReceivedRequest(part.signal, part.encoding, part.payload, now_ns, is_imported=True)
        batch = WriteBatch(received=[request])
        problems = unpack(batch, store=self._path)
        for problem in problems:
            self._note(f"{name}, {part.place}: {problem}")
        self.report.refused_count += checked.refused_count
        if checked.refused_count:
            self._tell(f"{name}, {part.place}: {checked.message}")
        _date(batch)
        self._count(batch)
        for field_name in WriteBatch.__slots__:
            getattr(self._held, field_name).extend(getattr(batch, field_name))
        self._held_bytes += len(part.payload)

    def _count(self, batch: WriteBatch) -> None:
        points = sum(len(block.times_ns) * len(block.keys) for block in batch.points)
        counts = {
            "spans": len(batch.spans),
            "log records": len(batch.log_records),
            "metric points": points,
            "data points of instruments": len(batch.instrument_points),
            "artifacts": len(batch.artifacts),
        }
        self.report.found.update({noun: count for noun, count in counts.items() if count})
        for items in (batch.runs, batch.spans, batch.log_records, batch.points, batch.instrument_points):
            self.report.run_ids.update(item.run_id for item in items if item.run_id is not None)

    def _flush(self) -> None:
        held, self._held, self._held_bytes = self._held, WriteBatch(), 0
        if held:
            self._store.apply(held)

    def _note(self, problem: str) -> None:
        self.report.unreadable_count += 1
        self._tell(problem)

    def _tell(self, problem: str) -> None:
        self._latest_problem = problem
        self.report.problem_count += 1
        if len(self.report.problems) < _SHOWN:
            self.report.problems.append(problem)


def _date(batch: WriteBatch) -> None:
    """Let runs have been alive when the latest of their items was recorded: a file may be old, and says nothing of today."""
    latest: dict[str | None, int] = {}

    def see(run_id: str | None, time_ns: int) -> None:
        latest[run_id] = max(latest.get(run_id, 0), time_ns)

    for span in batch.spans:
        see(span.run_id, span.end_ns or span.start_ns)
    for record in batch.log_records:
        see(record.run_id, record.time_ns)
    for point in batch.instrument_points:
        see(point.run_id, point.time_ns)
    for block in batch.points:
        see(block.run_id, max(block.times_ns))
    batch.heartbeats = [
        replace(beat, time_ns=min(beat.time_ns, latest.get(beat.run_id, beat.time_ns)))
        for beat in batch.heartbeats
    ]
