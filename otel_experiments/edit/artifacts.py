"""Aliases of stored artifacts: set and taken away, beside running trainings and beside other processes that do the same.

An alias is a row with a time, and the latest time wins, whoever writes last. What is returned is read back, so that two
processes that set `best` at once are both given what is true.
"""

from __future__ import annotations

from dataclasses import dataclass

from otel_experiments.errors import ArtifactAliasError
from otel_experiments.model.artifact import AliasSet, ArtifactQuery
from otel_experiments.model.artifact_name import why_no_alias
from otel_experiments.model.batch import WriteBatch
from otel_experiments.store import Store


@dataclass(frozen=True, slots=True)
class AliasReport:
    """Where an alias points now, and where it did before.

    Attributes:
        experiment: to which the name belongs.
        name: of the artifact.
        alias: that was set or taken away.
        before: the digest at which it pointed before; None where it was not there.
        now: the digest at which it points; None where it is not there.
        version: the number of that version.
        is_done: whether that is what was asked for; another process may have set it later.
    """

    experiment: str
    name: str
    alias: str
    before: str | None
    now: str | None
    version: int | None
    is_done: bool


def set_alias(
    store: Store, *, experiment: str, name: str, alias: str, digest: str, time_ns: int
) -> AliasReport:
    """Let an alias of a name point at one of its digests.

    Raises:
        ArtifactAliasError: nothing can be called so: `latest` moves by itself, `v3` is a version.
        StoreError: the store cannot be written.
    """
    if (fault := why_no_alias(alias)) is not None:
        raise ArtifactAliasError(alias=alias, name=name, why=fault[0], fix=fault[1])
    return _write(store, AliasSet(experiment, name, alias, digest, time_ns))


def remove_alias(store: Store, *, experiment: str, name: str, alias: str, time_ns: int) -> AliasReport:
    """Take an alias of a name away; one that is not there stays so.

    Raises:
        ArtifactAliasError: `latest` and versions cannot be taken away.
        StoreError: the store cannot be written.
    """
    if (fault := why_no_alias(alias)) is not None:
        raise ArtifactAliasError(alias=alias, name=name, why=fault[0], fix=fault[1])
    return _write(store, AliasSet(experiment, name, alias, None, time_ns))


def _write(store: Store, wanted: AliasSet) -> AliasReport:
    before, _ = _pointed_at(store, wanted)
    store.apply(WriteBatch(artifact_aliases=[wanted]))
    now, version = _pointed_at(store, wanted)
    return AliasReport(
        wanted.experiment, wanted.name, wanted.alias, before, now, version, is_done=now == wanted.digest
    )


def _pointed_at(store: Store, alias: AliasSet) -> tuple[str | None, int | None]:
    asked = ArtifactQuery(experiment=alias.experiment, name=alias.name, alias=alias.alias)
    found = store.artifacts(asked)
    return (found[-1].logged.digest, found[-1].version) if found else (None, None)
