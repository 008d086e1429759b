"""Stores and bundles into a store: what both have is there once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from otel_experiments._chosen_store import writing
from otel_experiments._merge_artifacts import AliasMoves, ArtifactBytes, renumbered
from otel_experiments._opening import open_reader
from otel_experiments.collect.gather import merge_journals
from otel_experiments.errors import (
    ConfigurationError,
    IncompleteReadWarning,
    StoreDamagedError,
    StoreError,
    StoreLockedError,
)
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.importers.stores.gather import gathered
from otel_experiments.importers.stores.lock import importing
from otel_experiments.importers.stores.merge import pages_of_run
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.run import is_run_id
from otel_experiments.model.search import RunQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.file_mode import file_mode_of
from otel_experiments.process.paths import is_regular
from otel_experiments.record.base.settings import Settings
from otel_experiments.store import Store
from otel_experiments.store.location import open_blobs
from otel_experiments.store.reader_warning import collect_incomplete
from otel_experiments.store.sqlite.bundle_header import GET_IT_AGAIN, is_bundle
from otel_experiments.store.sqlite.bundle_read import find_damaged_rows

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import BlobStore
    from otel_experiments.model.run import Run

_ITEMS = {
    "spans": "spans",
    "log_records": "log records",
    "instrument_points": "data points of instruments",
    "artifacts": "artifacts",
}


@dataclass(slots=True)
class MergeReport:
    """What an import of stores found and stored.

    Attributes:
        new_run_ids: the runs that the store did not know.
        known_run_ids: those that it knew; what it had of them stays, and what it lacked was added.
        new_point_count: how many metric points it did not have.
        found: how many items were read, by what they are called (`spans`, `log records`, `data points of instruments`,
            `artifacts`). Those that the store had already are among them.
        renumbered: versions of artifacts that have another number in this store, one text each, since here their name had
            other bytes under that number.
        moved_aliases: aliases of this store that point at another version now, since they were set later in a source, one
            text each.
        left_out: bundles that were made without the bytes of some artifacts, as asked, one text each.
        problems: what could not be taken, rows and whole sources included, one text each.
    """

    new_run_ids: list[str] = field(default_factory=list)
    known_run_ids: list[str] = field(default_factory=list)
    new_point_count: int = 0
    found: dict[str, int] = field(default_factory=dict)
    renumbered: list[str] = field(default_factory=list)
    moved_aliases: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Whether all that the stores hold is stored."""
        return not self.problems


def import_store(
    *sources: str | os.PathLike[str],
    store: str | os.PathLike[str] | StoreObject | None = None,
    restore: bool = False,
    on_progress: Callable[[int, int, MergeReport], None] = lambda *_: None,
) -> MergeReport:
    """Store what other stores and bundles hold, beside what the store has. What both have is there once.

    Importing the same again changes nothing, and the order of several does not matter: of a param or tag that both stores
    have the later value counts, of a run's state the later one. The bytes of artifacts are copied, each once. One that was stopped is made whole by importing it again. The
    sources are left as they are. A row that cannot be read, and a source where others can be read, are left out and
    among the report's problems.

    Args:
        sources: addresses of stores, and bundles.
        store: where to; by default the store that this process records into, else that of the settings. It is made where there is none.
        restore: whether runs that were purged from the store are taken as well; without it they are left out, and the
            report says so.
        on_progress: called with how many runs of a source are done, how many it has, and the report so far.

    Raises:
        ConfigurationError: a source is the store itself.
        StoreDamagedError: the rows of a bundle are not those that it was made with, and there is no other source.
        StoreError: none of the sources can be read, or the store cannot be written.
    """
    report, failures = merge_stores(sources, store=store, restore=restore, on_progress=on_progress)
    if failures and len(failures) == len(sources):
        raise failures[0]
    return report


def merge_stores(
    sources: Sequence[str | os.PathLike[str]],
    *,
    store: str | os.PathLike[str] | StoreObject | None = None,
    restore: bool = False,
    on_progress: Callable[[int, int, MergeReport], None] = lambda *_: None,
) -> tuple[MergeReport, list[StoreError]]:
    """Do what `import_store` does, and return the errors of sources that cannot be read instead of raising one.

    Raises:
        ConfigurationError: a source is the store itself.
        StoreError: the store cannot be written.
    """
    report = MergeReport()
    failures: list[StoreError] = []
    try:
        with writing(store) as (target, settings), _importing(settings) as (path, blobs):
            if path is not None:
                merge_journals(path, unpack=unpack_for(path))  # else what waits there would come once more
            into = _Target(target, path, blobs, settings.artifacts or "")
            for source in sources:
                where = StoreLocation.parse(source).require_store()
                try:
                    _import_one(where, into, report, on_progress, restore=restore)
                except StoreError as error:
                    if not _is_about(error, where):
                        raise
                    report.problems.append(first_line(error))
                    failures.append(error)
    except StoreLockedError as error:
        raise StoreLockedError(path=error.path, waited_s=error.waited_s, is_importing=True) from error
    return report, failures


@contextmanager
def _importing(settings: Settings) -> Iterator[tuple[Path | None, BlobStore]]:
    """Keep other imports away, and give the file of the store, if it has one, and where it keeps bytes."""
    path = settings.store_path
    with importing(path), closing(_blobs_of(settings, path)) as blobs:
        yield path, blobs


def _is_about(error: StoreError, source: StoreLocation) -> bool:
    """Tell whether an error is of a source that is read; else it is of the store that takes everything."""
    return getattr(error, "path", None) in {str(source), str(source.path), str(source.absolute_path)}


def first_line(text: object) -> str:
    """Return what an error or a warning says first: what happened, and to what."""
    return str(text).partition("\n")[0]


class _Target(NamedTuple):
    """The store that takes everything, its file, where it keeps bytes, and the address of that where it is not beside it."""

    store: Store
    path: Path | None
    blobs: BlobStore
    place: str

    def knows(self, digest: str) -> bool:
        """Tell whether the store has an artifact of these bytes."""
        return bool(self.store.artifacts(ArtifactQuery(role=None, digest=digest)))


def _blobs_of(settings: Settings, path: Path | None) -> BlobStore:
    from otel_experiments.artifacts.place import blobs_for  # noqa: PLC0415 - only where something is imported

    return blobs_for(settings.location, settings.artifacts, file_mode=file_mode_of(settings.store_mode, path))


def _import_one(
    where: StoreLocation,
    into: _Target,
    report: MergeReport,
    on_progress: Callable[[int, int, MergeReport], None],
    *,
    restore: bool,
) -> None:
    path = where.absolute_path
    if path is not None and into.path is not None and is_regular(path) and path.samefile(into.path):
        raise ConfigurationError(
            f"{str(where)!r} cannot be imported into itself.\n  Name the store that is to take it: --store PATH"
        )
    with _telling(report), open_reader(where) as reader:
        is_one_file = path is not None and is_bundle(path)
        if path is not None and is_one_file:
            _check(path)
        brings = ArtifactBytes(
            open_blobs(where), into.blobs, into.place, is_bundle=is_one_file, is_known=into.knows
        )
        aliases = AliasMoves(into.store)
        one = _Import(reader.store, into.store, report, restore=restore)
        for page in gathered(one.pages()):
            aliases.note(page)
            with brings.brought(page) as whole:
                into.store.apply(whole)
            one.count(page)
            on_progress(one.done, len(one.runs), report)
        for run in one.runs:
            report.renumbered += renumbered(reader.store, into.store, run.run_id)
        report.moved_aliases += aliases.moved()
        report.left_out += _without_bytes(where, len(brings.not_wanted), is_bundle=is_one_file)
        report.problems += [*brings.problems, *reader.read_problems()]


@contextmanager
def _telling(report: MergeReport) -> Iterator[None]:
    """Add each row that cannot be read to the report, however often it is asked for."""
    with warnings.catch_warnings(), collect_incomplete() as told:
        warnings.simplefilter("ignore", IncompleteReadWarning)  # the report has them
        try:
            yield
        finally:
            report.problems += dict.fromkeys(map(first_line, told))


def _check(path: Path) -> None:
    """Let a bundle pass whose rows are those that it was made with.

    Its files are checked as they are read.

    Raises:
        StoreDamagedError: its rows are others.
    """
    damage = find_damaged_rows(path)
    if damage:
        raise StoreDamagedError(path=str(path), found=damage, fix=GET_IT_AGAIN)


def _without_bytes(where: StoreLocation, count: int, *, is_bundle: bool) -> list[str]:
    """Return a text where bytes of so many artifacts were left out on purpose."""
    if not count:
        return []
    what = f"the bytes of {count} artifact{'s' * (count != 1)}"
    if is_bundle:
        return [f"{where} was made without {what}, as asked"]
    return [f"{where} has imported bundles that were made without {what}, as asked"]


def _no_id(run: Run) -> str:
    return (
        f"The run {run.name!r} was left out: its id is {run.run_id!r:.80}, and an id is 32 hexadecimal digits"
    )


def _purged(runs: Sequence[Run]) -> str:
    many = "1 run was" if len(runs) == 1 else f"{len(runs):,} runs were"
    return f"{many} left out, {runs[0].name!r} first, since this store has purged it: --restore (restore=True) takes it"


class _Import:
    """What one source has that the store lacks, run by run."""

    def __init__(self, source: Store, target: Store, report: MergeReport, *, restore: bool) -> None:
        found = source.find_runs(RunQuery(visibility="all"))
        self._purged = target.purged_runs()
        runs = [run for run in found if is_run_id(run.run_id)]
        gone = [] if restore else [run for run in runs if self._is_gone(run)]
        self.runs = [run for run in runs if run not in gone] if gone else runs
        report.problems += [_no_id(run) for run in found if not is_run_id(run.run_id)]
        report.left_out += [_purged(gone)] if gone else []
        self.done = 0
        self._source, self._target, self._report = source, target, report

    def _is_gone(self, run: Run) -> bool:
        return run.created_ns <= self._purged.get(run.run_id, run.created_ns - 1)

    def pages(self) -> Iterator[WriteBatch]:
        """Yield the pages of all runs, then those of no run."""
        for run in self.runs:
            is_known = self._target.get_run(run.run_id) is not None
            if self._is_gone(run):
                yield WriteBatch(revivals=[run.run_id])
            yield from pages_of_run(self._source, self._target, run.run_id)
            (self._report.known_run_ids if is_known else self._report.new_run_ids).append(run.run_id)
            self.done += 1
        yield from pages_of_run(self._source, self._target, None)

    def count(self, page: WriteBatch) -> None:
        """Add what was stored to the report."""
        self._report.new_point_count += sum(len(block.times_ns) * len(block.keys) for block in page.points)
        for name, noun in _ITEMS.items():
            if count := len(getattr(page, name)):
                self._report.found[noun] = self._report.found.get(noun, 0) + count
