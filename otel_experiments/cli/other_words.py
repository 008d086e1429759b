"""What people type who know another tool, and what does it here. Honest about what is not there yet."""

from __future__ import annotations

from otel_experiments.query.closest import closest

_NO_BROWSER = (
    "There is no view in a browser yet. The terminal has: otel-experiments runs, show RUN, metrics RUN NAME; "
    "any OpenTelemetry backend shows the runs when OTEL_EXPORTER_OTLP_ENDPOINT names it"
)
_REMOVING = "otel-experiments rm RUN, and restore; --where chooses by a search; what nothing refers to any more: otel-experiments gc"
_IN_CODE = "Recording is done in Python: import otel_experiments as ox, then ox.start_run(...)"
_ELSEWHERE = {
    _NO_BROWSER: "ui web board dashboard server view open browse gui app tensorboard",
    _REMOVING: "delete del remove prune clean clear drop purge trash",
    "otel-experiments tag RUN KEY[=VALUE], note, rename, group, annotate, pin": "edit update untag label set comment feedback",
    "Two runs: otel-experiments diff A B; several side by side: otel-experiments compare A B C; "
    "one run with an accepted one: otel-experiments golden compare": "cmp parallel versus",
    "One run as it comes: otel-experiments tail RUN; as it is: otel-experiments show RUN; "
    "all runs, again every 2 s: otel-experiments runs --watch": "watch follow log logs top status stat live",
    "otel-experiments runs": "list ls ps history jobs search find query filter",
    "otel-experiments runs --where 'state == \"succeeded\"' (or failed, running, lost)": (
        "finished done completed succeeded failed crashed running lost"
    ),
    "otel-experiments show RUN": "info describe get inspect cat detail details params config summary",
    "otel-experiments metrics RUN [NAME]": "plot chart graph curve curves history-plot scalars",
    "otel-experiments bundle RUN -o run.oxb": "share pack zip tar bundles archive-run package",
    "otel-experiments import FILE": "merge combine load restore-from",
    "otel-experiments export runs -o runs.csv": "dump csv backup to-csv to_csv",
    "otel-experiments artifacts get REF; to keep a file, in Python: run.log_artifact(path, name)": (
        "download pull save upload put artifact log-artifact"
    ),
    "Each run is in the store already; what OTLP endpoints did not take is sent by otel-experiments push, and the runs of another store "
    "are taken by otel-experiments import FILE": "sync upload-run",
    "otel-experiments spans --tree": "tree profile timeline",
    "otel-experiments serve": "receive receiver listen otlp collector ingest",
    "otel-experiments doctor": "check verify validate fsck health debug env version info-env",
    "There is one store, a file, and nothing to set up or to log in to; the first run makes it": (
        "login init setup configure create new"
    ),
    'otel-experiments runs --json | ... or in SQL: otel-experiments sql "select name from experiments"': (
        "experiments experiment projects project groups"
    ),
    "otel-experiments attach RUN --trace ID, and --undo": "detach adopt assign claim link unattached foreign",
    _IN_CODE: "start train record sweep agent launch",
}
_KNOWN = {word: here for here, words in _ELSEWHERE.items() for word in words.split()}

_GOLDEN_ELSEWHERE = {
    "otel-experiments golden compare NAME -- COMMAND": "check verify test diff run assert cmp match",
    "otel-experiments golden capture NAME -- COMMAND": "create new make record add init save snapshot",
    "otel-experiments golden review": "accept approve reject bless status pending",
    "otel-experiments golden ls": "list",
    "otel-experiments golden show NAME": "cat view print info get",
    "A golden is a file: delete golden/NAME.otg, then what is left of it with otel-experiments golden prune": (
        "delete del rm remove clean clear"
    ),
}
_GOLDEN_KNOWN = {word: here for here, words in _GOLDEN_ELSEWHERE.items() for word in words.split()}


def hint_for_golden(typed: str, commands: list[str]) -> str:
    """Return what to type instead of a command of `golden` that there is not; empty when nothing comes to mind."""
    here = _GOLDEN_KNOWN.get(typed.lower().lstrip("-"))
    if here is not None:
        return f"Here: {here}." if here.startswith("otel-experiments") else f"{here}."
    near = closest(typed, commands)
    return f"Did you mean: otel-experiments golden {near}" if near else ""


def hint_for(typed: str, commands: list[str]) -> str:
    """Return what to type instead of a command that there is not; empty when nothing comes to mind."""
    here = _KNOWN.get(typed.lower().lstrip("-"))
    if here is not None:
        return f"Here: {here}." if here.startswith("otel-experiments") else f"{here}."
    near = closest(typed, commands, cutoff=0.7)
    return "" if near is None else f"Did you mean: otel-experiments {near}"
