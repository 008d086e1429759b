"""An artifact as a reader sees it: what is known of it at once, its bytes when they are asked for, checked as they are read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from otel_experiments._short_repr import short
from otel_experiments.errors import ArtifactNotFoundError
from otel_experiments.model.artifact import (
    ArtifactLogged,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.process.paths import is_folder
from otel_experiments.query.artifact_source import ArtifactSource, LinkedRun
from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from os import PathLike

    from otel_experiments.artifacts.protocol import Blobs, FolderEntry
    from otel_experiments.model.run import ParamValue

_LONGEST_NAME_BYTES: Final = 200
_SHORT_DIGITS: Final = len("sha256:") + 12


def name_here(logged: ArtifactLogged) -> str:
    """Return a name for the file or folder on this machine, whatever another machine said."""
    for text in (logged.file_name, logged.name):
        last = text.replace("\\", "/").rpartition("/")[2].replace("\0", "").strip()
        if last not in {"", ".", ".."}:
            return last.encode("utf-8", "replace")[:_LONGEST_NAME_BYTES].decode("utf-8", "ignore")
    return logged.digest.replace(":", "-")


class ArtifactView:
    """One version of an artifact, as it was logged last; ask the reader again for news."""

    def __init__(self, stored: StoredArtifact, source: ArtifactSource) -> None:
        self._stored = stored
        self._source = source

    @property
    def record(self) -> ArtifactLogged:
        """What was logged."""
        return self._stored.logged

    @property
    def name(self) -> str:
        """The name, which belongs to the experiment."""
        return self.record.name

    @property
    def experiment(self) -> str:
        """The experiment to which the name belongs."""
        return self.record.experiment

    @property
    def version(self) -> int | None:
        """The number of the version, from 0; None where the store has no record of who logged it."""
        return self._stored.version

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases that point at this version now, `latest` first."""
        return self._stored.aliases

    @property
    def ref(self) -> str:
        """What names this very version everywhere: `experiment/name:v3`, or the digest where that is not known."""
        if self.version is None:
            return self.digest
        return (
            f"{self.experiment}/{self.name}:v{self.version}"
            if self.experiment
            else f"{self.name}:v{self.version}"
        )

    @property
    def type(self) -> str:
        """What it is, such as `model` or `dataset`."""
        return self.record.type

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hexadecimal digits: of the file, or of the list of a folder's files."""
        return self.record.digest

    @property
    def size_bytes(self) -> int:
        """Bytes of the file, or of all files of the folder."""
        return self.record.size_bytes

    @property
    def file_count(self) -> int:
        """How many files it has."""
        return self.record.file_count

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.record.is_folder

    @property
    def file_name(self) -> str:
        """The name of the file or folder that was logged; empty where it had none."""
        return self.record.file_name

    @property
    def media_type(self) -> str:
        """The media type of its bytes; empty where it is not known."""
        return self.record.media_type

    @property
    def step(self) -> float | None:
        """The step at which it was logged."""
        return self.record.step

    @property
    def metadata(self) -> Mapping[str, ParamValue]:
        """What was said about it when it was logged."""
        return self.record.metadata

    @property
    def run_id(self) -> str:
        """The run that logged it last; empty where the store has no record of who did."""
        return self.record.run_id

    @property
    def logged_ns(self) -> int:
        """When it was logged, in nanoseconds since the Unix epoch."""
        return self.record.time_ns

    @property
    def files(self) -> tuple[FolderEntry, ...]:
        """The files of a folder; of a file, itself.

        Raises:
            ArtifactMissingError: the list of the folder is not where it is kept.
            ArtifactDamagedError: it is damaged.
        """
        from otel_experiments.artifacts.protocol import FolderEntry  # noqa: PLC0415 - few ask

        if self.is_folder:
            return self._blobs.folder(self.digest)
        return (FolderEntry(self._own_name, self.digest, self.size_bytes),)

    def open(self, file: str | None = None) -> BinaryIO:
        """Return the bytes as a file to read from; it is to be closed. What is read is checked by the end.

        Args:
            file: which file of a folder, as `files` names it.

        Raises:
            ArtifactNotFoundError: a folder has no such file, or no file of it is named.
            ArtifactMissingError: the bytes are not where they are kept.
            ArtifactDamagedError: from the read that reaches the end, when the bytes are not those that were logged.
        """
        digest = self._digest_of(file)
        return self._source.blobs(digest, self.record.place).open(digest)

    def read_bytes(self, file: str | None = None) -> bytes:
        """Return the bytes of the file, or of one of a folder; raises as `open`."""
        with self.open(file) as opened:
            return opened.read()

    def read_text(self, file: str | None = None, *, encoding: str = "utf-8") -> str:
        """Return the text of the file, or of one of a folder; raises as `open`."""
        return self.read_bytes(file).decode(encoding)

    def download(
        self,
        to: str | PathLike[str] | None = None,
        *,
        overwrite: bool = False,
        root: str | PathLike[str] | None = None,
    ) -> Path:
        """Write it to a file or folder, and return the path of that.

        A file is written into `to` where that is a folder, under the name that it had, else to the path `to`. The files
        of a folder are written below `to`, which is made. A file, and a folder with all of its files, is there as a whole
        or not at all.

        Args:
            to: where; by default `artifacts/NAME-v3` for a folder, and `artifacts/NAME-v3/FILE` for a file.
            overwrite: replace files that have other content. What else is in a folder then stays. Without it, a folder
                is only written where nothing else is in it.
            root: another tracker's name for `to`.

        Raises:
            ArtifactMissingError: the bytes are not where they are kept.
            ArtifactDamagedError: they are not those that were logged.
            ArtifactPlaceError: a file cannot be written, or something else is there.
            ArtifactSourceError: what is there cannot be read, so it is not known whether it is the same.
        """
        from otel_experiments.artifacts.in_the_way import refuse_other_file, refuse_other_files  # noqa: PLC0415 - few write
        from otel_experiments.artifacts.place_error import place_errors  # noqa: PLC0415 - as above

        to = root if to is None else to
        target = self._place_here if to is None else Path(to).expanduser()
        if not self.is_folder:
            target = target / self._own_name if to is None or is_folder(target) else target
            if not overwrite:
                refuse_other_file(target, self.digest)
            with place_errors(target.parent):
                target.parent.mkdir(parents=True, exist_ok=True)
            self._blobs.copy_to(self.digest, target)
            return target
        from otel_experiments.artifacts.copy_folder import copy_folder  # noqa: PLC0415 - few write

        files = self.files
        if not overwrite:
            refuse_other_files(target, {entry.path: entry.digest for entry in files})
        copy_folder(
            files,
            target,
            lambda digest, path: self._source.blobs(digest, self.record.place).copy_to(digest, path),
        )
        return target

    def path(self) -> Path | None:
        """Return the local file that has the bytes, which must not be written to; None for a folder, and where none is local.

        Of an artifact in a bundle it is a temporary file, which is gone when the process ends. Elsewhere nothing is
        checked: `verify` does.

        Raises:
            ArtifactDamagedError: the bytes in the bundle are not those that were logged.
            ArtifactPlaceError: the temporary file cannot be written.
        """
        return None if self.is_folder else self._blobs.path_of(self.digest)

    def verify(self) -> None:
        """Read all bytes, and compare them with the digest.

        Raises:
            ArtifactMissingError: some are not where they are kept.
            ArtifactDamagedError: some are not those that were logged.
        """
        self._blobs.verify(self.digest)
        if self.is_folder:
            for digest in dict.fromkeys(entry.digest for entry in self.files):
                self._source.blobs(digest, self.record.place).verify(digest)

    @property
    def made_by(self) -> list[LinkedRun]:
        """The runs that logged these bytes under this name, the first one first."""
        asked = ArtifactQuery(experiment=self.experiment, name=self.name, digest=self.digest)
        logged = self._source.store.artifacts(asked)
        return list(self._source.find_runs(list(dict.fromkeys(one.logged.run_id for one in logged))))

    @property
    def used_by(self) -> list[LinkedRun]:
        """The runs that used this artifact, by this name or by its digest, the first one first."""
        uses = [
            use for use in self._source.store.artifact_uses(digests=[self.digest]) if is_of(use, self.record)
        ]
        return list(self._source.find_runs(list(dict.fromkeys(use.run_id for use in uses))))

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.artifact_html import artifact_html  # noqa: PLC0415 - only notebooks ask

        return artifact_html(self)

    def __repr__(self) -> str:
        name = self.ref if self.version is not None else f"{self.name or self.digest}"
        return f"ArtifactView({short(name)}, {short(self.type)}, {self.digest[:_SHORT_DIGITS]!r}, {self.size_bytes} bytes)"

    @property
    def why_left_out(self) -> str | None:
        """Why a bundle was made without the bytes, which are not here, such as `too large`; None for all others."""
        return self._blobs.why_left_out(self.digest)

    @property
    def _blobs(self) -> Blobs:
        return self._source.blobs(self.digest, self.record.place)

    @property
    def _own_name(self) -> str:
        return name_here(self.record)

    @property
    def _place_here(self) -> Path:
        """The folder of this very version, below the working directory."""
        name = "-".join(
            part for part in self.name.replace("\\", "/").split("/") if part not in {"", ".", ".."}
        )
        short_name = (
            name.replace("\0", "").encode("utf-8", "replace")[:_LONGEST_NAME_BYTES].decode("utf-8", "ignore")
        )
        digits = self.digest.rpartition(":")[2][:12]
        version = digits if self.version is None else f"v{self.version}"
        return Path("artifacts") / (f"{short_name}-{version}" if short_name else version)

    def _digest_of(self, file: str | None) -> str:
        if not self.is_folder and file in {None, self._own_name}:
            return self.digest
        names = [entry.path for entry in self.files]
        found = next((entry.digest for entry in self.files if entry.path == file), None)
        if found is None:
            shown = (
                "it is a folder, and no file of it was named" if file is None else f"it has no file {file!r}"
            )
            nearest = closest(file or "", names)
            raise ArtifactNotFoundError(
                wanted=self.ref,
                store=self._source.location,
                found=f"{shown}; its files: {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}",
                suggestions=[nearest] if nearest else [],
                is_file=True,
            )
        return found


def is_of(use: ArtifactUsed, logged: ArtifactLogged) -> bool:
    """Tell whether a use is one of an artifact: by its name, or of its digest alone."""
    return use.digest == logged.digest and (
        not use.name or (use.experiment, use.name) == (logged.experiment, logged.name)
    )


def used_artifacts(source: ArtifactSource, run_id: str) -> list[ArtifactView]:
    """Return the artifacts that a run used, in the order of first use.

    What the store does not know by itself, since the run that made it is elsewhere, has no version and no size.
    """
    return [
        ArtifactView(_asked_for(source, use), source) for use in source.store.artifact_uses(run_ids=[run_id])
    ]


def _asked_for(source: ArtifactSource, use: ArtifactUsed) -> StoredArtifact:
    found = source.store.artifacts(ArtifactQuery(role=None, digest=use.digest))
    of_name = [one for one in found if is_of(use, one.logged)] or found
    of_role = [one for one in of_name if one.logged.role == "artifact"] or of_name
    if of_role:
        return of_role[-1]
    unknown = ArtifactLogged("", use.experiment, use.name, use.digest, use.time_ns, type="", file_count=0)
    return StoredArtifact(unknown)
