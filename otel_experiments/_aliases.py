"""Aliases of stored artifacts, set and taken away: where a store, what finds artifacts in it, and edits meet."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike

from otel_experiments import _opening
from otel_experiments._active import active_store
from otel_experiments.edit import artifacts as _edit
from otel_experiments.edit.artifacts import AliasReport
from otel_experiments.errors import ArtifactAliasError, ConfigurationError
from otel_experiments.query import Reader
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.record.base.settings import Settings
from otel_experiments.store import Store, open_store
from otel_experiments.store.filesystem import is_network_filesystem


def set_alias(
    artifact: str,
    alias: str,
    *,
    experiment: str | None = None,
    store: str | PathLike[str] | None = None,
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
    store: str | PathLike[str] | None = None,
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


@contextmanager
def _editing(location: str | PathLike[str] | None) -> Iterator[tuple[Reader, Store]]:
    """Give a reader over all that was recorded for a store, and the store open for writing."""
    active = active_store() if location is None else None
    if active is not None:
        yield _opening.reader_over(active), active
        return
    settings = Settings.resolve(store=location)
    where = settings.location.require_store()
    is_network = settings.network_filesystem
    if where.path is not None and (
        is_network_filesystem(where.path.parent) if is_network is None else is_network
    ):
        raise ConfigurationError(
            f"No alias can be set in store {str(where)!r}: it lies on a network filesystem, where runs stay in journals.\n"
            "  Copy the store and its journals to a disk of this machine, and set it there."
        )
    with (
        _opening.open_reader(where, is_network=is_network) as reader,
        open_store(where, create=False) as opened,
    ):
        yield reader, opened
