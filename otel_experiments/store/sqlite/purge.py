"""Taking runs out of a SQLite store with all that hangs on them, and keeping out what arrives of them later.

A run whose environment other runs share leaves that one event behind, under its id and hidden, until these are gone too.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Sequence
from typing import Final

from otel_experiments.codec.values import load_value
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunContents, RunPurge
from otel_experiments.process.interruption import is_interruption
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store.semantics.edits import returning, without_purged, without_wanted
from otel_experiments.store.semantics.late import late_items
from otel_experiments.store.sqlite.read_run import run_by_id
from otel_experiments.store.sqlite.unreadable import ABOUT_CONTENT

_AMONG: Final = "in (select value from json_each(?1))"
# Indexes: spans_attached, log_records_attached, instrument_points_attached.
_GIVE_BACK: Final = tuple(
    f"update {table} set run_id = null, attached_ns = null where run_id {_AMONG} and attached_ns > 0"
    for table in ("spans", "log_records", "instrument_points")
)
# Index: log_records_by_event.
_STARTS: Final = f"""
    select run_id, attributes from log_records
    where event_name = '{ML_RUN_START.name}' and instr(attributes, '{attr.ML_ENVIRONMENT_RUN_ID}')
"""
_TABLES: Final = (
    "params", "param_history", "summaries", "tags", "metric_definitions", "chunks", "series", "axes", "spans", "span_summaries",
    "instrument_points", "unsent", "artifacts", "artifact_uses", "edits",
)  # fmt: skip
"""What hangs on a run, beside log records."""
_CHUNKS_OF: Final = (
    f"delete from chunks where series_id in (select series_id from series where run_id {_AMONG})"
)
_EMPTY: Final = (
    *(_CHUNKS_OF if table == "chunks" else f"delete from {table} where run_id {_AMONG}" for table in _TABLES),
    f"delete from log_records where run_id {_AMONG} and event_name <> '{ML_RUN_ENVIRONMENT.name}'",
    f"update runs set removed_ns = coalesce(removed_ns, created_ns) where run_id {_AMONG}",
)
_DELETE: Final = f"delete from runs where run_id {_AMONG}"
# An alias of bytes that no run logged under that name any more points at nothing.
_DELETE_ALIASES: Final = """
    delete from artifact_aliases where (experiment, name) in (
        select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each(?1)
      )
      and digest is not null and not exists (
        select 1 from artifacts where artifacts.digest = artifact_aliases.digest
          and artifacts.name = artifact_aliases.name and artifacts.experiment = artifact_aliases.experiment
      )
"""
_NAMES: Final = f"select distinct experiment, name from artifacts where run_id {_AMONG} and role = 'artifact'"
_EXPERIMENTS: Final = f"select distinct experiment from runs where run_id {_AMONG} and experiment is not null"
_DELETE_EXPERIMENTS: Final = f"""
    delete from experiments where name {_AMONG}
      and not exists (select 1 from runs where runs.experiment = experiments.name)
"""
_NOTE: Final = """
    insert into purged_runs (purge_id, run_id, time_ns, is_back)
    values ((select coalesce(max(purge_id), 0) + 1 from purged_runs), ?, ?, ?)
    on conflict (run_id) do update set
      purge_id = (select max(purge_id) + 1 from purged_runs),
      time_ns = max(time_ns, excluded.time_ns), is_back = excluded.is_back
"""
_LEFT_OVER: Final = """
    select run_id from purged_runs cross join runs using (run_id) where not is_back
"""
_HAS_ENVIRONMENT: Final = f"""
    select exists (select 1 from log_records where run_id {_AMONG} and event_name = '{ML_RUN_ENVIRONMENT.name}')
"""
_LATEST: Final = "select max(purge_id) from purged_runs"
_PURGED: Final = "select run_id, time_ns from purged_runs where not is_back"
# Indexes: unique (run_id, name, phase, rank) of series, spans_by_run, log_records_by_run, instrument_points_by_run, artifacts_by_run.
_CONTENTS: Final = f"""
    select
      (select count(*) from runs where run_id {_AMONG}),
      (select coalesce(sum(count), 0) from series where run_id {_AMONG}),
      (select count(*) from spans where run_id {_AMONG}),
      (select count(*) from log_records where run_id {_AMONG}),
      (select count(*) from instrument_points where run_id {_AMONG}),
      (select count(*) from artifacts where run_id {_AMONG})
"""


# Whole tables: none of the blobs is read.
_BYTES: Final = """
    select run_id, sum(bytes) from (
      select run_id, 400 as bytes from runs
      union all select run_id, length(values_data) + 60 from chunks join series using (series_id)
      union all select run_id, length(steps_data) + length(times_data) + 80 from axes
      union all select run_id, 250 from series
      union all select run_id, length(attributes) + 300 from spans where run_id is not null
      union all select run_id, length(body) + length(attributes) + 250 from log_records where run_id is not null
      union all select run_id, length(attributes) + ifnull(length(histogram), 0) + length(exemplars) + 250
        from instrument_points where run_id is not null
      union all select run_id, 3 * length(value_json) + 150 from params
      union all select run_id, 300 from artifacts
    ) group by run_id
"""


class PurgedRuns:
    """Which runs were purged, as far as it was read: one number tells whether others purged more meanwhile."""

    def __init__(self) -> None:
        self._latest: int | None = -1
        self._purged: dict[str, int] = {}
        self.late: Counter[str] = Counter()
        """How many records the latest batch had of each purged run."""

    def __contains__(self, run_id: object) -> bool:
        return run_id in self._purged

    def has_news(self, connection: sqlite3.Connection) -> bool:
        """Read anew which runs were purged where that has changed, and tell whether it has."""
        (latest,) = connection.execute(_LATEST).fetchone()
        if latest == self._latest:
            return False
        self._latest = latest
        self._purged = {} if latest is None else dict(connection.execute(_PURGED))
        return True

    def let_in(self, connection: sqlite3.Connection, batch: WriteBatch) -> WriteBatch:
        """Return what is to be stored of a batch: nothing of purged runs, unless it makes them anew."""
        self.late = Counter()
        if not self._purged:
            return batch
        back = returning(batch, self._purged.get) & self._purged.keys()
        if back:
            connection.executemany(_NOTE, [(run_id, self._purged[run_id], 1) for run_id in sorted(back)])
            connection.execute(
                f"update runs set removed_ns = null where run_id {_AMONG}", (json.dumps(sorted(back)),)
            )
            self.has_news(connection)
        kept = without_purged(batch, self._purged.__contains__)
        if kept is not batch:
            self.late = late_items(batch, self._purged.__contains__)
        return kept


def purge(connection: sqlite3.Connection, purges: Sequence[RunPurge]) -> None:
    """Take runs out of the store, and note it; what was attached to them belongs to no run again."""
    if not purges:
        return
    purges = without_wanted(purges, lambda run_id: run_by_id(connection, run_id))
    ids = {one.run_id for one in purges}
    experiments = json.dumps([name for (name,) in connection.execute(_EXPERIMENTS, (_json(ids),))])
    names = json.dumps(list(connection.execute(_NAMES, (_json(ids),))))
    for statement in _GIVE_BACK:
        connection.execute(statement, (_json(ids),))
    connection.executemany(_NOTE, [(one.run_id, one.time_ns, 0) for one in purges])
    shells = {run_id for (run_id,) in connection.execute(_LEFT_OVER)}  # these, and what earlier ones left
    may_be_needed = connection.execute(_HAS_ENVIRONMENT, (_json(shells),)).fetchone()[0]
    needed = _shared(connection, without=shells) if may_be_needed else set[str]()
    for statement in _EMPTY:
        connection.execute(statement, (_json(ids & needed),))
    connection.execute(_DELETE, (_json(shells - needed),))
    connection.execute(_DELETE_ALIASES, (names,))
    connection.execute(_DELETE_EXPERIMENTS, (experiments,))


def purged_runs(connection: sqlite3.Connection) -> dict[str, int]:
    """Return which runs were purged, and when."""
    return dict(connection.execute(_PURGED).fetchall())


def contents(connection: sqlite3.Connection, run_ids: Sequence[str]) -> RunContents:
    """Return how much hangs on these runs together."""
    return RunContents(*connection.execute(_CONTENTS, (json.dumps(list(run_ids)),)).fetchone())


def run_bytes(connection: sqlite3.Connection) -> dict[str, int]:
    """Return about how many bytes of the file each run takes: what its rows hold, scaled to the pages in use."""
    held = dict(connection.execute(_BYTES).fetchall())
    pages, free, page_bytes = (
        connection.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    total = sum(held.values())
    factor = max(1.0, (pages - free) * page_bytes / total) if total else 1.0
    return {run_id: int(size * factor) for run_id, size in held.items()}


def _shared(connection: sqlite3.Connection, *, without: set[str]) -> set[str]:
    """Return whose environment the runs share that are no rests of purged ones."""
    found = set[str]()
    for run_id, attributes in connection.execute(_STARTS):
        if run_id in without:
            continue
        try:
            source = load_value(attributes)[attr.ML_ENVIRONMENT_RUN_ID]  # type: ignore[index,call-overload] # read below
        except ABOUT_CONTENT as error:
            if is_interruption(error):
                raise
            continue
        if isinstance(source, str):
            found.add(source)
    return found


def _json(run_ids: set[str]) -> str:
    return json.dumps(sorted(run_ids))
