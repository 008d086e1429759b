"""The doctor's look at the bytes of artifacts: what is missing, unused, half written, and with --deep damaged. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator

from otel_experiments.artifacts.place import blobs_for
from otel_experiments.artifacts.protocol import BlobStore
from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.cli.root import typed_store
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.errors import ArtifactDamagedError, ArtifactError, MissingPackageError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import Store
from otel_experiments.store.sqlite.bundle_header import is_bundle

_SHOWN = 3


def check_artifacts(
    location: StoreLocation, store: Store, address: str | None, *, is_deep: bool
) -> Iterator[Diagnosis]:
    """Yield what is to be said about the artifacts that a store knows; `address`: where they are, if not beside it."""
    if location.path is not None and is_bundle(location.path):
        return  # it has its bytes in itself: bundle --check
    logged = [one.logged for one in store.artifacts(ArtifactQuery(role=None))]
    try:
        blobs = blobs_for(location, address)
        here = {one.digest: one.is_folder for one in logged if one.place in {"", blobs.address}}
        if not here and not blobs.is_there():
            return
        if here and not blobs.is_there():
            yield Diagnosis(
                "warning",
                "artifacts",
                f"The bytes of {len(here):,} artifacts are missing: there is nothing at {blobs.address!r}.",
                "If the store was copied, copy the folder of its artifacts as well: it lies beside the store's file.",
            )
            return
        yield from _check_place(blobs, here, is_shared=_is_shared(blobs, location), is_deep=is_deep)
    except (ArtifactError, MissingPackageError) as error:
        text, _, fix = str(error).partition("\n")
        yield Diagnosis("problem", "artifacts", text, fix.strip())


def _is_shared(blobs: BlobStore, location: StoreLocation) -> bool:
    """Tell whether other stores keep bytes in the place as well."""
    path = location.absolute_path
    return any(path is None or user.path != os.path.realpath(path) for user in blobs.users())


def _check_place(
    blobs: BlobStore, known: dict[str, bool], *, is_shared: bool, is_deep: bool
) -> Iterator[Diagnosis]:
    there = {blob.digest: blob.size_bytes for blob in blobs.digests()}
    used, damaged = set(known), list[str]()
    for digest, is_folder in known.items():
        if is_folder and digest in there:
            try:
                used.update(entry.digest for entry in blobs.folder(digest))
            except ArtifactDamagedError as error:
                damaged.append(error.path)
    if is_deep:
        damaged += _damaged(blobs, [digest for digest in there if digest in used])
    absent = sorted(used - set(there))
    left_out = {digest for digest in absent if blobs.why_left_out(digest) is not None}
    missing = [digest for digest in absent if digest not in left_out]
    size = fmt.size(sum(there.values()))
    is_well = not missing and not damaged
    yield Diagnosis(
        "ok" if is_well else "note", "artifacts", f"{_files(len(there))}, {size}, in {blobs.address!r}."
    )
    if left_out:
        yield Diagnosis(
            "note",
            "artifacts",
            f"The bytes of {len(left_out):,} were left out of bundles that were imported: {_listed(sorted(left_out))}.",
            "Import a bundle that has them, if they are wanted.",
        )
    if missing:
        yield Diagnosis(
            "problem",
            "artifacts",
            f"The bytes of {len(missing):,} are missing: {_listed(missing)}.",
            f"Put back a copy of the folder; which ones: otel-experiments artifacts verify{typed_store()}",
        )
    if damaged:
        yield Diagnosis(
            "problem",
            "artifacts",
            f"{_files(len(damaged))} damaged: {_listed(list(dict.fromkeys(damaged)))}.",
            "Put back a copy of them, or log the same bytes again.",
        )
    unused = [] if is_shared else [size for digest, size in there.items() if digest not in used]
    rests = [rest.size_bytes for rest in blobs.partials() if not rest.is_being_written]
    if unused or rests:
        yield Diagnosis(
            "note",
            "artifacts",
            f"Nothing in the store refers to {_files(len(unused))} ({fmt.size(sum(unused))}); {_files(len(rests))} "
            f"({fmt.size(sum(rests))}) left half written.",
            f"otel-experiments gc --dry-run{typed_store()} says what it would remove",
        )


def _damaged(blobs: BlobStore, digests: list[str]) -> Iterator[str]:
    for digest in digests:
        try:
            blobs.verify(digest)
        except ArtifactDamagedError as error:
            yield error.path
        except ArtifactError:
            yield digest


def _files(count: int) -> str:
    return f"{count:,} file{'s' * (count != 1)}"


def _listed(texts: list[str]) -> str:
    return ", ".join(texts[:_SHOWN]) + (", ..." if len(texts) > _SHOWN else "")
