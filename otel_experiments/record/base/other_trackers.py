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
from otel_experiments.record.base.notices import say_once

_OF_RUNS_ELSEWHERE: Final = {
    "log_dict": "use run.emit(name, body) for a value, run.log_params for params, run.log_artifact for a file",
    "summary": "the summary is made of what was logged; log a final number with run.log({name: value}), read it with "
    "otel_experiments.run(run.id).metrics",
    "history": "read it with otel_experiments.run(run.id).metrics[name].points()",
    "tags": "set them with run.set_tag(name), read them with otel_experiments.run(run.id).tags",
    "notes": "give them to init(notes=...)",
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
    "alert": "record an event with run.emit(name, body)",
}
"""What people use of the runs of another tracker, and what does it here."""
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
    """Count arguments that a recording call does not know: one of them may be misspelt."""
    for name in arguments:
        guard.lost("unknown argument", f"{call} has no argument {name!r}; it is ignored", name=name)


def tell_without_effect(
    call: str, arguments: Mapping[str, object], why: str = "it does nothing here"
) -> None:
    """Say once of arguments of another tracker, where they are given, that they have no effect."""
    for name, value in arguments.items():
        if value is not None:
            say_once(f"{call}: {name}={shown(value)} is ignored: {why}.")


def tell_uncommitted(call: str, commit: object, sync: object) -> None:
    """Say once that each call is recorded at once."""
    if commit is not None and not commit:
        say_once(
            f"{call}: commit=False is ignored: each call is recorded at once; give calls that belong together one step=."
        )
    tell_without_effect(call, {"sync": sync})


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


def run_id_of(name: object, experiment: str) -> str:
    """Return the run id for an id of another tracker: itself where it has our form, else one that belongs to it.

    Raises:
        ConfigurationError: it is no text, or empty.
    """
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError(f"id={shown(name)} cannot be used: a run's id is a text.\n  Pass a str.")
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
