"""Reading from SQLite what runs logged and used as artifacts."""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from otel_experiments.model.artifact import (
    LATEST,
    AliasSet,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.process.interruption import pass_on
from otel_experiments.store.semantics.artifacts import artifact_order
from otel_experiments.store.semantics.pages import WHOLE_ITEMS
from otel_experiments.store.sqlite.artifact_columns import COLUMNS, artifact_of
from otel_experiments.store.sqlite.database import Database
from otel_experiments.store.sqlite.reading import read
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts, readable, sql_literal

# Indexes: artifacts_by_name, runs_removed.
_LATEST: Final = """
    (select digest from artifacts last where last.role = 'artifact' and last.experiment = a.experiment
     and last.name = a.name and last.run_id not in (select run_id from runs where removed_ns is not null) order by time_ns desc, digest desc limit 1)
"""
# Index: the primary key.
_SET_HERE: Final = """
    from artifact_aliases named where named.experiment = a.experiment and named.name = a.name and named.digest = a.digest
"""
SELECT: Final = f"""
    select {", ".join(f"a.{one}" for one in COLUMNS)},
      (select version from artifact_versions numbered where a.role = 'artifact' and numbered.experiment = a.experiment
       and numbered.name = a.name and numbered.digest = a.digest),
      a.role = 'artifact' and a.digest = {_LATEST},
      (select json_group_array(alias) {_SET_HERE} and a.role = 'artifact'),
      a.artifact_id
    from artifacts a
"""
_ROLES: Final = {"artifact": "a.role = 'artifact'", "media": "a.role = 'media'"}
"""Spelt out, so that SQLite sees which index it may take."""
_CONDITIONS: Final = {
    "run_ids": "a.run_id in (select value from json_each(:run_ids))",
    "experiment": "a.experiment = :experiment",
    "name": "a.name = :name",
    "type": "a.type = :type",
    "version": """
        a.role = 'artifact' and a.digest = (select digest from artifact_versions numbered
        where numbered.experiment = a.experiment and numbered.name = a.name and numbered.version = :version)
    """,
    "alias": f"a.role = 'artifact' and exists (select 1 {_SET_HERE} and named.alias = :alias)",
    "digest": "a.digest = :digest",
}
_IS_LATEST: Final = f"a.role = 'artifact' and a.digest = {_LATEST}"
_HAS_PREFIX: Final = "a.digest >= :digest and a.digest < :digest || 'g'"
# Indexes: the primary key, artifact_uses_by_digest.
_USES: Final = """
    select run_id, digest, time_ns, experiment, name from artifact_uses
    where {} order by time_ns, run_id, digest, experiment, name
"""
_BY_RUN: Final = "run_id in (select value from json_each(:run_ids))"
_BY_DIGEST: Final = "digest in (select value from json_each(:digests))"
# Index: artifacts_by_run.
_KEYS: Final = "select artifact_id from artifacts where run_id = ? order by artifact_id"
_BY_KEY: Final = "a.artifact_id in (select value from json_each(:keys))"
# Indexes: artifacts_by_run, artifact_aliases_by_run, the primary key.
_ALIASES: Final = """
    select experiment, name, alias, digest, time_ns, run_id from artifact_aliases where run_id = ?1
    union
    select set_here.experiment, set_here.name, alias, set_here.digest, set_here.time_ns, set_here.run_id
    from (select distinct experiment, name from artifacts where run_id = ?1 and role = 'artifact') logged
    cross join artifact_aliases set_here using (experiment, name)
    order by 1, 2, 3
"""


def artifacts(connection: sqlite3.Connection, query: ArtifactQuery) -> list[StoredArtifact]:
    """Return what a query asks for, by time."""
    try:
        return _found(connection, *artifacts_statement(query))
    except UnicodeEncodeError as error:  # half of a pair of UTF-16, which no stored name has
        pass_on(error)
        return []


def artifacts_statement(query: ArtifactQuery) -> tuple[str, dict[str, object]]:
    """Return the statement that finds what a query asks for, and its parameters."""
    values: dict[str, object] = {
        name: value for name in _CONDITIONS if (value := getattr(query, name)) is not None
    }
    special = {}
    if query.alias == LATEST:
        special["alias"] = _IS_LATEST
    if query.is_prefix:
        special["digest"] = _HAS_PREFIX
    conditions = [special.get(name, _CONDITIONS[name]) for name in values]
    if query.role is not None:
        conditions.append(_ROLES[query.role])
    if query.hides_removed:
        conditions.append("a.run_id not in (select run_id from runs where removed_ns is not null)")
    if query.run_ids is not None:
        values["run_ids"] = json.dumps(list(query.run_ids))
    return f"{SELECT} where {' and '.join(conditions) or 'true'}", values


def _found(connection: sqlite3.Connection, statement: str, values: dict[str, object]) -> list[StoredArtifact]:
    rows = connection.execute(statement, values).fetchall()
    found = readable(connection, rows, _stored, table="artifacts", key=lambda row: f"artifact_id = {row[-1]}")
    return sorted(found, key=lambda stored: artifact_order(stored.logged))


def _stored(row: Sequence[Any]) -> StoredArtifact:
    *columns, version, is_latest, aliases, _ = row
    check_numbers(version)
    names = sorted(json.loads(aliases))
    return StoredArtifact(artifact_of(columns), version, (LATEST, *names) if is_latest else tuple(names))


def uses(
    connection: sqlite3.Connection, run_ids: Sequence[str] | None, digests: Sequence[str] | None
) -> list[ArtifactUsed]:
    """Return the uses by these runs of these digests (None: all), by time."""
    values: dict[str, str] = {}
    conditions: list[str] = []
    if run_ids is not None:
        values["run_ids"] = json.dumps(list(run_ids))
        conditions.append(_BY_RUN)
    if digests is not None:
        values["digests"] = json.dumps(list(digests))
        conditions.append(_BY_DIGEST)
    rows = connection.execute(_USES.format(" and ".join(conditions) or "true"), values).fetchall()

    def make(row: Sequence[Any]) -> ArtifactUsed:
        check_texts(row[0], row[1], *row[3:])
        check_numbers(row[2])
        return ArtifactUsed(*row)

    def key(row: Sequence[object]) -> str:
        return f"run_id = {sql_literal(row[0])} and digest = {sql_literal(row[1])}"

    return readable(connection, rows, make, table="artifact_uses", key=key)


def of_run(database: Database, run_id: str) -> Iterator[WriteBatch]:
    """Yield what makes another store know what this one knows of a run's artifacts, page by page."""

    def ask(connection: sqlite3.Connection) -> array[int]:
        return array("q", [key for (key,) in connection.execute(_KEYS, (run_id,))])

    keys = read(database, ask)
    for start in range(0, len(keys), WHOLE_ITEMS):
        wanted: dict[str, object] = {"keys": json.dumps(list(keys[start : start + WHOLE_ITEMS]))}
        page = read(database, _found, f"{SELECT} where {_BY_KEY}", wanted)
        yield WriteBatch(artifacts=[replace(one.logged, version=one.version) for one in page])
    rest = WriteBatch(
        artifact_uses=read(database, uses, [run_id], None), artifact_aliases=read(database, _aliases, run_id)
    )
    if rest:
        yield rest


def _aliases(connection: sqlite3.Connection, run_id: str) -> list[AliasSet]:
    def make(row: Sequence[Any]) -> AliasSet:
        experiment, name, alias, digest, time_ns, by_run = row
        check_texts(experiment, name, alias, digest or "", by_run)
        check_numbers(time_ns)
        return AliasSet(experiment, name, alias, digest, time_ns, by_run)

    def key(row: Sequence[object]) -> str:
        return " and ".join(
            f"{column} = {sql_literal(value)}"
            for column, value in zip(("experiment", "name", "alias"), row[:3], strict=True)
        )

    rows = connection.execute(_ALIASES, (run_id,)).fetchall()
    return readable(connection, rows, make, table="artifact_aliases", key=key)
