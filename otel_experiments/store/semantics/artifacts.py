"""What every store means by an artifact: what makes two records the same, which number a version has, where an alias points.

Nothing here depends on the order in which records arrive but the numbers of versions, which are given in that order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, replace
from hashlib import sha256
from operator import attrgetter
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_canonical, dump_value, load_attributes
from otel_experiments.model.artifact import (
    LATEST,
    AliasSet,
    ArtifactLogged,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.model.search import ArtifactPart

MOST_VERSIONS: Final = 10**9
"""Numbers from here on are given by no store."""
_FIELDS: Final = tuple(one.name for one in fields(ArtifactLogged) if one.name != "version")
_texts: Final[Callable[[ArtifactLogged], tuple[str, ...]]] = attrgetter(
    "experiment", "name", "type", "file_name", "media_type", "caption", "place"
)


def plain_artifact(logged: ArtifactLogged) -> ArtifactLogged:
    """Return the record as a file would give it back."""
    step = logged.step
    if not logged.metadata and _is_plain(step) and "".join(_texts(logged)).isascii():
        return logged  # most are: a copy takes ten times as long as looking
    return replace(
        logged,
        experiment=clean_text(logged.experiment),
        name=clean_text(logged.name),
        type=clean_text(logged.type),
        file_name=clean_text(logged.file_name),
        media_type=clean_text(logged.media_type),
        caption=clean_text(logged.caption),
        place=clean_text(logged.place),
        step=None if step is None or math.isnan(step) else float(step) + 0.0,
        metadata=load_attributes(dump_value(logged.metadata)),
    )


def _is_plain(step: float | None) -> bool:
    return step is None or (type(step) is float and (step > 0.0 or step < 0.0))


def plain_use(used: ArtifactUsed) -> ArtifactUsed:
    """Return the record as a file would give it back."""
    return replace(used, experiment=clean_text(used.experiment), name=clean_text(used.name))


def plain_alias(alias: AliasSet) -> AliasSet:
    """Return the record as a file would give it back."""
    return replace(
        alias,
        experiment=clean_text(alias.experiment),
        name=clean_text(alias.name),
        alias=clean_text(alias.alias),
    )


def artifact_hash(logged: ArtifactLogged) -> str:
    """Return what tells a record from others: the SHA-256 of who logged which bytes, under which name, and when."""
    content = [
        logged.run_id, logged.role, logged.experiment, logged.name, logged.digest, logged.time_ns, logged.step,
        logged.index, logged.rank,
    ]  # fmt: skip
    return sha256(dump_value(content).encode()).hexdigest()


def better_record(known: ArtifactLogged, found: ArtifactLogged) -> ArtifactLogged:
    """Return which of two records of the same is kept, whichever came first: the one that says more."""
    return max(known, found, key=_fullness)


def _fullness(logged: ArtifactLogged) -> tuple[int, str]:
    text = dump_canonical([getattr(logged, name) for name in _FIELDS])
    return len(text), text


def version_for(largest: int | None, wanted: int | None, is_taken: Callable[[int], bool]) -> int:
    """Return the number of a digest that is new under its name.

    Args:
        largest: the largest number that another digest under the name has; None for the first one.
        wanted: the number that another store gave it; it is kept where it is free.
        is_taken: whether another digest under the name has a number.
    """
    if wanted is not None and 0 <= wanted < MOST_VERSIONS and not is_taken(wanted):
        return wanted
    following = 0 if largest is None else largest + 1
    if following < MOST_VERSIONS:
        return following
    return next(number for number in range(MOST_VERSIONS) if not is_taken(number))


def first_use(known: ArtifactUsed | None, found: ArtifactUsed) -> ArtifactUsed:
    """Return which of two uses of the same is kept: the earlier one."""
    return found if known is None or found.time_ns < known.time_ns else known


def alias_order(alias: AliasSet) -> tuple[int, str, str]:
    """Return by what aliases that were set are ordered: the greatest counts."""
    return alias.time_ns, alias.digest or "", alias.run_id


def latest_digest(records: Iterable[ArtifactLogged]) -> str | None:
    """Return the digest that was logged last under a name."""
    return max(((one.time_ns, one.digest) for one in records), default=(0, None))[1]


def aliases_of(digest: str, set_aliases: Mapping[str, str | None], latest: str | None) -> tuple[str, ...]:
    """Return the aliases of a digest under a name, `latest` first."""
    found = sorted(alias for alias, target in set_aliases.items() if target == digest)
    return (LATEST, *found) if digest == latest else tuple(found)


def is_asked(stored: StoredArtifact, query: ArtifactQuery) -> bool:
    """Tell whether a query asks for an artifact."""
    logged = stored.logged
    conditions = (
        (query.role, logged.role),
        (query.experiment, logged.experiment),
        (query.name, logged.name),
        (query.type, logged.type),
        (query.version, stored.version),
    )
    return (
        all(wanted is None or wanted == found for wanted, found in conditions)
        and (query.run_ids is None or logged.run_id in query.run_ids)
        and (query.alias is None or query.alias in stored.aliases)
        and (query.digest is None or _has_digest(logged.digest, query))
    )


def _has_digest(digest: str, query: ArtifactQuery) -> bool:
    assert query.digest is not None
    return digest.startswith(query.digest) if query.is_prefix else digest == query.digest


def artifact_order(logged: ArtifactLogged) -> tuple[object, ...]:
    """Return by what artifacts are ordered: by time, and what was logged at once by its position."""
    return (
        logged.time_ns,
        logged.index,
        logged.name,
        logged.digest,
        logged.run_id,
        logged.role,
        logged.experiment,
        -1 if logged.rank is None else logged.rank,
        -math.inf if logged.step is None else logged.step,
    )


def last_logged(stored: StoredArtifact) -> tuple[int, str, str, str]:
    """Return by what the artifact that a run logged last under a name is the largest."""
    logged = stored.logged
    return (logged.time_ns, logged.digest, logged.experiment, artifact_hash(logged))


def artifact_value(stored: StoredArtifact, part: ArtifactPart) -> str | int | list[str]:
    """Return what a search finds as a part of an artifact."""
    match part:
        case "size":
            return stored.logged.size_bytes
        case "aliases":
            return list(stored.aliases)
        case "digest":
            return stored.logged.digest
        case "type":
            return stored.logged.type
