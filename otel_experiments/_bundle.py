"""Runs into one file that is only read: a bundle, which is a store that carries the bytes of its artifacts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from otel_experiments._bundle_artifacts import ArtifactBytes, Taken
from otel_experiments._chosen_store import open_chosen
from otel_experiments.errors import ConfigurationError, RunNotFoundError
from otel_experiments.importers.stores.gather import gathered
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import BundleManifest, LeftOut
from otel_experiments.model.experiment import experiment_of
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.store_location import BUNDLE_SUFFIX, StoreLocation
from otel_experiments.process.paths import is_folder
from otel_experiments.query import Reader, RunView
from otel_experiments.query.anonymous import anonymous
from otel_experiments.query.chosen import chosen_runs
from otel_experiments.semconv import SCHEMA_URL
from otel_experiments.semconv.events import ML_EXPERIMENT_DEFINITION
from otel_experiments.store import open_store
from otel_experiments.store.shared_environment import whole_run_alone
from otel_experiments.store.sqlite.bundle_header import is_bundle
from otel_experiments.store.sqlite.bundle_read import find_damage, read_manifest
from otel_experiments.store.sqlite.bundle_write import BundleWriter, writing_bundle

_ITEMS: Final = ("spans", "log_records", "instrument_points", "artifacts")


@dataclass(frozen=True, slots=True)
class BundleReport:
    """What was put into a bundle.

    Attributes:
        path: the file.
        size_bytes: how large it is.
        run_ids: the runs in it.
        live_run_ids: which of them are still going on: the bundle has what was stored of them so far.
        item_count: how many spans, log records, data points, metric points and artifacts were taken.
        blob_count: of how many files, and lists of folders, the bytes are in it.
        left_out: the artifacts whose bytes are not in it, and why.
        rows_digest: the digest of all that is in it but the bytes of artifacts, which have their own.
    """

    path: Path
    size_bytes: int
    run_ids: tuple[str, ...]
    live_run_ids: tuple[str, ...]
    item_count: int
    blob_count: int
    left_out: tuple[LeftOut, ...]
    rows_digest: str


def bundle(  # noqa: PLR0913 - each argument is one choice
    runs: str | RunView | Iterable[str | RunView] | None,
    path: str | os.PathLike[str],
    *,
    where: str | None = None,
    experiment: str | None = None,
    artifacts: bool = True,
    max_artifact_bytes: int | None = None,
    anonymize: bool = False,
    store: str | os.PathLike[str] | StoreObject | None = None,
    on_progress: Callable[[int, int, int], None] = lambda *_: None,
) -> BundleReport:
    """Write runs into one file that `ox.open`, every reading command and `import` read, on any machine.

    The file appears whole or not at all; one that is there is replaced. A run that is still going on is taken as far as it
    is stored.

    Args:
        runs: runs, ids, beginnings of ids, or names (the newest run of a name). None: those of `where` and `experiment`,
            and without these all.
        path: the file, whose name ends in `.oxb`.
        where: a search expression; all runs that match.
        experiment: only runs of this experiment.
        artifacts: whether the bytes of artifacts and media are taken; what is known of them always is.
        max_artifact_bytes: leave out the bytes of artifacts that are larger.
        anonymize: whether ids become others, and what says who and where is left out, the bytes of artifacts among it.
        store: where the runs are; by default the store that this process records into, else that of the settings.
        on_progress: called with how many runs are taken, how many there are, and how many items that were so far.

    Raises:
        ConfigurationError: the name has another ending, or the file is the store itself.
        RunNotFoundError: there is no such run, or none at all.
        QueryError: the expression cannot be understood.
        StoreError: the store cannot be read.
        OSError: the file cannot be written.
    """
    target = check_target(Path(path))
    with open_chosen(store) as reader:
        chosen = chosen_runs(reader, runs, where=where, experiment=experiment)
        rule = Taken(artifacts and not anonymize, max_artifact_bytes)
        shown, runs_shown = anonymous(reader, chosen) if anonymize and chosen else (reader, chosen)
        return write_bundle(
            shown, runs_shown, target, choice=where or "", taken=rule, on_progress=on_progress
        )


def write_bundle(
    reader: Reader,
    runs: Iterable[RunView],
    path: Path,
    *,
    choice: str = "",
    taken: Taken = Taken(),  # noqa: B008 - frozen
    on_progress: Callable[[int, int, int], None] = lambda *_: None,
) -> BundleReport:
    """Write the runs of a reader into a bundle. See `bundle`.

    `choice` is what they were chosen by, for the error where there are none; empty for all.
    """
    chosen = list({run.id: run for run in runs}.values())
    if not chosen:
        known = [run.name for run in reader.runs()]
        raise RunNotFoundError(wanted=choice, store=reader.location, known=known)
    live = tuple(run.id for run in chosen if run.state.is_live)
    items = 0
    with writing_bundle(path) as writer:
        bytes_of = ArtifactBytes(reader.store, StoreLocation.parse(reader.location), writer, taken)
        done = 0

        run_ids = {run.id for run in chosen}

        def all_pages() -> Iterator[WriteBatch]:
            nonlocal done
            for run in chosen:
                bytes_of.take(run.id)
                pages = whole_run_alone(reader.store, run.id, among=run_ids)
                yield from map(bytes_of.placed, pages)
                done += 1
            experiments = {run.experiment for run in chosen}
            definitions = reader.store.log_records(event_name=ML_EXPERIMENT_DEFINITION.name)
            yield WriteBatch(log_records=[one for one in definitions if experiment_of(one) in experiments])

        for page in gathered(all_pages()):
            writer.apply(page)
            items += _count(page)
            on_progress(done, len(chosen), items)
        bytes_of.note_outside([run.id for run in chosen])
        made = _finish(writer, chosen, live)
    on_progress(len(chosen), len(chosen), items)
    return BundleReport(
        path=path,
        size_bytes=path.stat().st_size,
        run_ids=tuple(run.id for run in chosen),
        live_run_ids=live,
        item_count=items,
        blob_count=made.blob_count,
        left_out=made.left_out,
        rows_digest=made.rows_digest,
    )


def check_bundle_file(path: Path) -> tuple[BundleManifest, list[str]]:
    """Return what a bundle says of itself, and what in it is not as it was made, one text each. All of it is read.

    Raises:
        ConfigurationError: it is a store that is recorded into.
        StoreError: it is neither, or cannot be opened.
    """
    open_store(path, read_only=True, create=False).close()
    if not is_bundle(path):
        raise ConfigurationError(
            f"{str(path)!r} is no bundle: it is a store that is recorded into.\n"
            f"  Make a bundle of it: otel-experiments bundle --all -o {path.stem}{BUNDLE_SUFFIX} --store {path}"
        )
    return read_manifest(path), find_damage(path)


def check_target(target: Path) -> Path:
    """Return the path itself where a bundle may be written to it.

    Raises:
        ConfigurationError: its name has another ending, or it is a directory.
    """
    if target.suffix.lower() != BUNDLE_SUFFIX:
        raise ConfigurationError(
            f"A bundle cannot be written to {str(target)!r}: its name ends in {target.suffix or 'nothing'!r}.\n"
            f"  Let it end in {BUNDLE_SUFFIX}, by which it is known for a bundle: {target.with_suffix(BUNDLE_SUFFIX)}"
        )
    if is_folder(target):
        raise ConfigurationError(
            f"A bundle cannot be written to {str(target)!r}: it is a directory.\n"
            f"  Name a file in it: {target / f'runs{BUNDLE_SUFFIX}'}"
        )
    return target


def _finish(writer: BundleWriter, chosen: list[RunView], live: tuple[str, ...]) -> BundleManifest:
    return writer.finish(
        BundleManifest(
            format_version=0,  # of who writes it
            product_version=version("otel-experiments"),
            schema_url=SCHEMA_URL,
            created_ns=time.time_ns(),
            run_count=len(chosen),
            live_run_ids=live,
        )
    )


def _count(page: WriteBatch) -> int:
    points = sum(len(block.times_ns) * len(block.keys) for block in page.points)
    return points + sum(len(getattr(page, name)) for name in _ITEMS)
