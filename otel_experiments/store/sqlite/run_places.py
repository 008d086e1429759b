"""Where the fields of runs are in the documented schema.

A condition on a param, tag or metric becomes `run_id in (select ...)` over an index that leads with the key, so
that SQLite reads one narrow stretch of it, however many params and metrics the runs have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_experiments.model.search import (
    ArtifactField,
    AttributeField,
    DirtyField,
    EventCountField,
    FactField,
    LogTextField,
    MetricField,
    PackageField,
    ParamField,
    RecordField,
    RunField,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.semconv.attributes import PROCESS_COMMAND_ARGS
from otel_experiments.store.semantics.run_facts import FACT_ATTRIBUTES, is_version
from otel_experiments.store.semantics.search import no_field
from otel_experiments.store.sqlite.run_columns import COLUMNS
from otel_experiments.store.sqlite.search import TRUE, Place, Tie
from otel_experiments.store.sqlite.trace_places import place_inside, sorted_inside

if TYPE_CHECKING:
    from otel_experiments.model.search import FactName, MetricStat, SearchField
    from otel_experiments.store.sqlite.search import Binder

_DURATION: Final = "max(0, coalesce(ended_ns, paused_ns, heartbeat_ns) - started_ns - paused_total_ns) / 1e9"
_TEXT_COLUMNS: Final = {
    column.field: f"runs.{column.name}"
    for column in COLUMNS
    if column.kind == "text" and "." not in column.field
}
# Index: artifacts_by_run.
_ARTIFACTS: Final = """
    select count(distinct experiment || char(0) || name || char(0) || digest) from artifacts
    where artifacts.run_id = runs.run_id and role = 'artifact'
"""
_NUMBER_COLUMNS: Final = {
    "created": "runs.created_ns / 1e9", "started": "runs.started_ns / 1e9", "ended": "runs.ended_ns / 1e9",
    "duration": _DURATION, "attempt": "runs.attempt", "artifacts": _ARTIFACTS, "pinned": "runs.pinned_ns / 1e9",
    "archived": "runs.archived_ns / 1e9", "removed": "runs.removed_ns / 1e9",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Stat:
    """How a metric's number is read: `exists` tells the missing from the NaN, which is NULL."""

    expression: str
    exists: str = TRUE


_PLACE: Final = "case rank when 0 then phase else phase || char(0) || printf('%010d', rank) end"
"""Sorts the series of one name as their keys do: by phase, and in a phase by rank."""
_HAS_BEST: Final = "direction is not null"
_BEST: Final = "(case direction when 'min' then minimum when 'max' then maximum end)"
_STATS: Final[dict[MetricStat, _Stat]] = {
    "last": _Stat("last"),
    "min": _Stat("minimum"),
    "max": _Stat("maximum"),
    "mean": _Stat("(case when finite_count > 0 then finite_sum / finite_count end)"),
    "best": _Stat(_BEST, _HAS_BEST),
    "count": _Stat("count"),
    "nan_count": _Stat("nan_count"),
    "first_step": _Stat("first_step"),
    "last_step": _Stat("last_step"),
    "min_step": _Stat("minimum_step", "minimum is not null"),
    "max_step": _Stat("maximum_step", "maximum is not null"),
    "best_step": _Stat(
        "(case direction when 'min' then minimum_step when 'max' then maximum_step end)",
        f"{_HAS_BEST} and {_BEST} is not null",
    ),
}


@dataclass(frozen=True, slots=True)
class RunPlaces:
    """The fields of runs.

    Attributes:
        live_run_ids: JSON array of the runs known to be alive; None: no run is known to be gone.
    """

    live_run_ids: str | None = None
    table: str = "runs"
    key: str = "runs.run_id"

    def of(self, wanted: SearchField, binder: Binder) -> Place:  # noqa: PLR0911 - one return a kind of field
        """Return where a field of runs is."""
        match wanted:
            case RunField(name) if name in _NUMBER_COLUMNS:
                column = f"({_NUMBER_COLUMNS[name]})"
                return Place(f"{column} is not null", number=column)
            case RunField(name):
                column = self._text_column(name, binder)
                is_there = TRUE if name == "state" else f"ifnull({column} <> '', 0)"
                return Place(is_there, text=column)
            case FactField(name):
                column = _fact(name)
                return Place(f"ifnull({column} <> '', 0)", text=column, is_version=is_version(wanted))
            case ArtifactField():
                return _artifact(wanted, binder)
            case TagField(key):
                within = _within(f"tags where key = {binder.bind(key)}")
                return Place(within("value is not null"), within, text="value")  # a removed tag is NULL
            case ParamField():
                return _param(wanted, binder)
            case MetricField():
                return _metric(wanted, binder)
            case SpanStatField() | EventCountField() | LogTextField() | DirtyField() | PackageField():
                return place_inside(wanted, binder)
            case RecordField() | AttributeField():
                raise no_field(wanted, "run")

    def sorted_by(  # noqa: PLR0911 - one return a kind of field
        self, wanted: SearchField, alias: str, binder: Binder
    ) -> tuple[list[str], str]:
        """Return the columns that a field sorts by, and the join that they need."""
        match wanted:
            case RunField(name):
                if name in _NUMBER_COLUMNS:
                    return [f"({_NUMBER_COLUMNS[name]})"], ""
                return [f"nullif({self._text_column(name, binder)}, '')"], ""
            case FactField(name):
                column = f"nullif({_fact(name)}, '')"
                return [f"ox_version({column})" if is_version(wanted) else column], ""
            case ArtifactField(part=part):
                source = f"select * from {_newest_artifacts(wanted, binder)}"
                column = "null" if part == "aliases" else f"nullif({alias}.{_ARTIFACT_COLUMNS[part]}, '')"
                return [column], f"left join ({source}) {alias} on {alias}.run_id = runs.run_id"
            case TagField(key):
                bound = binder.bind(key)
                return [f"nullif({alias}.value, '')"], (
                    f"left join tags {alias} on {alias}.run_id = runs.run_id and {alias}.key = {bound}"
                )
            case ParamField(key):
                bound = binder.bind(key)
                kind = (
                    f"(case when {alias}.value_bool is not null then 0 when {alias}.value_number is not null then 1 "
                    f"when {alias}.value_text <> '' then 2 end)"
                )
                value = f"coalesce({alias}.value_bool, {alias}.value_number, nullif({alias}.value_text, ''))"
                return [kind, value], (
                    f"left join {_table(wanted)} {alias} on {alias}.run_id = runs.run_id and {alias}.key = {bound}"
                )
            case MetricField(stat=stat):
                source = _series(wanted, f"{_STATS[stat].expression} as found", binder)
                return [f"{alias}.found"], f"left join ({source}) {alias} on {alias}.run_id = runs.run_id"
            case SpanStatField() | EventCountField() | LogTextField() | DirtyField() | PackageField():
                return sorted_inside(wanted, alias, binder)
            case RecordField() | AttributeField():
                raise no_field(wanted, "run")

    def ties(self) -> tuple[Tie, ...]:
        """Return that of equal runs the newest comes first."""
        return (Tie("runs.created_ns", is_descending=True), Tie("runs.run_id"))

    def _text_column(self, name: str, binder: Binder) -> str:
        if name != "state":
            return _TEXT_COLUMNS[name]
        if self.live_run_ids is None:
            return "runs.state"
        live = binder.bind(self.live_run_ids)
        return (
            "(case when runs.state in ('pending', 'running', 'paused') "
            f"and runs.run_id not in (select value from json_each({live})) then 'lost' else runs.state end)"
        )


_ARTIFACT_COLUMNS: Final = {"digest": "digest", "type": "type", "size": "size_bytes"}
# Indexes: artifacts_by_name, runs_removed.
_LATEST: Final = """
    (select digest from artifacts last where last.role = 'artifact' and last.experiment = newest.experiment
     and last.name = newest.name and last.run_id not in (select run_id from runs where removed_ns is not null)
     order by time_ns desc, digest desc limit 1)
"""


def _fact(name: FactName) -> str:
    """Return what the resource tells, a text or an empty one. Index: the primary key of resources."""
    path = f"'$.\"{FACT_ATTRIBUTES[name]}\"'"
    found = (
        f"case json_type(attributes, {path}) when 'text' then json_extract(attributes, {path}) else '' end"
    )
    if name == "command":
        arguments = f"'$.\"{PROCESS_COMMAND_ARGS}\"'"
        joined = (
            f"select group_concat(value, ' ') from json_each(attributes, {arguments}) where type = 'text'"
        )
        is_list = f"json_type(attributes, {arguments}) = 'array'"
        found = f"coalesce(nullif(case when {is_list} then ({joined}) end, ''), {found})"
    readable = f"case when json_valid(attributes) then {found} else '' end"
    return f"ifnull((select {readable} from resources where resources.resource_id = runs.resource_id), '')"


def _artifact(wanted: ArtifactField, binder: Binder) -> Place:
    from otel_experiments.model.artifact import LATEST  # noqa: PLC0415 - few ask for artifacts

    rows = _newest_artifacts(wanted, binder)
    within = _within(rows)

    def contains(alias: str) -> str:
        if alias == LATEST:
            return f"digest = {_LATEST}"
        return (
            "exists (select 1 from artifact_aliases named where named.experiment = newest.experiment "
            f"and named.name = newest.name and named.digest = newest.digest and named.alias = {binder.bind(alias)})"
        )

    if wanted.part == "aliases":
        return Place(within(TRUE), within, contains=contains)
    column = _ARTIFACT_COLUMNS[wanted.part]
    if wanted.part == "size":
        return Place(
            within(TRUE), within, number=column, found=f"select run_id as of, size_bytes as found from {rows}"
        )
    return Place(within(TRUE), within, text=column)


def _newest_artifacts(wanted: ArtifactField, binder: Binder) -> str:
    """Return the rows of what each run logged last under a name. Indexes: artifacts_by_name, artifacts_by_run."""
    order = ("time_ns", "digest", "experiment", "hash")
    later, newest = (", ".join(f"{table}.{column}" for column in order) for table in ("later", "newest"))
    return (
        f"artifacts newest where role = 'artifact' and name = {binder.bind(wanted.name)} and not exists ("
        "select 1 from artifacts later where later.run_id = newest.run_id and later.role = 'artifact' "
        f"and later.name = newest.name and later.time_ns >= newest.time_ns and ({later}) > ({newest}))"
    )


def _within(rows: str) -> Callable[[str], str]:
    """Return what makes, of a condition on rows, the condition that one of them is the run's."""

    def condition_on_runs(condition: str) -> str:
        return f"runs.run_id in (select run_id from {rows} and {condition})"

    return condition_on_runs


def _param(wanted: ParamField, binder: Binder) -> Place:
    """Indexes: params_by_number, params_by_text, params_by_other, and those of summaries."""
    rows = f"{_table(wanted)} where key = {binder.bind(wanted.key)}"
    within = _within(rows)
    # Each value is in one of the three indexes, and no index has all of a key: without them the whole table is looked through.
    indexed = (
        "value_number is not null",
        "value_text is not null",
        "value_number is null and value_text is null",
    )
    anywhere = " union all ".join(f"select run_id from {rows} and {condition}" for condition in indexed)
    return Place(
        f"runs.run_id in ({anywhere})",
        within,
        within("type = 'float' and value_number is null and value_text is null and value_bool is null"),
        number="value_number",
        text="value_text",
        truth="value_bool",
        lists="value_json",
        of_type=_other_type,
        found=f"select run_id as of, value_number as found from {rows} and value_number is not null",
    )


def _other_type(kind: str) -> str:
    return f"value_number is null and value_text is null and type = '{kind}'"


def _metric(wanted: MetricField, binder: Binder) -> Place:
    stat = _STATS[wanted.stat]
    source = _series(wanted, f"{stat.expression} as found, {stat.exists} as is_there", binder)
    within = _within(f"({source}) where is_there")
    if stat.exists == TRUE:
        # Each series of that name has the number: no need to find the one that is meant. Index: series_by_name.
        in_phase = "" if wanted.phase is None else f" and phase = {binder.bind(wanted.phase)}"
        there = (
            f"runs.run_id in (select run_id from series where name = {binder.bind(wanted.name)}{in_phase})"
        )
    else:
        there = within(TRUE)
    return Place(
        there,
        within,
        within("found is null"),
        number="found",
        found=f"select run_id as of, found from ({source}) where is_there and found is not null",
    )


def _series(wanted: MetricField, columns: str, binder: Binder) -> str:
    """Select `columns` of the series meant by the field, one row a run. Index: series_by_name."""
    name = binder.bind(wanted.name)
    if wanted.phase is None:
        # SQLite takes the bare columns from the row that holds the minimum: no phase first, else the first.
        return f"select run_id, {columns}, min({_PLACE}) from series where name = {name} group by run_id"
    return (
        f"select run_id, {columns}, min(rank) from series "
        f"where name = {name} and phase = {binder.bind(wanted.phase)} group by run_id"
    )


def _table(wanted: ParamField) -> str:
    """Return the table of a field with the columns of params."""
    return "summaries" if isinstance(wanted, SummaryField) else "params"
