"""The bytes of artifacts from one store to another, and what their versions are called there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from otel_experiments.artifacts.prepared import HELD_BYTES
from otel_experiments.errors import ArtifactDamagedError, ArtifactError
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery, StoredArtifact
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.bundle import ON_PURPOSE, WhyLeftOut
from otel_experiments.store import Store

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Adding, Blobs, BlobStore, Prepared


class ArtifactBytes:
    """Brings bytes before the page is stored that names them.

    They are read and hashed before the lock is taken that keeps a sweep away, since a training that logs beside the import
    waits for who holds it and for whom that one waits. Under it they get their name, or are found to be there still.

    What lies at a place of its own, such as a bucket, stays there. What a bundle says of such places is forgotten: it may be
    of a stranger, and reading an artifact would ask the address that they chose.

    Args:
        source: the bytes of the store that is read.
        target: where those of the store that takes them are kept.
        place: the address of `target` where it is not the store's own folder.
        is_bundle: whether a bundle is read.
        is_known: whether the store that takes them has an artifact of a digest already. What it has lost stays lost, though a
            bundle was made without it.
    """

    def __init__(
        self,
        source: Blobs,
        target: BlobStore,
        place: str,
        *,
        is_bundle: bool = False,
        is_known: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._source, self._target, self._place = source, target, place
        self._is_bundle, self._is_known = is_bundle, is_known
        self.problems: list[str] = []
        self.not_wanted: dict[str, WhyLeftOut] = {}
        """The bytes that a bundle was made without on purpose, and that are not here either."""
        self._lacking: set[str] = set()
        self._waiting: dict[str, Prepared] = {}

    @contextmanager
    def brought(self, page: WriteBatch) -> Iterator[WriteBatch]:
        """Yield the page once the bytes of its artifacts are there; it has to be stored before the block ends."""
        if not page.artifacts:
            yield page
            return
        try:
            wanted = [self._wanted(one) for one in page.artifacts]
            with self._target.adding() as adding:
                page.artifacts = [self._named(one, adding) for one in wanted]
                yield page
        finally:
            while self._waiting:
                self._waiting.popitem()[1].discard()

    def _wanted(self, logged: ArtifactLogged) -> _Wanted:
        """Read what an artifact has and this place has not."""
        if self._is_bundle and logged.place:
            logged = replace(logged, place="")
        if not self._source.has(logged.digest):
            if not logged.place and not self._target.has(logged.digest):
                self._note_missing(logged)
            return _Wanted(logged, (logged.digest,), is_here=False)
        digests: list[str] = []
        try:
            if logged.is_folder:
                digests += dict.fromkeys(entry.digest for entry in self._source.folder(logged.digest))
            digests.append(logged.digest)  # last, so that a list has its files
            for digest in digests:
                if digest not in self._waiting and not self._target.has(digest):
                    self._read(digest)
        except ArtifactError as error:
            self._lack(logged, str(error).partition("\n")[0])
            digests = []
        return _Wanted(logged, tuple(digests))

    def _read(self, digest: str) -> None:
        """Keep a small blob at once; have a large one wait, which no sweep takes for unused."""
        if self._source.size_bytes(digest) <= HELD_BYTES:
            with self._source.open(digest) as source:
                data = source.read()
            with self._target.adding() as adding:
                adding.put_bytes(data)
        else:
            self._waiting[digest] = self._prepared(digest)

    def _prepared(self, digest: str) -> Prepared:
        path = self._source.path_of(digest)
        if path is None:
            with self._source.open(digest) as source:
                return self._target.prepare_stream(source)
        prepared = self._target.prepare_file(path)
        if prepared.put.digest != digest:
            prepared.discard()
            raise ArtifactDamagedError(
                digest=digest, path=str(path), found=f"the digest {prepared.put.digest}"
            )
        return prepared

    def _named(self, wanted: _Wanted, adding: Adding) -> ArtifactLogged:
        """Have the bytes of an artifact stay, and return it as it is stored here."""
        logged = wanted.logged
        if not wanted.is_here:
            for digest in wanted.digests:
                adding.hold(digest)
            why = self.not_wanted.get(logged.digest)
            if why is not None and not self._is_known(logged.digest):
                self._target.note_left_out(logged.digest, why)
            return logged
        try:
            for digest in wanted.digests:
                waiting = self._waiting.pop(digest, None)
                if waiting is not None:
                    adding.place(waiting)
                elif not adding.hold(digest):  # swept since it was kept
                    with self._source.open(digest) as source:
                        adding.put_stream(source)
        except ArtifactError as error:
            self._lack(logged, str(error).partition("\n")[0])
        return replace(logged, place=self._place)

    def _note_missing(self, logged: ArtifactLogged) -> None:
        why = self._source.why_left_out(logged.digest)
        if why in ON_PURPOSE:
            self.not_wanted[logged.digest] = why
        else:
            self._lack(logged, "they are not in the store that was read")

    def _lack(self, logged: ArtifactLogged, why: str) -> None:
        if logged.digest not in self._lacking:
            self._lacking.add(logged.digest)
            self.problems.append(f"the bytes of {logged.experiment}/{logged.name} were not taken: {why}")


class _Wanted(NamedTuple):
    """An artifact and the blobs that it needs; `is_here`: the store that is read has its bytes."""

    logged: ArtifactLogged
    digests: tuple[str, ...]
    is_here: bool = True


class AliasMoves:
    """Finds which aliases a store had that point elsewhere after pages were stored. `latest` moves by itself, and is not meant."""

    def __init__(self, target: Store) -> None:
        self._target = target
        self._before: dict[tuple[str, str, str], StoredArtifact | None] = {}

    def note(self, page: WriteBatch) -> None:
        """Remember where the aliases of a page pointed; to be called before it is stored."""
        for one in page.artifact_aliases:
            key = one.experiment, one.name, one.alias
            if key not in self._before:
                self._before[key] = self._now(*key)

    def moved(self) -> list[str]:
        """Return what has moved since, one text each: from which version to which."""
        texts = []
        for key, before in self._before.items():
            after = self._now(*key)
            if before is not None and (after is None or after.logged.digest != before.logged.digest):
                experiment, name, alias = key
                now = "is gone" if after is None else f"is {_version(after)}"
                texts.append(f"{experiment}/{name}:{alias} was {_version(before)}, {now}")
        return texts

    def _now(self, experiment: str, name: str, alias: str) -> StoredArtifact | None:
        found = self._target.artifacts(ArtifactQuery(experiment=experiment, name=name, alias=alias))
        return found[-1] if found else None


def _version(stored: StoredArtifact) -> str:
    return f"v{stored.version}"


def renumbered(source: Store, target: Store, run_id: str) -> list[str]:
    """Return which versions that a run logged have another number in the target, one text each.

    A number is given where a digest comes under its name for the first time, so the same number may be of another digest.
    """
    there = _versions(target, run_id)
    return [
        f"{experiment}/{name}:v{version} is v{there[experiment, name, digest]} here"
        for (experiment, name, digest), version in _versions(source, run_id).items()
        if there.get((experiment, name, digest), version) != version
    ]


def _versions(store: Store, run_id: str) -> dict[tuple[str, str, str], int]:
    return {
        (one.logged.experiment, one.logged.name, one.logged.digest): one.version
        for one in store.artifacts(ArtifactQuery(run_ids=(run_id,)))
        if one.version is not None
    }
