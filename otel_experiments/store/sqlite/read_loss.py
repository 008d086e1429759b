"""Reading from SQLite what runs did not keep as it was given."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Final

from otel_experiments.model.loss import Loss
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_TELEMETRY_LOSS
from otel_experiments.store.sqlite.unreadable import sql_literal, tell

# Index: log_records_by_event, a stretch that is empty where nothing was lost.
LOSSES: Final = """
    select run_id, coalesce(json_extract(attributes, ?1), json_extract(attributes, ?2), '') kind,
      coalesce(json_extract(attributes, ?3), '') name, cast(total(json_extract(attributes, ?4)) as integer) count
    from log_records indexed by log_records_by_event
    where event_name = ?5 and run_id is not null and json_valid(attributes) and (?6 is null or run_id in (select value from json_each(?6)))
    group by 1, 2, 3
    order by 1, 4 desc, 2, 3
"""
# Index: the same.
UNREADABLE: Final = """
    select run_id, time_ns from log_records indexed by log_records_by_event
    where event_name = ?1 and run_id is not null and not json_valid(attributes)
      and (?2 is null or run_id in (select value from json_each(?2)))
    order by 1, 2
"""


def losses(connection: sqlite3.Connection, run_ids: Sequence[str] | None) -> dict[str, list[Loss]]:
    """Return what these runs (None: all) lost, added up."""
    keys = (attr.ML_LOSS_KIND, attr.ML_LOSS_REASON, attr.ML_LOSS_NAME, attr.ML_LOSS_COUNT)
    wanted = None if run_ids is None else json.dumps(list(run_ids))
    found: dict[str, list[Loss]] = {}
    parameters = (*(f'$."{key}"' for key in keys), ML_TELEMETRY_LOSS.name, wanted)
    for run_id, time_ns in connection.execute(UNREADABLE, (ML_TELEMETRY_LOSS.name, wanted)).fetchall():
        key = f"run_id = {sql_literal(run_id)} and time_ns = {sql_literal(time_ns)}"
        tell(connection, "log_records", key, ValueError("its attributes are no JSON"))
    for run_id, kind, name, count in connection.execute(LOSSES, parameters):
        found.setdefault(run_id, []).append(Loss(str(kind), str(name), count))
    return found
