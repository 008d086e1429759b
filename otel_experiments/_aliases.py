"""Aliases of stored artifacts, set and taken away: where a store, what finds artifacts in it, and edits meet."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from os import PathLike

from otel_experiments._chosen_store import editing
from otel_experiments.edit import artifacts as _edit
from otel_experiments.edit.artifacts import AliasReport
from otel_experiments.errors import ArtifactAliasError
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.query import Reader
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.store import Store


def set_alias(
    artifact: str,
    alias: str,
    *,
    experiment: str | None = None,
    store: str | PathLike[str] | StoreObject | None = None,
) -> AliasReport:
    """Let an alias point at a version of an artifact: `ox.set_alias("model:v3", "best")`.

    The alias leaves the version that it pointed at. Runs may be recorded meanwhile. Where another process sets the same
    alias at the same time, the later one counts, and the report says where it points now.

    Args:
        artifact: what `ox.artifact` takes.
        alias: such as `best`; not `latest`, which moves by itself, and no version.
        experiment: where a name is looked for that names no experiment; without it in all.
        store: where the artifact is; by default the store that this process records into, else that of the settings.

    Raises:
        ArtifactNotFoundError: there is no such artifact.
        AmbiguousArtifactError: several are meant.
        ArtifactAliasError: nothing can be called so.
        StoreError: the store cannot be read or written.
    """
    with _editing(store) as (reader, opened):
        found = reader.artifact(artifact, experiment=experiment)
        _check_named(found, alias)
        return _edit.set_alias(
            opened,
            experiment=found.experiment,
            name=found.name,
            alias=alias,
            digest=found.digest,
            time_ns=time.time_ns(),
        )


def remove_alias(
    artifact: str,
    alias: str,
    *,
    experiment: str | None = None,
    store: str | PathLike[str] | StoreObject | None = None,
) -> AliasReport:
    """Take an alias of an artifact away: `ox.remove_alias("model", "best")`. The versions stay.

    Args:
        artifact: its name, as `ox.artifact` takes it.
        alias: such as `best`; `before` of the report is None where it was not there.
        experiment: where a name is looked for that names no experiment; without it in all.
        store: where the artifact is; by default as for `set_alias`.

    Raises:
        ArtifactNotFoundError: there is no such artifact.
        AmbiguousArtifactError: several are meant.
        ArtifactAliasError: it is `latest` or a version.
        StoreError: the store cannot be read or written.
    """
    with _editing(store) as (reader, opened):
        found = reader.artifact(artifact, experiment=experiment)
        _check_named(found, alias)
        return _edit.remove_alias(
            opened, experiment=found.experiment, name=found.name, alias=alias, time_ns=time.time_ns()
        )


def _check_named(found: ArtifactView, alias: str) -> None:
    if found.record.role == "media":
        raise ArtifactAliasError(
            alias=alias,
            name=found.name,
            why="media have no aliases",
            fix="Log the bytes with run.log_artifact to give them a name with versions.",
        )


def _editing(store: str | PathLike[str] | StoreObject | None) -> AbstractContextManager[tuple[Reader, Store]]:
    return editing(store, refused="No alias can be set", done_there="set it")
