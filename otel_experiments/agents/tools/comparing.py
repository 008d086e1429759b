"""`diff_runs`, `compare_runs` and `compare_golden`: in what runs differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import OBJECT, OBJECTS, TEXT, WHERE, counted, plain_name
from otel_experiments.capture import capture_run
from otel_experiments.differences.compared import compare_runs
from otel_experiments.differences.run_diff import diff_runs
from otel_experiments.errors import AgentArgumentError
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.report.json import to_plain
from otel_experiments.goldens.files import load_golden
from otel_experiments.goldens.options import CheckOptions, read_project_rules
from otel_experiments.goldens.paths import SUFFIX, find_goldens
from otel_experiments.goldens.reports import render
from otel_experiments.goldens.sources import default_folder

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place
    from otel_experiments.query import RunView
    from otel_experiments.query.json_values import Plain

_MOST_RUNS: Final = 20
_MOST_GOLDENS: Final = 20
"""Named in an error."""


def _diff(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        found = diff_runs(reader.run(given["a"]), reader.run(given["b"]))
    return Answer(
        "The runs do not differ." if found.is_same else f"{counted(len(found.differences), 'difference')}.",
        {"report": found.text(), **found.json()},
    )


def _compare(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    if (given["runs"] is None) == (given["where"] is None):
        raise AgentArgumentError(
            tool="compare_runs",
            argument="runs",
            found="and 'where' are both given, or neither is",
            fix="Name two runs or more (runs), or search them (where).",
        )
    with place.open() as reader:
        found = (
            [reader.run(one) for one in given["runs"]]
            if given["where"] is None
            else list(reader.runs(given["where"], limit=_MOST_RUNS))
        )
        total = len(found) if given["where"] is None else reader.count_runs(given["where"])
        first = [] if given["baseline"] is None else [reader.run(given["baseline"])]
        chosen: list[RunView] = list({run.id: run for run in (*first, *found)}.values())
        if not 2 <= len(chosen) <= _MOST_RUNS + 1:
            raise AgentArgumentError(
                tool="compare_runs",
                argument="runs" if given["where"] is None else "where",
                found=f"means {counted(len(chosen), 'run')}",
                fix=f"Compare 2 to {_MOST_RUNS} runs.",
            )
        table = compare_runs(chosen)
        more = f" {total - len(found):,} more match." if total > len(found) else ""
        return Answer(
            f"{len(chosen)} runs; changes are measured by {chosen[0].short_id}.{more}",
            {"baseline": plain_name(chosen[0]), "table": table.json()},
        )


def _compare_golden(place: Place, given: Mapping[str, Any]) -> Answer:  # as above
    folder = default_folder() if place.goldens is None else place.goldens
    held = load_golden(_golden_path(folder, given["golden"]))
    with place.open() as reader:
        run = reader.run(given["run"])
        candidate = capture_run(run)
    ruled = replace(held, ignore=(*held.ignore, *read_project_rules(Path.cwd())))
    comparison = compare(ruled, [candidate], policy=CheckOptions().policy_for(held))
    report = cast("dict[str, Plain]", to_plain(comparison))
    return Answer(
        f"{comparison.verdict}: {report['headline']}",
        {"run": plain_name(run), "text": render(comparison, "text"), "report": report},
    )


def _golden_path(folder: Path, name: str) -> Path:
    """Return the golden of that name in the folder, and no other file, whatever the name is.

    Raises:
        AgentArgumentError: there is none; the text lists those that there are.
    """
    there = {
        path.relative_to(folder).as_posix().removesuffix(SUFFIX): path
        for path in (find_goldens([folder]) if folder.is_dir() else [])
    }
    found = there.get(name.removesuffix(SUFFIX))
    if found is None:
        listed = (
            f"{folder} has {', '.join(sorted(there)[:_MOST_GOLDENS])}."
            if there
            else f"There are none in {folder}."
        )
        raise AgentArgumentError(
            tool="compare_golden",
            argument="golden",
            found=f"is {name!r:.80}, and no golden is called so",
            fix=f"{listed} To make one: otel-experiments golden capture NAME -- COMMAND",
        )
    return found


_A: Final = "a run: its id, the beginning of one, or a name."

DIFF_RUNS: Final = Tool(
    "diff_runs",
    "Say why two runs differ",
    "Say why run b is different from run a, likely causes first: code, params, data, packages, environment, machine, state, "
    "metrics with direction and noise, span trees and times, artifacts. `report` says the most telling ones in ten lines.",
    (
        Argument("a", "text", f"the first of two, {_A}", is_required=True),
        Argument("b", "text", f"the second, {_A}", is_required=True),
    ),
    {"report": TEXT, "differences": OBJECTS, "paths": OBJECTS},
    _diff,
    rest="show_run has each side whole: its params, its patch, its packages.",
)

COMPARE_RUNS: Final = Tool(
    "compare_runs",
    "Compare several runs",
    f"Show what 2 to {_MOST_RUNS} runs differ in, side by side: params, metrics, code, state. Each metric says how far it is from "
    "the baseline's, and whether that is better where a direction was declared.",
    (
        Argument("runs", "texts", "the runs, by id or name; the first is the baseline."),
        WHERE,
        Argument("baseline", "text", f"what changes are measured by: {_A}"),
    ),
    {"baseline": OBJECT, "table": OBJECT},
    _compare,
    rest="Compare fewer runs.",
)

COMPARE_GOLDEN: Final = Tool(
    "compare_golden",
    "Compare a run with a golden",
    "Say whether a stored run behaves as a golden of this project does: spans, configuration, curves, times. `report` has the "
    "verdict and the findings with their codes. Nothing is written or accepted.",
    (
        Argument(
            "golden", "text", "the golden's name in the folder of goldens, such as train.", is_required=True
        ),
        Argument("run", "text", f"the candidate, {_A}", is_required=True),
    ),
    {"run": OBJECT, "text": TEXT, "report": OBJECT},
    _compare_golden,
    rest="On the command line: otel-experiments golden compare GOLDEN RUN.",
)
