"""The environment of a run as `show` prints it: its resource, and what was gathered when it started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.text import Text

from otel_experiments.cli.terminal import format as fmt
from otel_experiments.query import RunView
from otel_experiments.query.snapshot_view import SnapshotView
from otel_experiments.semconv import attributes

_GIB: Final = 1 << 30


def print_environment(console: Console, run: RunView) -> None:
    """Print one line for each fact that is known."""
    rows = [(heading, text) for heading, text in _rows(run) if text]
    width = max((len(heading) for heading, _ in rows), default=0)
    for heading, text in rows:
        line = Text(f"{heading:<{width}}  ", style="dim").append(fmt.clean(text), style="default")
        console.print(line, soft_wrap=True)


def _rows(run: RunView) -> Iterator[tuple[str, str]]:
    resource = run.resource

    def joined(*keys: str) -> str:
        return " ".join(str(resource[key]) for key in keys if resource.get(key))

    yield "service", joined(attributes.SERVICE_NAME, attributes.SERVICE_VERSION)
    revision = str(resource.get(attributes.VCS_REF_HEAD_REVISION, ""))[:12]
    yield (
        "git",
        f"{revision} {joined(attributes.VCS_REF_HEAD_NAME, attributes.VCS_REPOSITORY_URL_FULL)}".strip(),
    )
    snapshot = run.snapshot
    yield "changes", _changes(snapshot)
    yield "python", joined(attributes.PROCESS_RUNTIME_NAME, attributes.PROCESS_RUNTIME_VERSION)
    yield "packages", f"{len(snapshot.packages)} (show --packages)" if snapshot.packages else ""
    arguments = resource.get(attributes.PROCESS_COMMAND_ARGS)
    if isinstance(arguments, Sequence) and not isinstance(arguments, str):
        yield "command", " ".join(map(str, arguments))
    else:
        yield "command", joined(attributes.PROCESS_COMMAND)
    yield "directory", joined(attributes.PROCESS_WORKING_DIRECTORY)
    yield "host", joined(attributes.HOST_NAME, attributes.HOST_ARCH, attributes.OS_DESCRIPTION)
    yield "machine", _machine(snapshot.machine)
    for system, facts in snapshot.job.items():
        yield system, _pairs(facts)
    yield "variables", _pairs(snapshot.variables)
    missing = snapshot.missing_run_id
    yield "the rest", f"as of run {missing[:8]}, which is not in this store" if missing else ""
    yield "pid", joined(attributes.PROCESS_PID)


def _changes(snapshot: SnapshotView) -> str:
    """Return what was not committed, and how to have it."""
    found = snapshot.git
    texts = [
        _counted(found.get("changed_count"), "changed file"),
        _counted(found.get("untracked_count"), "untracked file"),
    ]
    text = " and ".join(filter(None, texts))
    if snapshot.patch:
        text = f"{text} (show --patch)"
    elif not text and snapshot.is_dirty is False:
        text = "none"
    problem = found.get("problem")
    return f"{text}; {problem}".removeprefix("; ") if problem else text


def _counted(count: object, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}" if count else ""


def _machine(facts: Mapping[str, object]) -> str:
    accelerators = facts.get("accelerators")
    cpus, usable = facts.get("cpu_count"), facts.get("usable_cpu_count")
    memory = facts.get("usable_memory_bytes")
    parts = [
        *(map(str, accelerators) if isinstance(accelerators, list | tuple) else ()),
        str(facts.get("driver", "")),
        str(facts.get("cpu", "")),
        f"{usable} of {cpus} CPUs" if usable and usable != cpus else _counted(cpus, "CPU"),
        f"{memory / _GIB:.0f} GiB" if isinstance(memory, int) else "",
    ]
    return ", ".join(filter(None, parts))


def _pairs(facts: object) -> str:
    return " ".join(f"{key}={value}" for key, value in facts.items()) if isinstance(facts, Mapping) else ""
