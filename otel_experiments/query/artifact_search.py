"""Finding the artifact that a text means: `name`, `name:best`, `experiment/name:v3`, a digest or the beginning of one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from otel_experiments.errors import AmbiguousArtifactError, ArtifactNotFoundError
from otel_experiments.model.artifact import DIGEST_START, ArtifactQuery, ArtifactRef, StoredArtifact
from otel_experiments.query.artifact_condition import condition_of
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.closest import beginning_so, closest

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression

_DIGITS: Final = re.compile(r"[0-9a-fA-F]{8,63}")
_SHOWN: Final = 5


def find_artifact(source: ArtifactSource, wanted: str, *, experiment: str | None = None) -> ArtifactView:
    """Return the artifact that a text means, as it was logged last.

    Args:
        source: where to look.
        wanted: `name` (its latest version), `name:alias`, `name:v3`, each also behind `experiment/`; a digest, or 8 and
            more digits of one.
        experiment: to which a name belongs that names no experiment; without it a name in any experiment, if it is in one.

    Raises:
        ArtifactNotFoundError: there is none; the error says what there is.
        AmbiguousArtifactError: several are meant; the error lists them.
    """
    ref = ArtifactRef.parse(wanted)
    if ref.digest is not None:
        found = _by_digest(source, wanted, ref.digest, is_prefix=ref.is_prefix)
    else:
        found = _by_name(source, wanted, ref, experiment)
        if not found and _DIGITS.fullmatch(wanted):
            found = _by_digest(source, wanted, DIGEST_START + wanted.lower(), is_prefix=True)
    if not found:
        raise _not_found(source, wanted, ref, experiment)
    return ArtifactView(found[-1], source)


def list_artifacts(
    source: ArtifactSource,
    *,
    experiment: str | None = None,
    name: str | None = None,
    type: str | None = None,  # noqa: A002 - the user's word
    run_ids: Sequence[str] | None = None,
    where: str | Expression | None = None,
) -> list[ArtifactView]:
    """Return each version of each artifact, as it was logged last, by experiment, name and version."""
    is_meant = condition_of(where)
    asked = ArtifactQuery(
        experiment=experiment,
        name=name,
        type=type,
        run_ids=None if run_ids is None else tuple(run_ids),
        hides_removed=run_ids is None,
    )
    newest = {
        (one.logged.experiment, one.logged.name, one.version or 0): one
        for one in source.store.artifacts(asked)
    }
    return [ArtifactView(newest[key], source) for key in sorted(newest) if is_meant(newest[key])]


def _by_digest(source: ArtifactSource, wanted: str, digest: str, *, is_prefix: bool) -> list[StoredArtifact]:
    found = source.store.artifacts(
        ArtifactQuery(role=None, digest=digest, is_prefix=is_prefix, hides_removed=True)
    )
    digests = list(dict.fromkeys(one.logged.digest for one in found))
    if len(digests) > 1:
        raise AmbiguousArtifactError(wanted=wanted, store=source.location, matches=digests)
    return [one for one in found if one.logged.role == "artifact"] or found


def _by_name(
    source: ArtifactSource, wanted: str, ref: ArtifactRef, experiment: str | None
) -> list[StoredArtifact]:
    """Return the records of the version that is meant; the name as a whole comes before one behind an experiment."""
    for of_experiment, name in _readings(ref, experiment):
        found = source.store.artifacts(
            ArtifactQuery(
                experiment=of_experiment, name=name, version=ref.version, alias=ref.alias, hides_removed=True
            )
        )
        places = list(dict.fromkeys(one.logged.experiment for one in found))
        if len(places) > 1:
            matches = [f"{place}/{wanted}" for place in places]
            raise AmbiguousArtifactError(wanted=wanted, store=source.location, matches=matches)
        if found:
            return found
    return []


def _readings(ref: ArtifactRef, experiment: str | None) -> Iterator[tuple[str | None, str]]:
    """Yield what a path may mean: a name, or an experiment and a name in it, whose border any `/` may be."""
    path = ref.name if ref.experiment is None else f"{ref.experiment}/{ref.name}"
    yield experiment, path
    parts = path.split("/")
    for border in range(len(parts) - 1, 0, -1):
        yield "/".join(parts[:border]), "/".join(parts[border:])


def _not_found(
    source: ArtifactSource, wanted: str, ref: ArtifactRef, experiment: str | None
) -> ArtifactNotFoundError:
    stored = source.store.artifacts(ArtifactQuery(hides_removed=True))
    there = "no artifact has it" if ref.digest is not None else _versions_of(stored, ref, experiment)
    known = list(dict.fromkeys(_shown(one, experiment) for one in stored))
    suggestions: list[str] = []
    if not there:
        path = ref.name if ref.experiment is None else f"{ref.experiment}/{ref.name}"
        elsewhere = [name for name in known if name.rpartition("/")[2] == path]
        nearest = closest(path, known) or _of_name(path, known)
        suggestions = elsewhere[:3] or beginning_so(path, known, limit=3) or ([nearest] if nearest else [])
        names = ", ".join(known[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
        there = f"{len(known)} artifacts: {names}" if len(known) != 1 else f"1 artifact: {names}"
        there = there if known else "it has none"
    return ArtifactNotFoundError(
        wanted=wanted[:200], store=source.location, found=there, suggestions=suggestions
    )


def _versions_of(stored: Sequence[StoredArtifact], ref: ArtifactRef, experiment: str | None) -> str:
    """Return which versions and aliases a name has that is there; empty where it is not there."""
    for of_experiment, name in _readings(ref, experiment):
        found = [
            one
            for one in stored
            if one.logged.name == name and of_experiment in {None, one.logged.experiment}
        ]
        if found:
            versions = sorted({one.version for one in found if one.version is not None})
            aliases = sorted({alias for one in found for alias in one.aliases})
            shown = [f"v{one}" for one in versions[-_SHOWN:]]
            more = f"{len(versions) - _SHOWN} older ones, " if len(versions) > _SHOWN else ""
            return f"{name} has {more}{', '.join(shown)}; aliases {', '.join(aliases)}"
    return ""


def _shown(one: StoredArtifact, experiment: str | None) -> str:
    logged = one.logged
    return logged.name if logged.experiment in {"", experiment} else f"{logged.experiment}/{logged.name}"


def _of_name(path: str, known: Sequence[str]) -> str | None:
    """Return the full name whose last part is most like a text."""
    last = {name.rpartition("/")[2]: name for name in known}
    nearest = closest(path, list(last))
    return None if nearest is None else last[nearest]
