"""`search_runs` and `list_experiments`: which runs there are."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import (
    NEXT_OFFSET,
    OBJECTS,
    OFFSET,
    WHERE,
    WHOLE,
    counted,
    limit,
    moment,
    next_offset,
    plain_name,
)
from otel_experiments.query.json_values import Plain, plain, plain_number
from otel_experiments.query.search.parser import parse_fields
from otel_experiments.query.shown.curves import label_of

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place
    from otel_experiments.model.search import SearchField
    from otel_experiments.query import RunView

_MOST_VALUES: Final = 20
"""Params, tags and metrics of a run in a list, each."""


def _search(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    columns: list[str] = given["columns"] or []
    with place.open() as reader:
        fields = reader.check_fields(
            [one for text in columns for one in parse_fields(text, meant=reader.meant)]
        )
        runs = reader.runs(
            given["where"],
            order=given["order"],
            experiment=given["experiment"],
            limit=given["limit"],
            offset=given["offset"],
        )
        total = reader.count_runs(given["where"], experiment=given["experiment"])
        rows: list[Plain] = [_row(run, columns, fields) for run in runs]
    following = next_offset(given["offset"], len(rows), total)
    more = "" if following is None else f" The next ones: offset={following}."
    order = f"by {given['order']}" if given["order"] else "newest first"
    return Answer(
        f"{len(rows)} of {counted(total, 'run')}, {order}.{more}",
        {"total": total, "next_offset": following, "runs": rows},
    )


def _row(run: RunView, columns: list[str], fields: list[SearchField]) -> dict[str, Plain]:
    row = {
        **plain_name(run),
        "created": moment(run.created_ns),
        "duration_s": run.duration_s,
        **({"reason": run.reason} if run.reason else {}),
        **({"lost_count": run.lost_count} if run.lost_count else {}),
    }
    if columns:
        return {
            **row,
            "columns": {text: plain(run.value(one)) for text, one in zip(columns, fields, strict=True)},
        }
    params, metrics = run.params.flat, run.metrics.all()
    row["tags"] = plain(dict(islice(run.tags.items(), _MOST_VALUES)))
    row["params"] = plain(dict(islice(params.items(), _MOST_VALUES)))
    row["metrics"] = {
        label_of(one): {
            "last": plain_number(one.last),
            **({} if one.best is None else {"best": plain_number(one.best)}),
        }
        for one in metrics[:_MOST_VALUES]
    }
    for name, count in (("params", len(params)), ("metrics", len(metrics)), ("tags", len(run.tags))):
        if count > _MOST_VALUES:
            row[f"{name}_left_out"] = count - _MOST_VALUES
    return row


def _experiments(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    with place.open() as reader:
        found = reader.experiments()
    shown = found[given["offset"] : given["offset"] + given["limit"]]
    following = next_offset(given["offset"], len(shown), len(found))
    rows: list[Plain] = [{"name": one.name, "run_count": one.run_count} for one in shown]
    return Answer(
        f"{len(rows)} of {counted(len(found), 'experiment')}, by name.",
        {"total": len(found), "next_offset": following, "experiments": rows},
    )


SEARCH_RUNS: Final = Tool(
    "search_runs",
    "Search runs",
    "Find recorded runs by params, metrics, tags, state, time, code, environment, artifacts, spans or log text. Without "
    "arguments: the newest runs. Each has some params and metrics, or the columns that you ask for.",
    (
        WHERE,
        Argument(
            "order", "text", "sort keys such as: -metrics.accuracy.max, name. A minus turns the order round."
        ),
        Argument("experiment", "text", "only runs of this experiment."),
        Argument(
            "columns",
            "texts",
            "fields to show in place of params and metrics, such as params.lr, metrics.loss.min, spans['epoch'].p95.",
        ),
        limit(20, 200, "runs"),
        OFFSET,
    ),
    {"total": WHOLE, "next_offset": NEXT_OFFSET, "runs": OBJECTS},
    _search,
    rest="Ask for fewer runs (limit), or for columns; show_run has all of one run.",
)

LIST_EXPERIMENTS: Final = Tool(
    "list_experiments",
    "List experiments",
    "List the experiments of the store with their number of runs.",
    (limit(100, 1000, "experiments"), OFFSET),
    {"total": WHOLE, "next_offset": NEXT_OFFSET, "experiments": OBJECTS},
    _experiments,
    rest="Go on with offset.",
)
