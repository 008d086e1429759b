"""Whether the one file of a store holds everything, told by the file itself.

SQLite keeps the newest transactions in a write-ahead log beside the file, and what processes have recorded last
lies in journals. So whoever writes marks the file first (one row of `segments`, in the first transaction, which
is brought into the file at once), and whoever leaves last takes the mark away with a checkpoint. A file with the
mark and with nothing beside it is a copy that lacks its rest.

SQLite itself brings the log into the file and deletes it when the last connection is closed, and leaves the mark. So who
opens a file for writing that has a log beside it has the whole store, and settles it when it leaves, though it wrote nothing.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path
from typing import Final

from otel_experiments.process.interruption import is_interruption

UNSETTLED: Final = "unsettled"
"""The id of the row of `segments` that is the mark; no segment's id is a word."""

_WAIT_MS: Final = 200
"""How long an end waits for other processes that use the store just then: they do the same at their end."""


def has_log(path: Path) -> bool:
    """Tell whether a write-ahead log with transactions lies beside the file."""
    try:
        return os.stat(f"{path}-wal").st_size > 0  # noqa: PTH116 - no Path need be made of it
    except OSError as error:
        if is_interruption(error):
            raise
        return False


def segment_offset(connection: sqlite3.Connection, segment_id: str) -> int:
    """Return how many bytes of the segment are stored; 0 for one never seen."""
    row = connection.execute(
        "select stored_bytes from segments where segment_id = ?", (segment_id,)
    ).fetchone()
    return 0 if row is None else int(row[0])


def mark(connection: sqlite3.Connection) -> bool:
    """Mark the file in the caller's transaction; True when it was not marked before."""
    found = connection.execute("insert or ignore into segments values (?, 1)", (UNSETTLED,))
    return found.rowcount > 0


def checkpoint(connection: sqlite3.Connection) -> None:
    """Bring into the file what is in the log, as far as that needs no waiting."""
    connection.execute("pragma wal_checkpoint(passive)").fetchall()


def settle(connection: sqlite3.Connection) -> None:
    """Take the mark away and bring everything into the file, readers that have it open or not."""
    connection.execute(f"pragma busy_timeout = {_WAIT_MS}")
    connection.execute("begin immediate")
    try:
        connection.execute("delete from segments where segment_id = ?", (UNSETTLED,))
        connection.commit()
    except BaseException:
        if connection.in_transaction:
            connection.rollback()
        raise
    connection.execute("pragma wal_checkpoint(truncate)").fetchall()
