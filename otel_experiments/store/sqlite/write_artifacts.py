"""Writing what runs logged and used as artifacts into SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.artifacts import (
    MOST_VERSIONS,
    alias_order,
    artifact_hash,
    better_record,
    plain_alias,
    plain_artifact,
    plain_use,
    version_for,
)
from otel_experiments.store.sqlite.artifact_columns import COLUMNS, artifact_of, row_of
from otel_experiments.store.sqlite.unreadable import ABOUT_CONTENT
from otel_experiments.store.sqlite.write_run import RunWriter

# Indexes: unique (hash), and the primary keys.
_INSERT: Final = f"""
    insert into artifacts (hash, {", ".join(COLUMNS)}) values (?, {", ".join("?" * len(COLUMNS))})
    on conflict (hash) do nothing
"""
_KNOWN: Final = f"select {', '.join(COLUMNS)} from artifacts where hash = ?"
_UPDATE: Final = f"update artifacts set {', '.join(f'{one} = ?' for one in COLUMNS)} where hash = ?"
_IS_NUMBERED: Final = "select 1 from artifact_versions where experiment = ? and name = ? and digest = ?"
_LARGEST: Final = "select max(version) from artifact_versions where experiment = ? and name = ?"
_IS_TAKEN: Final = "select 1 from artifact_versions where experiment = ? and name = ? and version = ?"
_NUMBER_NEW: Final = f"""
    insert into artifact_versions (experiment, name, version, digest)
    with next_one (version) as (
      select coalesce((
        select version + 1 from artifact_versions where experiment = :experiment and name = :name
        order by version desc limit 1
      ), 0)
    )
    select :experiment, :name, version, :digest from next_one where version < {MOST_VERSIONS} and not exists (
      select 1 from artifact_versions where experiment = :experiment and name = :name and digest = :digest
    )
"""
_NUMBER: Final = "insert into artifact_versions (experiment, name, version, digest) values (?, ?, ?, ?)"
_KEEP_NUMBERS: Final = "create temp table if not exists kept_versions (experiment, name, version, digest)"
_NUMBER_BY_TIME: Final = """
    insert into artifact_versions (experiment, name, version, digest)
    select experiment, name,
      coalesce((
        select max(version) + 1 from artifact_versions as before
        where before.experiment = artifacts.experiment and before.name = artifacts.name
      ), 0) + row_number() over (partition by experiment, name order by min(time_ns), digest) - 1,
      digest
    from artifacts
    where role = 'artifact' and not exists (
      select 1 from artifact_versions as known
      where known.experiment = artifacts.experiment and known.name = artifacts.name and known.digest = artifacts.digest
    )
    group by experiment, name, digest
"""
_USE: Final = """
    insert into artifact_uses (run_id, digest, experiment, name, time_ns) values (?, ?, ?, ?, ?)
    on conflict (run_id, digest, experiment, name) do update set time_ns = min(time_ns, excluded.time_ns)
"""
_ALIAS: Final = """
    select digest, time_ns, run_id from artifact_aliases where experiment = ? and name = ? and alias = ?
"""
_SET: Final = """
    insert or replace into artifact_aliases (experiment, name, alias, digest, time_ns, run_id)
    values (?, ?, ?, ?, ?, ?)
"""


class ArtifactWriter:
    """Writes what a batch says of artifacts. One for each store; all of it runs inside the caller's transaction."""

    def __init__(self, runs: RunWriter) -> None:
        self._runs = runs

    def write(self, connection: sqlite3.Connection, batch: WriteBatch) -> None:
        """Write artifacts, uses and aliases, in this order."""
        for logged in batch.artifacts:
            self._runs.ensure(connection, logged.run_id, logged.time_ns)
        _write_artifacts(connection, [plain_artifact(logged) for logged in batch.artifacts])
        for used in batch.artifact_uses:
            self._runs.ensure(connection, used.run_id, used.time_ns)
            _write_use(connection, plain_use(used))
        for alias in batch.artifact_aliases:
            _write_alias(connection, plain_alias(alias))


def keep_numbers(connection: sqlite3.Connection) -> None:
    """Remember the numbers that there are for `number_by_time`."""
    connection.execute(_KEEP_NUMBERS)
    connection.execute(
        "insert into kept_versions select experiment, name, version, digest from artifact_versions"
    )


def number_by_time(connection: sqlite3.Connection) -> None:
    """Number versions anew, by when a digest was first logged under its name, whatever arrived first.

    What `keep_numbers` remembered keeps its number; the others come after it.
    """
    connection.execute(_KEEP_NUMBERS)
    connection.execute("delete from artifact_versions")
    connection.execute(
        "insert into artifact_versions (experiment, name, version, digest) select * from kept_versions"
    )
    connection.execute(_NUMBER_BY_TIME)
    connection.execute("drop table kept_versions")


def _write_artifacts(connection: sqlite3.Connection, artifacts: Sequence[ArtifactLogged]) -> None:
    rows = [(artifact_hash(logged), *row_of(logged)) for logged in artifacts]
    if connection.executemany(_INSERT, rows).rowcount < len(rows):  # some are there already
        for logged, row in zip(artifacts, rows, strict=True):
            _improve(connection, logged, row)
    numbered = [logged for logged in artifacts if logged.role == "artifact"]
    if all(logged.version is None for logged in numbered):
        new = [{"experiment": one.experiment, "name": one.name, "digest": one.digest} for one in numbered]
        if connection.executemany(_NUMBER_NEW, new).rowcount == len(new):
            return
    for logged in numbered:
        _number(connection, logged)


def _improve(connection: sqlite3.Connection, logged: ArtifactLogged, row: tuple[object, ...]) -> None:
    """Have the row say what the record says where that is more."""
    key, *values = row
    known = _readable(connection.execute(_KNOWN, (key,)).fetchone())
    if known is None or better_record(known, logged) != known:
        connection.execute(_UPDATE, (*values, key))


def _readable(row: Sequence[object]) -> ArtifactLogged | None:
    try:
        return artifact_of(row)
    except ABOUT_CONTENT as error:
        if is_interruption(error):
            raise
        return None


def _number(connection: sqlite3.Connection, logged: ArtifactLogged) -> None:
    name = (logged.experiment, logged.name)
    if connection.execute(_IS_NUMBERED, (*name, logged.digest)).fetchone() is not None:
        return
    (largest,) = connection.execute(_LARGEST, name).fetchone()
    version = version_for(
        largest,
        logged.version,
        lambda number: connection.execute(_IS_TAKEN, (*name, number)).fetchone() is not None,
    )
    connection.execute(_NUMBER, (*name, version, logged.digest))


def _write_use(connection: sqlite3.Connection, used: ArtifactUsed) -> None:
    connection.execute(_USE, (used.run_id, used.digest, used.experiment, used.name, used.time_ns))


def _write_alias(connection: sqlite3.Connection, alias: AliasSet) -> None:
    place = (alias.experiment, alias.name, alias.alias)
    row = connection.execute(_ALIAS, place).fetchone()
    if row is None or alias_order(alias) > alias_order(AliasSet(*place, *row)):
        connection.execute(_SET, (*place, alias.digest, alias.time_ns, alias.run_id))
