"""Writing and reading what destinations have not taken of the runs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.model.arrivals import arrivals
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Owner
from otel_experiments.model.unsent import Unsent
from otel_experiments.store.sqlite.unreadable import check_numbers, check_texts, readable, sql_literal

_KEY: Final = "run_id, signal, destination, owner_host, owner_boot_id, owner_pid, owner_start_ticks"
_UPSERT: Final = f"""
    insert into unsent ({_KEY}, since_ns, count, reason, is_push, noted_ns) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    on conflict ({_KEY}) do update set since_ns = excluded.since_ns, count = excluded.count,
      reason = excluded.reason, is_push = excluded.is_push, noted_ns = excluded.noted_ns
"""
# Index: the primary key, also below.
_DELETE: Final = """
    delete from unsent where run_id = ? and signal = ? and destination = ? and owner_host = ? and owner_boot_id = ?
      and owner_pid = ? and owner_start_ticks = ?
"""
_IS_ANY: Final = "select 1 from unsent limit 1"
_JOIN: Final = """
    update unsent set since_ns = min(since_ns, ?), count = count + ? where run_id = ? and signal = ? and not is_push
"""
_SELECT: Final = f"""
    select {_KEY}, since_ns, count, reason, is_push, noted_ns from unsent
    where ?1 is null or run_id in (select value from json_each(?1))
    order by run_id, signal, destination, owner_host, owner_boot_id, owner_pid
"""


def write_unsent(connection: sqlite3.Connection, rows: Iterable[Unsent], sent: Iterable[Unsent]) -> None:
    """Write rows, and remove those of what was sent."""
    connection.executemany(
        _UPSERT,
        [
            (
                *_key(row),
                row.since_ns,
                row.count,
                clean_text(row.reason),
                int(row.is_push),
                row.noted_ns,
            )
            for row in rows
        ],
    )
    connection.executemany(_DELETE, [_key(row) for row in sent])


def join_arrivals(connection: sqlite3.Connection, batch: WriteBatch) -> None:
    """Let the rows of the batch's runs know what came from a journal, in the transaction that stores it."""
    if connection.execute(_IS_ANY).fetchone() is None:
        return
    connection.executemany(
        _JOIN,
        [
            (arrival.since_ns, arrival.count, run_id, signal)
            for (run_id, signal), arrival in arrivals(batch).items()
        ],
    )


def unsent(connection: sqlite3.Connection, run_ids: Sequence[str] | None) -> list[Unsent]:
    """Return the rows of these runs (None: all)."""
    wanted = None if run_ids is None else json.dumps(list(run_ids))
    rows = connection.execute(_SELECT, (wanted,)).fetchall()

    def make(row: Sequence[object]) -> Unsent:
        run_id, signal, destination, host, boot_id, pid, ticks, since_ns, count, reason, is_push, noted_ns = (
            row
        )
        check_texts(run_id, signal, destination, host, boot_id, reason)
        check_numbers(pid, ticks, since_ns, count, noted_ns)
        owner = Owner(host, boot_id, pid, ticks)  # type: ignore[arg-type] # they were checked
        return Unsent(
            run_id, signal, destination, owner, since_ns, count, reason, bool(is_push), noted_ns  # type: ignore[arg-type] # as above
        )  # fmt: skip

    def key(row: Sequence[object]) -> str:
        return f"run_id = {sql_literal(row[0])} and signal = {sql_literal(row[1])}"

    return readable(connection, rows, make, table="unsent", key=key)


def _key(row: Unsent) -> tuple[str | int, ...]:
    owner = row.owner
    return (
        row.run_id, row.signal, clean_text(row.destination), owner.host, owner.boot_id, owner.pid, owner.start_ticks,
    )  # fmt: skip
