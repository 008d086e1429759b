"""The doctor's look at the store file and at the journals beside it. Changes nothing."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from otel_experiments.cli.doctor.artifacts import check_artifacts
from otel_experiments.cli.doctor.bundle import check_bundle
from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.cli.doctor.rows import check_rows
from otel_experiments.cli.root import typed_store
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.collect.journal_place import damaged_journals, journal_directory
from otel_experiments.collect.journal_reports import held_elsewhere
from otel_experiments.collect.opening import WHOLE_TEXT, lacks_its_rest
from otel_experiments.errors import (
    JournalError,
    MappingFileError,
    StoreError,
    StoreLockedError,
    StoreNotFoundError,
)
from otel_experiments.importers.otlp.emitters import Emitters
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.journal.names import SEGMENT_SUFFIX
from otel_experiments.journal.owner import is_alive
from otel_experiments.journal.scan import scan
from otel_experiments.model.attachment import TelemetryQuery
from otel_experiments.model.other_stores import without_password
from otel_experiments.model.search import RunQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query.unsent import unsent_texts
from otel_experiments.store import Store, open_store
from otel_experiments.store.filesystem import NETWORK_FILESYSTEMS, filesystem_of
from otel_experiments.store.sqlite.bundle_header import is_bundle

_LITTLE_ROOM_BYTES = 1_000_000_000
_LARGE_STORE_BYTES = 500_000_000
_LOCK_WAIT_S = 0.5
_ELSEWHERE = "Name another place: --store PATH or OTEL_EXPERIMENTS_STORE=PATH"


def check_store(
    location: StoreLocation, path: Path | None, *, artifacts: str | None = None, is_deep: bool
) -> Iterator[Diagnosis]:
    """Yield what is to be said about the store at `location`, whose file is `path` (None: it has none).

    `artifacts` is where the bytes of its artifacts are, if not beside it.
    """
    if path is None:
        yield from _check_without_file(location, artifacts, is_deep=is_deep)
        return
    if location.is_bundle or is_bundle(path):
        yield from check_bundle(path)
        return
    yield from _check_folder(path)
    yield from _check_mapping(path)
    log_bytes = _size(path.with_name(f"{path.name}-wal"))
    try:
        store = open_store(location, read_only=True, create=False)
    except StoreNotFoundError:
        yield _none_yet(path)
        yield from check_journals(path, None)
        return
    except StoreError as error:
        yield _problem("store", error)
        return
    with store:
        size = sum(_size(path.with_name(path.name + suffix)) for suffix in ("", "-wal"))
        try:
            yield from _check_database(store, size, is_deep=is_deep)
            if is_deep or size <= _LARGE_STORE_BYTES:
                yield from check_rows(store, is_deep=is_deep)
            runs = store.count_runs(RunQuery())
            yield Diagnosis("ok", "store", f"{str(path)!r}: {runs} run{'s' * (runs != 1)}, {fmt.size(size)}.")
            if not log_bytes and lacks_its_rest(path, store):
                yield _copied(path)
            yield from _check_losses(store)
            yield from _check_unsent(store)
            yield from _check_unattached(store)
            yield from check_artifacts(location, store, artifacts, is_deep=is_deep)
        except StoreError as error:
            yield _problem("store", error)
            return
        yield _check_writing(location, path)
        yield from check_journals(path, store)


def _check_without_file(
    location: StoreLocation, artifacts: str | None, *, is_deep: bool
) -> Iterator[Diagnosis]:
    shown = without_password(str(location))
    try:
        store = open_store(location)  # in memory, or of a kind there is not
    except StoreError as error:
        yield _problem("store", error)
        return
    with store:
        if location.beside is None:
            yield Diagnosis("note", "store", f"{shown!r} has no file; nothing of it can be checked.")
            return
        try:
            runs = store.count_runs(RunQuery())
            yield Diagnosis("ok", "store", f"{shown!r}: {runs} run{'s' * (runs != 1)}.")
            yield from _check_losses(store)
            yield from _check_unsent(store)
            yield from _check_unattached(store)
            yield from check_artifacts(location, store, artifacts, is_deep=is_deep)
            for text in held_elsewhere(
                store, journal_directory(location.beside), shown=shown, begin=WHOLE_TEXT
            ):
                lack, _, fix = text.partition("\n")
                yield Diagnosis("warning", "other hosts", lack, fix.strip())
        except StoreError as error:
            yield _problem("store", error)
            return
        yield from check_journals(location.beside, store)


def _check_unsent(store: Store) -> Iterator[Diagnosis]:
    """Yield what endpoints did not take, of processes that are gone: nobody but a push sends it."""
    for text in unsent_texts(store.unsent()):
        yield Diagnosis(
            "warning", "OTLP", text, f"otel-experiments push --unsent --to ENDPOINT{typed_store()} sends them"
        )


def _check_mapping(path: Path) -> Iterator[Diagnosis]:
    """Yield what is wrong with the mapping of foreign telemetry beside the store, if there is one."""
    try:
        Emitters.of_store(path)
    except MappingFileError as error:
        yield _problem("mapping", error)


def _check_unattached(store: Store) -> Iterator[Diagnosis]:
    groups = store.telemetry_groups(TelemetryQuery())
    if groups:
        services = ", ".join(group.service or "(no service)" for group in groups[:3])
        yield Diagnosis(
            "note",
            "telemetry",
            f"Telemetry that belongs to no run is kept, of {services}{', ...' if len(groups) > 3 else ''}.",
            f"otel-experiments attach{typed_store()} lists it, and gives it to a run",
        )


def _check_losses(store: Store) -> Iterator[Diagnosis]:
    losses = store.losses()
    if not losses:
        return
    counts: Counter[str] = Counter()
    for found in losses.values():
        for loss in found:
            counts[loss.kind] += loss.count
    runs = f"{len(losses)} run{'s' * (len(losses) != 1)}"
    shown = ", ".join(f"{kind} {count:,}" for kind, count in counts.most_common(5))
    yield Diagnosis(
        "note",
        "losses",
        f"{runs} did not keep everything as it was given: {shown}{', ...' if len(counts) > 5 else ''}.",
        f"otel-experiments show {next(iter(losses))[:8]}{typed_store()}",
    )


def _none_yet(path: Path) -> Diagnosis:
    text = f"There is none at {str(path)!r} yet"
    folder = _nearest_folder(path)
    if not folder.is_dir():
        return Diagnosis(
            "problem", "store", f"{text}, and none can be made: {str(folder)!r} is no folder.", _ELSEWHERE
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        return Diagnosis(
            "problem",
            "store",
            f"{text}, and none can be made: {str(folder)!r} may not be written.",
            f"chmod u+wx {folder}, or record elsewhere: OTEL_EXPERIMENTS_STORE=PATH",
        )
    return Diagnosis("note", "store", f"{text}.", "The first run makes it: otel-experiments demo")


def _nearest_folder(path: Path) -> Path:
    """Return the closest thing above the path that exists."""
    folder = path.parent
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110 - unlike Path, it never raises
        folder = folder.parent
    return folder


def _copied(path: Path) -> Diagnosis:
    return Diagnosis(
        "warning",
        "store",
        "The file was copied while a process recorded into it, or after it was killed, without "
        f"{path.name}-wal and {path.name}.journals beside it: what was recorded last may be missing.",
        f"Copy all three again, or read the original once (otel-experiments runs{typed_store()}): then the one file holds all.",
    )


def _problem(subject: str, error: Exception) -> Diagnosis:
    text, _, fix = str(error).partition("\n")
    return Diagnosis("problem", subject, text, fix.strip())


def check_journals(path: Path, store: Store | None) -> Iterator[Diagnosis]:
    """Yield what is to be said about the journals of the store at `path`; `store` tells what it holds of them."""
    directory = journal_directory(path)
    yield from _check_damaged(directory)
    try:
        segments = sorted(one for one in directory.iterdir() if one.suffix == SEGMENT_SUFFIX)
    except FileNotFoundError:
        segments = []
    except OSError as error:
        yield Diagnosis(
            "problem",
            "journals",
            f"{str(directory)!r} cannot be read ({error.strerror}).",
            f"ls -ld {directory}",
        )
        return
    if not segments:
        yield Diagnosis("ok", "journals", "None: everything recorded is in the store.")
        return
    pending_bytes = dead_bytes = live_count = 0
    for segment in segments:
        try:
            offset, end, is_live, damages = _look_at(segment, store)
        except FileNotFoundError:
            continue  # drained and deleted while we looked
        except (JournalError, OSError) as error:
            yield _problem("journals", error)
            continue
        live_count += is_live
        pending_bytes += max(0, end - offset)
        dead_bytes += 0 if is_live else max(0, end - offset)
        for damage in damages:
            yield Diagnosis(
                "warning",
                "journals",
                f"{segment.name}: {damage}.",
                "What is readable around it is merged; keep a copy to report it.",
            )
    text = f"{len(segments)} segments, {live_count} of living processes, {fmt.size(pending_bytes)} not stored yet."
    if dead_bytes:
        fix = f"Nothing is lost: the next command that opens the store merges it, e.g. otel-experiments runs{typed_store()}"
        yield Diagnosis(
            "note", "journals", f"{text} {fmt.size(dead_bytes)} are of processes that are gone.", fix
        )
    else:
        yield Diagnosis("ok", "journals", text)


def _check_damaged(directory: Path) -> Iterator[Diagnosis]:
    names = damaged_journals(directory)
    if names:
        yield Diagnosis(
            "warning",
            "journals",
            f"Of {len(names)} journal{'s' * (len(names) != 1)} not all could be read and stored: {names[0]}"
            f"{', ...' if len(names) > 1 else ''} in {str(directory)!r}.",
            "What was readable is stored; keep the files to report it, or delete them.",
        )


def _look_at(path: Path, store: Store | None) -> tuple[int, int, bool, list[str]]:
    """Return how far a segment is stored, how far it is written, whether its process lives, its damages."""
    raw = path.read_bytes()
    header = unpack_header(raw[:HEADER_SIZE_BYTES], path=str(path))
    is_live = is_alive(header.owner) is not False
    stored = 0 if store is None else store.journal_offset(header.segment_id)
    start = max(stored, HEADER_SIZE_BYTES)
    found = scan(raw, start, is_final=not is_live)
    damages = [f"{damage.why} ({damage.length} bytes at {damage.offset})" for damage in found.damages]
    return start, found.end_offset, is_live, damages


def _check_folder(path: Path) -> Iterator[Diagnosis]:
    folder = _nearest_folder(path)
    filesystem = filesystem_of(folder)
    if filesystem.startswith(NETWORK_FILESYSTEMS):
        yield Diagnosis(
            "warning",
            "disk",
            f"{str(folder)!r} is on a network filesystem ({filesystem}), where SQLite's locks cannot be trusted: "
            "runs stay in their journals there, and every reader gathers them anew.",
            "Keep the store on a local disk where you can, and copy or export it when the job is done.",
        )
    try:
        free = shutil.disk_usage(folder).free
    except OSError as error:
        yield Diagnosis(
            "problem", "disk", f"{str(folder)!r} cannot be looked at ({error.strerror}).", f"ls -ld {folder}"
        )
        return
    text = f"{fmt.size(free)} free in {str(folder)!r}."
    if free >= _LITTLE_ROOM_BYTES:
        yield Diagnosis("ok", "disk", text)
    else:
        fix = "Make room, or name a store on another disk: OTEL_EXPERIMENTS_STORE=PATH"
        yield Diagnosis("warning", "disk", text, fix)


def _check_database(store: Store, size: int, *, is_deep: bool) -> Iterator[Diagnosis]:
    schema, mode, version = (
        str(store.sql(question)[1][0][0])
        for question in ("pragma user_version", "pragma journal_mode", "select sqlite_version()")
    )
    yield Diagnosis("ok", "schema", f"Version {schema}, SQLite {version}, journal mode {mode}.")
    if mode != "wal":
        yield Diagnosis(
            "warning",
            "schema",
            f"The journal mode is {mode}, not wal: readers and the writer wait for each other.",
            "The next run that records into the store switches it back, unless the filesystem cannot do it.",
        )
    if size > _LARGE_STORE_BYTES and not is_deep:
        yield Diagnosis(
            "note",
            "integrity",
            "Not checked: the store is large.",
            f"otel-experiments doctor --deep{typed_store()}",
        )
        return
    answers = [str(row[0]) for row in store.sql("pragma quick_check(5)")[1]]
    if answers == ["ok"]:
        yield Diagnosis("ok", "integrity", "The database is whole.")
    else:
        fix = "Copy the file away, then save what can be read: sqlite3 BROKEN '.recover' | sqlite3 NEW"
        found = fmt.shorten("; ".join(" ".join(answer.split()) for answer in answers), 200)
        yield Diagnosis("problem", "integrity", f"The database is damaged: {found}", fix)


def _check_writing(location: StoreLocation, path: Path) -> Diagnosis:
    for one in (path, path.parent):
        if not os.access(one, os.W_OK):
            return Diagnosis(
                "warning",
                "writing",
                f"{str(one)!r} may not be written: reading works, recording here does not.",
                f"chmod u+w {one}, or record elsewhere: OTEL_EXPERIMENTS_STORE=PATH",
            )
    try:
        is_locked = _is_locked(location)
    except StoreError as error:
        return _problem("writing", error)
    if is_locked:
        return Diagnosis(
            "warning",
            "writing",
            "Another process holds the write lock just now.",
            f"Recorded data waits in the journals meanwhile. Who holds it: fuser {path}",
        )
    return Diagnosis("ok", "writing", "The store can be written.")


def _is_locked(location: StoreLocation) -> bool:
    """Tell whether the write lock cannot be had: an empty transaction is tried."""
    try:
        with open_store(location, read_only=False, create=False, busy_timeout_s=_LOCK_WAIT_S) as store:
            store.forget_segments(["doctor"])  # a segment there never is: takes the lock, changes nothing
    except StoreLockedError:
        return True
    return False


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
