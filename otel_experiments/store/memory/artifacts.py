"""Artifacts in a memory store: taking in what batches say of them, and finding them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from otel_experiments.model.artifact import (
    AliasSet,
    ArtifactLogged,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.store.semantics.artifacts import (
    alias_order,
    aliases_of,
    artifact_hash,
    artifact_order,
    better_record,
    first_use,
    is_asked,
    latest_digest,
    plain_alias,
    plain_artifact,
    plain_use,
    version_for,
)

_Named = tuple[str, str]
"""An experiment, and a name in it."""


@dataclass(slots=True)
class Artifacts:
    """What is known of artifacts."""

    logged: dict[str, ArtifactLogged] = field(default_factory=dict)
    uses: dict[tuple[str, str, str, str], ArtifactUsed] = field(default_factory=dict)
    aliases: dict[_Named, dict[str, AliasSet]] = field(default_factory=dict)
    versions: dict[_Named, dict[str, int]] = field(default_factory=dict)


def plain_batch(batch: WriteBatch) -> WriteBatch:
    """Return what a batch says of artifacts as a file would give it back; what no store keeps raises here."""
    return WriteBatch(
        artifacts=[plain_artifact(one) for one in batch.artifacts],
        artifact_uses=[plain_use(one) for one in batch.artifact_uses],
        artifact_aliases=[plain_alias(one) for one in batch.artifact_aliases],
    )


def take(artifacts: Artifacts, batch: WriteBatch) -> None:
    """Take in what a batch of `plain_batch` says."""
    for found in batch.artifacts:
        place, wanted = artifact_hash(found), found.version
        one = replace(found, version=None)
        known = artifacts.logged.get(place)
        artifacts.logged[place] = one if known is None else better_record(known, one)
        if one.role == "artifact":
            numbers = artifacts.versions.setdefault((one.experiment, one.name), {})
            if one.digest not in numbers:
                taken = set(numbers.values())
                numbers[one.digest] = version_for(max(taken, default=None), wanted, taken.__contains__)
    for used in batch.artifact_uses:
        key = (used.run_id, used.digest, used.experiment, used.name)
        artifacts.uses[key] = first_use(artifacts.uses.get(key), used)
    for alias in batch.artifact_aliases:
        held = artifacts.aliases.setdefault((alias.experiment, alias.name), {})
        held[alias.alias] = max(held.get(alias.alias, alias), alias, key=alias_order)


def find(artifacts: Artifacts, query: ArtifactQuery, removed: Collection[str] = ()) -> list[StoredArtifact]:
    """Return the artifacts that a query asks for, by time; `removed` are runs that are hidden."""
    named: dict[_Named, list[ArtifactLogged]] = {}
    for one in artifacts.logged.values():
        if one.role == "artifact" and one.run_id not in removed:
            named.setdefault((one.experiment, one.name), []).append(one)
    latest = {name: latest_digest(those) for name, those in named.items()}
    found = [
        stored
        for one in artifacts.logged.values()
        if is_asked(stored := _stored(artifacts, one, latest), query)
        and not (query.hides_removed and one.run_id in removed)
    ]
    return sorted(found, key=lambda stored: artifact_order(stored.logged))


def artifact_count(artifacts: Artifacts, run_id: str) -> int:
    """Return how many artifacts a run logged, by name and content."""
    logged = (one for one in artifacts.logged.values() if one.run_id == run_id and one.role == "artifact")
    return len({(one.experiment, one.name, one.digest) for one in logged})


def _stored(artifacts: Artifacts, one: ArtifactLogged, latest: dict[_Named, str | None]) -> StoredArtifact:
    if one.role != "artifact":
        return StoredArtifact(one)
    name = (one.experiment, one.name)
    pointed = {alias: row.digest for alias, row in artifacts.aliases.get(name, {}).items()}
    return StoredArtifact(
        one,
        artifacts.versions[name][one.digest],
        aliases_of(one.digest, pointed, latest.get(name)),
    )


def uses(
    artifacts: Artifacts, run_ids: Sequence[str] | None, digests: Sequence[str] | None
) -> list[ArtifactUsed]:
    """Return the uses by these runs of these digests (None: all), by time."""
    found = (
        one
        for one in artifacts.uses.values()
        if (run_ids is None or one.run_id in run_ids) and (digests is None or one.digest in digests)
    )
    return sorted(found, key=lambda one: (one.time_ns, one.run_id, one.digest, one.experiment, one.name))


def of_run(artifacts: Artifacts, run_id: str) -> Iterator[WriteBatch]:
    """Yield what makes another store know what this one knows of a run's artifacts."""
    logged = [
        replace(stored.logged, version=stored.version)
        for stored in find(artifacts, ArtifactQuery(role=None, run_ids=(run_id,)))
    ]
    names = {(one.experiment, one.name) for one in logged if one.role == "artifact"}
    aliases = [
        alias
        for name, held in sorted(artifacts.aliases.items())
        for _, alias in sorted(held.items())
        if name in names or alias.run_id == run_id
    ]
    used = uses(artifacts, [run_id], None)
    if logged or used or aliases:
        yield WriteBatch(artifacts=logged, artifact_uses=used, artifact_aliases=aliases)
