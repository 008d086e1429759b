"""`show_run`: one run, its most telling parts, or one part whole, page by page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import (
    OBJECT,
    OFFSET,
    RUN,
    counted,
    limit,
    next_offset,
    plain_name,
)
from otel_experiments.query.json_values import Plain, plain
from otel_experiments.query.plain_page import plain_page

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place
    from otel_experiments.query import RunView

_HEAD: Final = 20
"""So much of each part is on the first page."""
_MOST_SPANS: Final = 10_000
"""Read to find the traceback."""
_ELSEWHERE: Final = ("span_tree", "snapshot", "trace_url", "params")
"""Of the page of a run: what other tools have, or other parts."""
PARTS: Final = (
    "params", "metrics", "tags", "summary", "losses", "artifacts", "used_artifacts", "media", "annotations", "attempts",
    "children", "packages", "patch", "environment", "resource", "params_changed", "rank_differences", "attached", "unsent",
)  # fmt: skip


def _show(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        run = reader.run(given["run"])
        unsent = reader.store.unsent([run.id])
        spans = list(run.spans.errors().first(_MOST_SPANS))
        page = plain_page(run, unsent, spans, (), None)
    parts = _parts(run, page)
    if given["part"] is not None:
        return _one_part(run, given["part"], parts[given["part"]], given)
    shown: dict[str, Plain] = {
        key: value for key, value in page.items() if key not in parts and key not in _ELSEWHERE
    }
    for name in ("params", "metrics", "tags", "summary", "losses", "artifacts", "annotations", "attempts"):
        shown[name] = _headed(parts[name])
    sizes: dict[str, Plain] = {name: len(items) for name, items in parts.items() if len(items)}
    return Answer(
        f"Run {run.short_id}: {run.state}, {counted(len(parts['params']), 'param')}, "
        f"{counted(len(parts['metrics']), 'metric')}. `parts` says how much there is of each part.",
        {"run": plain_name(run), "page": shown, "parts": sizes},
    )


def _parts(run: RunView, page: Mapping[str, Plain]) -> dict[str, dict[str, Plain] | list[Plain]]:
    """Return each part as a list or as values by name."""
    snapshot = run.snapshot
    environment = {key: value for key, value in snapshot.parts.items() if key != "packages"}
    if isinstance(environment.get("git"), Mapping):
        environment["git"] = {key: value for key, value in snapshot.git.items() if key != "patch"}
    of_snapshot: dict[str, Plain] = {
        "params": plain(run.params.flat),
        "packages": list(snapshot.requirements.splitlines()),
        "patch": list(snapshot.patch.splitlines()),
        "environment": plain(environment),
    }
    found = {name: of_snapshot.get(name, page.get(name)) for name in PARTS}
    return {name: part if isinstance(part, dict | list) else [] for name, part in found.items()}


def _headed(part: dict[str, Plain] | list[Plain]) -> Plain:
    return part[:_HEAD] if isinstance(part, list) else dict(list(part.items())[:_HEAD])


def _one_part(
    run: RunView, name: str, part: dict[str, Plain] | list[Plain], given: Mapping[str, Any]
) -> Answer:
    items: list[Plain] = part if isinstance(part, list) else [{"key": k, "value": v} for k, v in part.items()]
    shown = items[given["offset"] : given["offset"] + given["limit"]]
    following = next_offset(given["offset"], len(shown), len(items))
    more = "" if following is None else f" The next ones: offset={following}."
    return Answer(
        f"{len(shown)} of {len(items)} of {name} of run {run.short_id}.{more}",
        {"run": plain_name(run), "part": name, "total": len(items), "next_offset": following, "items": shown},
    )


SHOW_RUN: Final = Tool(
    "show_run",
    "Show a run",
    "Show one run: state, error, params, metrics with last and best values, tags, losses, artifacts. With part: all of one "
    "part, such as the packages, the uncommitted patch or the environment, page by page.",
    (
        RUN,
        Argument("part", "text", "one part whole, in place of the beginning of each.", choices=PARTS),
        limit(100, 500, "items of the part"),
        OFFSET,
    ),
    {
        "run": OBJECT,
    },
    _show,
    rest="Ask for one part (part=...) and go on with offset.",
)
