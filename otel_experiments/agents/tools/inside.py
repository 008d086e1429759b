"""`read_spans` and `read_logs`: what happened inside of runs, what was logged and printed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import (
    NEXT_OFFSET,
    OBJECTS,
    OFFSET,
    RUN,
    WHOLE,
    counted,
    limit,
    next_offset,
)
from otel_experiments.errors import AgentArgumentError
from otel_experiments.query.fold import fold
from otel_experiments.query.plain import plain_span
from otel_experiments.query.plain_page import logged, plain_line, plain_record, plain_tree
from otel_experiments.query.record_lists import LogRecordList

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place
    from otel_experiments.query.json_values import Plain

_MOST_SPANS: Final = 50_000
"""Of a tree: a longer run shows its first ones."""


def _spans(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        found = reader.spans if given["run"] is None else reader.run(given["run"]).spans
        found = found if given["name"] is None else found.named(given["name"])
        found = found if given["where"] is None else found.where(given["where"])
        found = found if given["order"] is None else found.ordered(given["order"])
        found = found.errors() if given["errors"] else found
        if given["form"] == "tree":
            spans = found.first(_MOST_SPANS)
            lines, span_count = plain_tree(fold(spans.tree())), len(spans)
            shown, following = _page(lines, given)
            cut = ", the first ones" if span_count == _MOST_SPANS else ""
            summary = f"{counted(span_count, 'span')}{cut}, in {counted(len(lines), 'line')}; repeated siblings are one line."
            return Answer(summary, {"total": len(lines), "next_offset": following, "tree": shown})
        # One more than is shown says whether the list goes on.
        spans = found.first(given["limit"] + 1, offset=given["offset"])
        rows = [plain_span(one) for one in spans]
    is_more = len(rows) > given["limit"]
    following = given["offset"] + given["limit"] if is_more else None
    listed: list[Plain] = list(rows[: given["limit"]])
    more = f"; the next ones: offset={following}" if is_more else ""
    return Answer(f"{counted(len(listed), 'span')}{more}.", {"next_offset": following, "spans": listed})


def _logs(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    lines: Sequence[Plain]
    other = "contains" if given["source"] == "log" else "where"
    if given[other]:
        raise AgentArgumentError(
            tool="read_logs",
            argument=other,
            found=f"is given, and source={given['source']} knows none",
            fix="Records that were logged (source=log) are narrowed by where, lines of output by contains.",
        )
    with place.open() as reader:
        run = reader.run(given["run"])
        if given["source"] == "log":
            records = LogRecordList(logged(run))
            if given["where"] is not None:
                records = records.where(given["where"])
            lines = [plain_record(one) for one in records]
        else:
            stream = None if given["source"] == "output" else given["source"]
            lines = [
                plain_line(one)
                for one in run.output.lines(stream)
                if given["contains"] is None or given["contains"] in one.text
            ]
    end = max(0, len(lines) - given["offset"])
    shown = list(lines[max(0, end - given["limit"]) : end])
    earlier = end - len(shown)
    following = given["offset"] + len(shown) if shown and earlier else None
    more = f" Earlier ones: offset={following}." if following is not None else ""
    return Answer(
        f"{len(shown)} of {counted(len(lines), 'line')} of run {run.short_id}, the last ones, by time.{more}",
        {"total": len(lines), "next_offset": following, "lines": shown},
    )


def _page(lines: list[Plain], given: Mapping[str, Any]) -> tuple[list[Plain], int | None]:
    shown = lines[given["offset"] : given["offset"] + given["limit"]]
    return shown, next_offset(given["offset"], len(shown), len(lines))


READ_SPANS: Final = Tool(
    "read_spans",
    "Read spans",
    "Read the spans of a run, or of all runs. As a tree (form=tree): each line has depth, name, count, errors and times in seconds, "
    "repeated siblings folded. As a list (form=list): each span with attributes, events and links.",
    (
        Argument("run", "text", f"{RUN.about} Without it: the spans of all runs."),
        Argument("form", "text", "a tree or a list.", choices=("tree", "list"), default="tree"),
        Argument("name", "text", "only spans of this name; *, ? and [...] make it a pattern."),
        Argument(
            "where",
            "text",
            "an expression over spans, such as: duration > 0.5 and attributes['http.status_code'] >= 400.",
        ),
        Argument("order", "text", "of a list, sort keys such as -duration; by default the start."),
        Argument("errors", "flag", "only spans that failed.", default=False),
        limit(50, 500, "lines or spans"),
        OFFSET,
    ),
    {"next_offset": NEXT_OFFSET},
    _spans,
    rest="Ask for fewer (limit) and go on with offset, or narrow it by name or where.",
)

READ_LOGS: Final = Tool(
    "read_logs",
    "Read logs and output",
    "Read the last lines that a run's processes printed (source=output, or stdout or stderr alone), or the last records that the program and "
    "its libraries logged (source=log). They are in the order of time; an offset goes back from the end.",
    (
        RUN,
        Argument(
            "source", "text", "what is read.", choices=("output", "stdout", "stderr", "log"), default="output"
        ),
        Argument("contains", "text", "only lines of output that hold this text."),
        Argument(
            "where",
            "text",
            "of source=log, an expression over log records, such as: severity >= 17 or text.contains('nan').",
        ),
        limit(50, 500, "lines"),
        Argument("offset", "whole", "leave out so many at the end.", default=0, least=0),
    ),
    {"total": WHOLE, "next_offset": NEXT_OFFSET, "lines": OBJECTS},
    _logs,
    rest="Ask for fewer lines (limit) and go back with offset.",
)
