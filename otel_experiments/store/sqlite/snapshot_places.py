"""Where the fields of a run are that its snapshot says: what was not committed, and which packages were installed.

Runs that a process starts soon after each other have one snapshot, which an attribute of their start names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import DirtyField, PackageField
from otel_experiments.semconv.attributes import ML_ENVIRONMENT_RUN_ID
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store.semantics.snapshots import TAKING_NS, package_key
from otel_experiments.store.sqlite.search import FALSE, Place

if TYPE_CHECKING:
    from otel_experiments.store.sqlite.search import Binder

# Index: log_records_by_event (covering), then the primary key, once a snapshot. SQLite takes the bare columns beside max() from
# the row that holds the maximum.
_SNAPSHOTS: Final = f"""
    with taken as (
      select run_id, time_ns, log_record_id from log_records where event_name = '{ML_RUN_ENVIRONMENT.name}' and run_id is not null
    ), own as (
      select run_id, max(time_ns) as time_ns, log_record_id from taken group by run_id
    ), sharing as (
      select run_id, max(time_ns) as time_ns, json_extract(attributes, '$."{ML_ENVIRONMENT_RUN_ID}"') as source
      from log_records where event_name = '{ML_RUN_START.name}' and run_id is not null
        and instr(attributes, '"{ML_ENVIRONMENT_RUN_ID}"') > 0 and json_valid(attributes) group by run_id
    ), shared as (
      select sharing.run_id, max(taken.time_ns) as time_ns, taken.log_record_id from sharing join taken
        on taken.run_id = sharing.source and taken.time_ns < sharing.time_ns + {TAKING_NS} group by sharing.run_id
    ), chosen as (
      select own.run_id, own.log_record_id from own left join sharing using (run_id) left join shared using (run_id)
      where sharing.run_id is null or own.time_ns >= sharing.time_ns or shared.run_id is null
      union all
      select shared.run_id, shared.log_record_id from shared join sharing using (run_id) left join own using (run_id)
      where own.run_id is null or own.time_ns < sharing.time_ns
    )
    select chosen.run_id, {{}} as found from chosen join log_records using (log_record_id)
"""


def place_of_snapshot(wanted: DirtyField | PackageField, binder: Binder) -> Place:
    """Return where the field is."""
    rows = _rows(wanted, binder)

    def within(condition: str) -> str:
        return f"runs.run_id in (select run_id from ({rows}) where {condition})"

    there = within("found is not null")
    if isinstance(wanted, PackageField):
        return Place(there, within, text="found", is_version=True)
    return Place(
        there,
        within,
        truth="found",
        lists="found",
        of_type=lambda kind: "found is not null" if kind == "bool" else FALSE,
    )


def sorted_by_snapshot(
    wanted: DirtyField | PackageField, alias: str, binder: Binder
) -> tuple[list[str], str]:
    """Return the columns that a field sorts by, and the join that they need."""
    join = f"left join ({_rows(wanted, binder)}) {alias} on {alias}.run_id = runs.run_id"
    if isinstance(wanted, PackageField):
        return [f"ox_version({alias}.found)"], join
    return [f"(case when {alias}.found is not null then 0 end)", f"{alias}.found"], join


def _rows(wanted: DirtyField | PackageField, binder: Binder) -> str:
    if isinstance(wanted, DirtyField):
        return _SNAPSHOTS.format("ox_dirty(cast(body as blob))")
    return _SNAPSHOTS.format(f"ox_package(cast(body as blob), {binder.bind(package_key(wanted.name))})")
