"""Whose a SQLite database is: its application id, the version of its schema, and what else is in it."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from otel_experiments.store.sqlite.schema import APPLICATION_ID


class DatabaseOwner(NamedTuple):
    """What a database says of itself; `tables` are read of another program's only."""

    application_id: int
    version: int
    tables: tuple[str, ...]


def read_owner(connection: sqlite3.Connection) -> DatabaseOwner:
    """Return whose a database is, read in one transaction: between two, another process may have made the store."""
    is_alone = not connection.in_transaction
    if is_alone:
        connection.execute("begin")
    try:
        (application_id,) = connection.execute("pragma application_id").fetchone()
        (version,) = connection.execute("pragma user_version").fetchone()
        query = "select name from sqlite_master where type = 'table'"
        tables = [] if application_id == APPLICATION_ID else [name for (name,) in connection.execute(query)]
    finally:
        if is_alone and connection.in_transaction:
            connection.execute("rollback")
    return DatabaseOwner(application_id, int(version), tuple(tables))
