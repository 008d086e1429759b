"""Writing runs, their params, tags and metric definitions into SQLite."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, cast

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunSighting,
    RunStateChange,
    SummarySet,
    TagSet,
)
from otel_experiments.model.metric import Direction
from otel_experiments.model.run import ParamValue, Run
from otel_experiments.model.span import Resource
from otel_experiments.process.interruption import is_interruption
from otel_experiments.store.semantics.run import (
    StoredRun,
    apply_change,
    apply_heartbeat,
    apply_record,
    apply_sighting,
    placeholder,
)
from otel_experiments.store.semantics.search import comparable
from otel_experiments.store.semantics.summary import direction_of
from otel_experiments.store.sqlite.read_values import HIDDEN
from otel_experiments.store.sqlite.run_columns import RUN_COLUMNS, STORED, UPSERT_RUN, mended, row_of, run_of
from otel_experiments.store.sqlite.unreadable import ABOUT_CONTENT
from otel_experiments.store.sqlite.write_origin import OriginWriter

_SELECT_RUN: Final = f"select {RUN_COLUMNS}, {', '.join(STORED)} from runs left join resources using (resource_id) where run_id = ?"
_UPSERT_EXPERIMENT: Final = """
    insert into experiments (name, created_ns) values (?, ?)
    on conflict (name) do update set created_ns = min(created_ns, excluded.created_ns)
"""
_UPSERT_VALUE: Final = """
    insert into {table} (run_id, key, type, value_text, value_number, value_bool, value_json, time_ns)
    values (?, ?, ?, ?, ?, ?, ?, ?)
    on conflict (run_id, key) do update set
      type = excluded.type, value_text = excluded.value_text, value_number = excluded.value_number,
      value_bool = excluded.value_bool, value_json = excluded.value_json, time_ns = excluded.time_ns
    where excluded.time_ns >= {table}.time_ns
"""
_UPSERT_PARAM: Final = _UPSERT_VALUE.format(table="params")
_UPSERT_SUMMARY: Final = _UPSERT_VALUE.format(table="summaries")
# Index: the primary keys.
_HAS_PARAMS: Final = "select 1 from params where run_id = ? limit 1"
_KEEP_REPLACED: Final = """
    insert or ignore into param_history (run_id, key, time_ns, value_json)
    select run_id, key, time_ns, value_json from params
    where run_id = ? and key = ? and time_ns >= 0 and time_ns < ?
"""
_KEEP_EARLIER: Final = """
    insert or ignore into param_history (run_id, key, time_ns, value_json)
    select run_id, key, ?, ? from params where run_id = ? and key = ? and time_ns > ?
"""
_UPSERT_TAG: Final = """
    insert into tags (run_id, key, value, time_ns) values (?, ?, ?, ?)
    on conflict (run_id, key) do update set value = excluded.value, time_ns = excluded.time_ns
    where excluded.time_ns >= tags.time_ns
"""
_UPSERT_DEFINITION: Final = """
    insert into metric_definitions (run_id, pattern, direction, step_metric, summary, is_hidden)
    values (?, ?, ?, ?, ?, ?)
    on conflict (run_id, pattern) do update set direction = excluded.direction,
      step_metric = excluded.step_metric, summary = excluded.summary, is_hidden = excluded.is_hidden
"""

# Index: the primary key of runs.
_MISSING: Final = """
    select value from json_each(?) where not exists (select 1 from runs where run_id = value)
"""
_HIDDEN_NUMBERS: Final = {said: number for number, said in HIDDEN.items()}
_MOST_KNOWN: Final = 10_000


class RunWriter:
    """Writes what a batch says of runs. One for each store; all methods run inside the caller's transaction."""

    def __init__(self, origins: OriginWriter) -> None:
        self._origins = origins
        self._known: set[str] = set()

    def forget(self) -> None:
        """Forget which runs exist, because a transaction was rolled back."""
        self._known.clear()

    def ensure(self, connection: sqlite3.Connection, run_id: str, time_ns: int) -> None:
        """Make sure that a row of the run exists, a placeholder where its own record has not arrived."""
        if run_id in self._known:
            return
        if connection.execute("select 1 from runs where run_id = ?", (run_id,)).fetchone() is None:
            self._save(connection, placeholder(run_id, time_ns))
        self._remember(run_id)

    def ensure_all(self, connection: sqlite3.Connection, times_ns: Mapping[str, int]) -> None:
        """Make sure that a row of each of these runs exists, as `ensure` does."""
        unknown = [run_id for run_id in times_ns if run_id not in self._known]
        if len(unknown) > 1:
            missing = {run_id for (run_id,) in connection.execute(_MISSING, (json.dumps(unknown),))}
            for run_id in unknown:
                if run_id not in missing:
                    self._remember(run_id)
            unknown = [run_id for run_id in unknown if run_id in missing]
        for run_id in unknown:
            self.ensure(connection, run_id, times_ns[run_id])

    def _remember(self, run_id: str) -> None:
        """Remember that the row of a run exists; a receiver meets more runs than are to be remembered."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known.add(run_id)

    def write_runs(
        self,
        connection: sqlite3.Connection,
        records: Iterable[Run],
        sightings: Iterable[RunSighting],
        changes: Iterable[RunStateChange],
        beats: Iterable[Heartbeat],
        *,
        is_journalled: bool = False,
    ) -> None:
        """Merge records, sightings, state changes and heartbeats into the stored runs, in this order."""
        touched: dict[str, StoredRun] = {}
        for record in records:
            known = touched.get(record.run_id) or self._load(connection, record.run_id)
            touched[record.run_id] = apply_record(known, record, is_journalled=is_journalled)
        for sighting in sightings:
            run_id = sighting.run.run_id
            known = touched.get(run_id) or self._load(connection, run_id)
            touched[run_id] = apply_sighting(known, sighting)
        for change in changes:
            known = touched.get(change.run_id) or self._load(connection, change.run_id)
            touched[change.run_id] = apply_change(known or placeholder(change.run_id, change.time_ns), change)
        for beat in beats:
            known = touched.get(beat.run_id) or self._load(connection, beat.run_id)
            touched[beat.run_id] = apply_heartbeat(known or placeholder(beat.run_id, beat.time_ns), beat)
        for stored in touched.values():
            self._save(connection, stored)
            self._remember(stored.run.run_id)

    def write_params(self, connection: sqlite3.Connection, params: Sequence[ParamSet]) -> None:
        """Set params; the latest time wins, and the values of earlier times are kept as the param's history."""
        for param in params:
            self.ensure(connection, param.run_id, max(0, param.time_ns))
        rows = [_param_row(param) for param in params]
        run_ids = {param.run_id for param in params}
        is_first = len({row[:2] for row in rows}) == len(rows) and not any(
            connection.execute(_HAS_PARAMS, (run_id,)).fetchone() for run_id in run_ids
        )
        if is_first:  # nothing is replaced: the way of a run's config
            connection.executemany(_UPSERT_PARAM, rows)
            return
        for row in rows:
            run_id, key, *_, value_json, time_ns = row
            connection.execute(_KEEP_REPLACED, (run_id, key, time_ns))
            connection.execute(_UPSERT_PARAM, row)
            if cast("int", time_ns) >= 0:  # a rank's is no time
                connection.execute(_KEEP_EARLIER, (time_ns, value_json, run_id, key, time_ns))

    def write_summaries(self, connection: sqlite3.Connection, summaries: Sequence[SummarySet]) -> None:
        """Set values of summaries; the latest time wins."""
        for one in summaries:
            self.ensure(connection, one.run_id, one.time_ns)
        connection.executemany(_UPSERT_SUMMARY, [_param_row(one) for one in summaries])

    def write_tags(self, connection: sqlite3.Connection, tags: Sequence[TagSet]) -> None:
        """Set or remove tags; the latest time wins. A removed tag stays as a row without a value."""
        self.ensure_all(connection, {tag.run_id: max(0, tag.time_ns) for tag in tags})
        connection.executemany(
            _UPSERT_TAG,
            [
                (
                    tag.run_id,
                    clean_text(tag.key),
                    None if tag.value is None else clean_text(tag.value),
                    tag.time_ns,
                )
                for tag in tags
            ],
        )

    def write_definitions(
        self, connection: sqlite3.Connection, definitions: Sequence[MetricDefinition]
    ) -> None:
        """Set metric definitions and give the series that exist their direction."""
        for definition in definitions:
            self.ensure(connection, definition.run_id, 0)
        connection.executemany(
            _UPSERT_DEFINITION,
            [
                (
                    one.run_id,
                    clean_text(one.pattern),
                    one.direction,
                    clean_text(one.step_metric),
                    one.summary,
                    _HIDDEN_NUMBERS[one.is_hidden],
                )
                for one in definitions
            ],
        )
        for run_id in dict.fromkeys(one.run_id for one in definitions):
            rules = definitions_of(connection, run_id)
            stored = connection.execute(
                "select series_id, name, direction from series where run_id = ?", (run_id,)
            ).fetchall()
            changed = [
                (direction, series_id)
                for series_id, name, known in stored
                if (direction := direction_of(name, rules)) != known
            ]
            connection.executemany("update series set direction = ? where series_id = ?", changed)

    def _load(self, connection: sqlite3.Connection, run_id: str) -> StoredRun | None:
        row = connection.execute(_SELECT_RUN, (run_id,)).fetchone()
        return None if row is None else _stored_run_of(row)

    def _save(self, connection: sqlite3.Connection, stored: StoredRun) -> None:
        run = stored.run
        if run.experiment:
            connection.execute(_UPSERT_EXPERIMENT, (clean_text(run.experiment), run.created_ns))
        resource_id = None
        if run.resource:
            resource_id, _ = self._origins.resource(connection, Resource(run.resource))  # type: ignore[arg-type]
        connection.execute(UPSERT_RUN, row_of(stored, resource_id))


def _stored_run_of(row: Sequence[object]) -> StoredRun:
    """Return the run of a row of RUN_COLUMNS, state_ns, record_ns; what cannot be read of it is mended.

    Who writes has news of the run, and a row that somebody else spoilt is no reason to lose them.
    """
    state_ns, record_ns = (number if isinstance(number, int) else -1 for number in row[-2:])
    try:
        run = run_of(row[:-2])
    except ABOUT_CONTENT as error:
        if is_interruption(error):
            raise
        run = run_of(mended(row[:-2]))
    return StoredRun(run, state_ns, record_ns)


def definitions_of(connection: sqlite3.Connection, run_id: str) -> list[tuple[str, Direction | None]]:
    """Return the (pattern, direction) pairs that a run declared."""
    return connection.execute(
        "select pattern, direction from metric_definitions where run_id = ?", (run_id,)
    ).fetchall()


def param_type(value: ParamValue) -> str:
    """Return the name under which a param's type is stored."""
    if value is None:
        return "null"
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind.__name__
    return "list"


def _param_row(param: ParamSet | SummarySet) -> tuple[str | float | None, ...]:
    kind, value = param_type(param.value), param.value
    text = clean_text(value) if isinstance(value, str) else None
    truth = int(value) if isinstance(value, bool) else None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    number = comparable(value) if is_number and isinstance(value, (int, float)) else None
    return (param.run_id, clean_text(param.key), kind, text, number, truth, dump_value(value), param.time_ns)
