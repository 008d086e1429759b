"""Artifacts: which bytes a run made, under which name, who used them, and how a person refers to them.

Bytes are known by their digest alone. A name belongs to its experiment; each digest under a name is a version of it, numbered
by the store in the order of arrival. `latest` is computed and cannot be set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Self

if TYPE_CHECKING:
    from otel_experiments.model.run import ParamValue

ArtifactRole = Literal["artifact", "media"]
"""`media` are values that are shown over steps, as images; they have no versions and no aliases."""

MEDIA_PHASE: Final = "phase"
"""The key of the metadata of media that has the phase, where one was given."""
DIGEST_START: Final = "sha256:"
LATEST: Final = "latest"
LEAST_PREFIX: Final = 8
"""The fewest digits of a digest by which it is looked up."""
_WHOLE: Final = re.compile(r"(?:sha256[:-])?([0-9a-f]{64})", re.IGNORECASE)
_PART: Final = re.compile(rf"sha256[:-]([0-9a-f]{{{LEAST_PREFIX},63}})", re.IGNORECASE)
_VERSION: Final = re.compile(r"v(0|[1-9][0-9]{0,8})")


@dataclass(frozen=True, slots=True)
class ArtifactLogged:
    """A run kept bytes under a name.

    `digest` is `sha256:` and 64 hex digits: of the file, or of the list of a folder's files. `place` is the address of the
    folder that has the bytes where it is not the store's own. `index` is the position in a list of media logged at once.
    `experiment` is that of the run, whose own record may come later. `version` is the number that another store gave;
    it is kept where it is free. Units: bytes, nanoseconds since the Unix epoch.
    """

    run_id: str
    experiment: str
    name: str
    digest: str
    time_ns: int
    type: str = "file"
    role: ArtifactRole = "artifact"
    is_folder: bool = False
    size_bytes: int = 0
    file_count: int = 1
    file_name: str = ""
    media_type: str = ""
    step: float | None = None
    index: int = 0
    caption: str = ""
    metadata: Mapping[str, ParamValue] = field(default_factory=dict)
    place: str = ""
    rank: int | None = None
    span_id: str = ""

    @property
    def phase(self) -> str:
        """The phase in which media were logged; empty where none was given."""
        found = self.metadata.get(MEDIA_PHASE, "")
        return found if self.role == "media" and isinstance(found, str) else ""

    version: int | None = None


@dataclass(frozen=True, slots=True)
class ArtifactUsed:
    """A run used bytes that are kept. `experiment` and `name` say as what it asked for them; both may be empty.

    A store keeps the first time that a run used a digest under a name.
    """

    run_id: str
    digest: str
    time_ns: int
    experiment: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class AliasSet:
    """An alias of a name points at a digest from `time_ns` on; None takes it away. The latest time wins.

    `run_id` is the run that set it, empty where no run did.
    """

    experiment: str
    name: str
    alias: str
    digest: str | None
    time_ns: int
    run_id: str = ""


@dataclass(frozen=True, slots=True)
class StoredArtifact:
    """What a store says of something that a run logged: its version (None for media) and the aliases it has now."""

    logged: ArtifactLogged
    version: int | None = None
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArtifactQuery:
    """Which artifacts. All given conditions must hold; `digest` may be a prefix with `is_prefix`.

    `hides_removed` leaves out what removed runs logged.
    """

    role: ArtifactRole | None = "artifact"
    run_ids: tuple[str, ...] | None = None
    experiment: str | None = None
    name: str | None = None
    type: str | None = None
    version: int | None = None
    alias: str | None = None
    digest: str | None = None
    is_prefix: bool = False
    hides_removed: bool = False


def parse_digest(text: str) -> tuple[str, bool] | None:
    """Return a digest, or the beginning of one, as it is stored, and whether it is only the beginning; None for other texts.

    Taken are 64 hex digits with or without `sha256:`, and fewer (8 or more) behind `sha256:` or `sha256-`.
    """
    if whole := _WHOLE.fullmatch(text):
        return DIGEST_START + whole[1].lower(), False
    if part := _PART.fullmatch(text):
        return DIGEST_START + part[1].lower(), True
    return None


@dataclass(frozen=True, slots=True)
class ArtifactRef:
    """How a person names an artifact: a digest, or `[experiment/]name[:alias|:vN]`; without the last part, `latest`."""

    name: str = ""
    experiment: str | None = None
    alias: str | None = None
    version: int | None = None
    digest: str | None = None
    is_prefix: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return what a text refers to. A name may hold `/`: what is before the last one may be an experiment."""
        if found := parse_digest(text):
            return cls(digest=found[0], is_prefix=found[1])
        path, colon, mark = text.rpartition(":")
        if not colon:
            path, mark = text, LATEST
        experiment, slash, name = path.rpartition("/")
        version = _VERSION.fullmatch(mark)
        return cls(
            name=name,
            experiment=experiment if slash else None,
            alias=None if version else mark,
            version=int(version[1]) if version else None,
        )


def is_alias_reserved(alias: str) -> bool:
    """Tell whether nobody can set this alias: `latest` moves by itself, and `v3` is a version."""
    return alias == LATEST or _VERSION.fullmatch(alias) is not None
