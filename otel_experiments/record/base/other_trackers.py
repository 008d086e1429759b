"""Calls in the shape that people know from other trackers: taken where there is the thing, else told once and ignored.

`log(values, 5)`, `log(values, commit=False)`, `finish(exit_code=1)`, `init(mode="disabled", job_type="eval")` are written in
many programs. An argument that does nothing here must not end a training with a TypeError. Type checkers refuse such an
argument (it is of type `Never`), so a misspelt one is seen there, and told and counted here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol

from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.run import RunState
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.notices import say_once

_OF_RUNS_ELSEWHERE: Final = {
    "log_dict": "use run.emit(name, body) for a value, run.log_params for params, run.log_artifact for a file",
    "history": "read it with otel_experiments.run(run.id).metrics[name].points()",
    "project": "it is called run.experiment",
    "info": "the id is run.id, the name run.name",
    "log_metrics": "use run.log({name: value, ...})",
    "end": "use run.finish()",
    "log_model": "use run.link_model(path), which keeps the file or folder and writes beside it which run it is of",
    "log_file": "use run.log_artifact(path, name)",
    "upload_artifact": "use run.log_artifact(path, name)",
    "save": "keep a file or folder with run.log_artifact(path, name)",
    **dict.fromkeys(
        (
            "log_image",
            "log_figure",
            "log_table",
            "log_text",
            "log_histogram",
            "log_html",
            "log_audio",
            "log_video",
        ),
        "use run.log({name: ox.Image(...)}), and Figure, Table, Text, Histogram, Html, Audio, Video in the same way",
    ),
    "watch": "gradients are not recorded by themselves; log their norms with run.log",
    "unwatch": "nothing is watched; remove the call",
    "log_code": "the git commit is recorded by itself; keep a file or folder with run.log_artifact(path)",
    "url": "there is no server; see it with: otel-experiments show NAME",
    "get_url": "there is no server; see it with: otel-experiments show NAME",
    "path": "there is no server; the id is run.id",
    "entity": "there are no teams here; a tag may say it: run.set_tag(key, value)",
    "job_type": "it is a tag: run.tags",
    "resumed": "a run that goes on has an attempt after the first: otel_experiments.run(run.id).record.attempt",
    "starting_step": "the step that a metric gets next is run.next_step(name)",
    "start_time": "read it with otel_experiments.run(run.id).started_ns, in nanoseconds",
    "offline": "everything is local",
    "sweep_id": "the sweep is the run that this one is part of: otel_experiments.run(run.id).parent",
    "status": "the state is run.state",
    "mark_preempting": "nothing has to be said: a run that is killed is lost, and goes on with start_run(resume=ID)",
    "dir": "a run has no folder; keep files with run.log_artifact(path)",
    "alert": "record an event with run.emit(name, body)",
}
"""What people use of the runs of another tracker, and what does it here."""
_ARGUMENTS_ELSEWHERE: Final = frozenset(
    {
        "base_path", "dataset", "distributed_id", "glob", "glob_str", "model_id", "overwrite", "policy",
        "registered_model_name", "run_id", "save_kwargs", "synchronous", "sync", "tags", "target_path", "timestamp", "use_as",
    }
)  # fmt: skip
"""What recording calls of other trackers take and ours do not."""
_START_WORDS: Final = {
    "run_name": "name",
    "run_id": "resume",
    "experiment_id": "experiment",
    "parent_run_id": "parent",
    "nested": "",  # a run inside another is its child anyway; `start_run` makes it current
    "log_system_metrics": None,
}
"""Arguments of MLflow's `start_run`, and what they are called here: an experiment has no id but its name."""
_STATES_ELSEWHERE: Final = {
    "FINISHED": RunState.SUCCEEDED,
    "FAILED": RunState.FAILED,
    "KILLED": RunState.CANCELLED,
}
RESUME_WORDS: Final = ("allow", "must", "never", "auto")
_RUN_ID: Final = re.compile("(?!0{32})[0-9a-f]{32}")


class Guarded(Protocol):
    """Whoever counts and tells what was not recorded."""

    def lost(self, kind: str, what: str | Callable[[], str], *, name: str = "", count: int = 1) -> None:
        """Count a loss."""
        ...


def no_attribute(name: str) -> str:
    """Return the text of the AttributeError for an attribute that runs do not have, with what does it here."""
    here = _OF_RUNS_ELSEWHERE.get(name)
    return f"'Run' object has no attribute {name!r}" + (f": {here}" if here else "")


def tell_unknown(guard: Guarded, call: str, arguments: Iterable[str]) -> None:
    """Say once of arguments that another tracker's calls have; count those that none has: one of them may be misspelt."""
    for name in arguments:
        if name in _ARGUMENTS_ELSEWHERE:
            say_once(f"{call}: {name}= is ignored: it does nothing here.")
            continue
        guard.lost("unknown argument", f"{call} has no argument {name!r}; it is ignored", name=name)


def tell_without_effect(
    call: str, arguments: Mapping[str, object], why: str = "it does nothing here"
) -> None:
    """Say once of arguments of another tracker, where they are given, that they have no effect."""
    for name, value in arguments.items():
        if value is not None:
            say_once(f"{call}: {name}={shown(value)} is ignored: {why}.")


def tell_misspelt(call: str, arguments: Mapping[str, object], known: Iterable[str]) -> None:
    """Say once of arguments that a call does not have that they have no effect, with the known one that may be meant."""
    if not arguments:
        return
    with SignalsWait("difflib"):
        from difflib import get_close_matches  # noqa: PLC0415 - only where a name may be misspelt

    names = list(known)
    for name, value in arguments.items():
        near = get_close_matches(name, names, 1, cutoff=0.75)
        if near:
            tell_without_effect(call, {name: value}, f"did you mean {near[0]}=")
        else:
            tell_without_effect(call, {name: value})


def values_among(values: Any, more: dict[str, Any]) -> Any:  # whatever was passed
    """Return the values of `log`, taken out of what else was given where they have the name that another tracker gives them."""
    for name in ("data", "metrics"):
        if values is None and name in more:
            values = more.pop(name)
    return values


def bytes_among(what: Any, more: dict[str, Any]) -> Any:  # as above
    """Return what `log_artifact` is to keep, taken out of what else was given where it has another tracker's name."""
    for name in ("local_path", "artifact_or_path"):
        if what is None and name in more:
            what = more.pop(name)
    return what


def state_of(status: object) -> RunState | str:
    """Return the state of ours that a status of MLflow is; what is none ends a run well, and is told."""
    text = str(status)
    if text in _STATES_ELSEWHERE:
        return _STATES_ELSEWHERE[text]
    if text in {str(state) for state in _STATES_ELSEWHERE.values()}:
        return text
    say_once(f"end_run: status={shown(status)} is none that ends a run, so the run ends as succeeded.")
    return RunState.SUCCEEDED


def start_words(
    given: Mapping[str, object], name: Any, experiment: Any, parent: Any, resume: Any
) -> tuple[Any, ...]:
    """Return name, experiment, parent and resume as arguments of MLflow's `start_run` say them, and whether the run is nested.

    Raises:
        TypeError: there is no such argument.
    """
    found = {"name": name, "experiment": experiment, "parent": parent, "resume": resume}
    for word, value in given.items():
        if word not in _START_WORDS:
            raise TypeError(f"start_run() got an unexpected keyword argument {word!r}")
        here = _START_WORDS[word]
        if here is None:
            tell_without_effect("start_run", {word: value})
        elif here and value is not None:
            found[here] = value
    return *found.values(), bool(given.get("nested"))


def end_of(state: object, exit_code: object) -> tuple[object, str]:
    """Return the state that `finish` is to give a run, and the reason: a number is the exit code of a program."""
    code = state if type(state) is int else exit_code
    if type(code) is int:
        return (RunState.SUCCEEDED, "") if code == 0 else (RunState.FAILED, f"exit code {code}")
    return RunState.SUCCEEDED if state is None else state, ""


def tags_of(tags: Any, job_type: str | None) -> Any:  # whatever was passed; `clean_tags` refuses what is none
    """Return the tags with the type of job among them."""
    if job_type is None or not (tags is None or isinstance(tags, Iterable)):
        return tags
    if isinstance(tags, Mapping):
        return {"job_type": job_type, **tags}
    given = [tags] if isinstance(tags, str) else list(tags or ())
    return {"job_type": job_type, **dict.fromkeys(given, "")}


def config_of(config: object, include: Iterable[str] | None, exclude: Iterable[str] | None) -> object:
    """Return the config with the keys that are wanted."""
    if not isinstance(config, Mapping) or (include is None and exclude is None):
        return config
    wanted = config.keys() if include is None else set(include)
    return {key: value for key, value in config.items() if key in wanted and key not in set(exclude or ())}


def run_id_of(name: object, experiment: str, what: str = "id") -> str:
    """Return the run id for a caller's own id: itself where it has our form, else one that belongs to it.

    It follows from the experiment and the id alone, so that hosts that do not see each other's runs record one run.

    Raises:
        ConfigurationError: it is no text, or empty.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(
            f"{what}={shown(name)} cannot be used: a run's {what} is a text that is not empty.\n  Pass a str."
        )
    if _RUN_ID.fullmatch(name):
        return name
    return hashlib.sha256(f"{experiment}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def resume_word(resume: object) -> str | None:
    """Return the word of other trackers that `resume` is, `auto` for True; None for the id of a run of ours."""
    if resume is True:
        return "auto"
    if resume is None or resume is False:
        return ""
    if isinstance(resume, str):
        return resume if resume in RESUME_WORDS else None
    raise ConfigurationError(
        f"resume={shown(resume)} cannot be used: it is of type {type(resume).__name__}.\n"
        f"  Pass the id of a run, True, or one of {', '.join(RESUME_WORDS)}."
    )
