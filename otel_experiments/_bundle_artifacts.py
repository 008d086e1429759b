"""The bytes of artifacts on their way into a bundle: which are taken, each once, and which are named and left out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_experiments.errors import ArtifactError, ArtifactMissingError
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import LeftOut, WhyLeftOut
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import Store
from otel_experiments.store.location import open_blobs
from otel_experiments.store.sqlite.bundle_write import BundleWriter

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs

_PIECE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Taken:
    """Which bytes are taken. Units: bytes, of a whole artifact."""

    artifacts: bool = True
    max_artifact_bytes: int | None = None


class ArtifactBytes:
    """Takes the bytes of one run's artifacts after the other."""

    def __init__(self, store: Store, location: StoreLocation, writer: BundleWriter, taken: Taken) -> None:
        self._store, self._location, self._writer, self._taken = store, location, writer, taken
        self._places: dict[str, Blobs] = {}
        self._has: dict[str, bool] = {}
        """Whether the bytes of an artifact that was met are in the bundle."""

    def take(self, run_id: str) -> None:
        """Take what a run logged, artifacts and media."""
        for stored in self._store.artifacts(ArtifactQuery(role=None, run_ids=(run_id,))):
            logged = stored.logged
            if logged.digest not in self._has:
                self._has[logged.digest] = self._take(logged)

    def placed(self, page: WriteBatch) -> WriteBatch:
        """Return the page with artifacts that lie nowhere else, where the bundle has their bytes."""
        if any(one.place for one in page.artifacts):
            page.artifacts = [
                replace(one, place="") if self._has.get(one.digest) else one for one in page.artifacts
            ]
        return page

    def note_outside(self, run_ids: Sequence[str]) -> None:
        """Note what these runs used and none of them made: it is named, and not in the bundle."""
        for used in self._store.artifact_uses(run_ids=run_ids):
            if used.digest in self._has:
                continue
            self._has[used.digest] = False
            known = self._store.artifacts(ArtifactQuery(role=None, digest=used.digest))
            size_bytes = known[0].logged.size_bytes if known else 0
            name = used.name or (known[0].logged.name if known else "")
            self._writer.leave_out(LeftOut(used.digest, name, size_bytes, "outside"))

    def _take(self, logged: ArtifactLogged) -> bool:
        why: WhyLeftOut
        limit = self._taken.max_artifact_bytes
        if not self._taken.artifacts:
            why = "not asked for"
        elif limit is not None and logged.size_bytes > limit:
            why = "too large"
        else:
            try:
                self._add(logged, self._place_of(logged))
            except ArtifactMissingError:
                why = self._place_of(logged).why_left_out(logged.digest) or "missing"
            except ArtifactError:
                why = "damaged"
            else:
                return True
        self._writer.leave_out(LeftOut(logged.digest, logged.name, logged.size_bytes, why))
        return False

    def _add(self, logged: ArtifactLogged, blobs: Blobs) -> None:
        digests = [logged.digest]
        if logged.is_folder:
            digests += [entry.digest for entry in blobs.folder(logged.digest)]
        for digest in digests:
            if not self._writer.has_blob(digest):
                self._writer.add_blob(digest, _pieces(blobs, digest))

    def _place_of(self, logged: ArtifactLogged) -> Blobs:
        """Return the place that has the bytes: the store's own where they are there, else the one that is named."""
        own = self._opened("")
        return own if not logged.place or own.has(logged.digest) else self._opened(logged.place)

    def _opened(self, address: str) -> Blobs:
        if address not in self._places:
            self._places[address] = open_blobs(self._location, address)
        return self._places[address]


def _pieces(blobs: Blobs, digest: str) -> Iterator[bytes]:
    with blobs.open(digest) as source:
        while piece := source.read(_PIECE_BYTES):
            yield piece
