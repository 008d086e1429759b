"""Where two runs ran: packages, environment, machine. What only one of them has on record is a note, no difference."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from otel_experiments.differences import weights
from otel_experiments.differences.difference import Difference
from otel_experiments.differences.values import are_equal, compare_mappings
from otel_experiments.figures.quantity import size
from otel_experiments.query import RunView
from otel_experiments.semconv import attributes as attr

_ENVIRONMENT: Final[Mapping[str, tuple[str, float]]] = {
    attr.PROCESS_RUNTIME_NAME: ("interpreter", 0.6),
    attr.PROCESS_RUNTIME_VERSION: ("python", 0.55),
    attr.OS_TYPE: ("os", 0.45),
    attr.OS_DESCRIPTION: ("os version", 0.2),
    attr.SERVICE_NAME: ("service", 0.3),
    attr.HOST_NAME: ("host", 0.15),
    attr.PROCESS_WORKING_DIRECTORY: ("working directory", 0.1),
}
_ELSEWHERE: Final = frozenset(
    {
        attr.VCS_REPOSITORY_URL_FULL, attr.VCS_REPOSITORY_NAME, attr.VCS_REF_HEAD_NAME, attr.VCS_REF_HEAD_REVISION,
        attr.VCS_REF_HEAD_TYPE, attr.PROCESS_COMMAND, attr.PROCESS_COMMAND_ARGS, attr.HOST_ARCH,
    }
)  # fmt: skip
"""What is compared as code or as hardware."""
_OF_EVERY_PROCESS: Final = frozenset(
    {
        attr.SERVICE_INSTANCE_ID, attr.PROCESS_PID, attr.PROCESS_PARENT_PID, attr.PROCESS_CREATION_TIME,
        attr.PROCESS_EXECUTABLE_PATH, attr.PROCESS_OWNER, attr.HOST_ID,
    }
)  # fmt: skip
"""What two runs of one program never have in common, so that it says nothing."""
_IDENTITY: Final = re.compile(r"\.(id|uid|ip)$|^(ml|k8s\.pod|container)\.|^process\.")
_OTHER_WEIGHT: Final = 0.25


def compare_surroundings(a: RunView, b: RunView) -> Iterator[Difference]:
    """Yield what differs in packages, environment and machine of two runs, where both have it on record."""
    ours, theirs = a.snapshot, b.snapshot
    if ours.packages and theirs.packages:
        yield from compare_mappings("packages", ours.packages, theirs.packages, weights.package_weight)
    yield from _resource(a.resource, b.resource)
    if ours and theirs:
        yield from compare_mappings("environment", ours.variables, theirs.variables, weights.variable_weight)
    archs = a.resource.get(attr.HOST_ARCH), b.resource.get(attr.HOST_ARCH)
    if all(archs) and archs[0] != archs[1]:
        yield Difference("hardware", "architecture", a=archs[0], b=archs[1], weight=0.6)
    if ours.machine and theirs.machine:
        before, after = _machine(ours.machine), _machine(theirs.machine)
        yield from compare_mappings("hardware", before, after, weights.machine_weight)


def unknown_parts(a: RunView, b: RunView) -> Iterator[str]:
    """Yield a sentence for each part that only one of two runs has on record, and that was not compared therefore."""
    for label, known in (
        ("git commit", [attr.VCS_REF_HEAD_REVISION in run.resource for run in (a, b)]),
        ("packages", [bool(run.snapshot.packages) for run in (a, b)]),
        ("machine", [bool(run.snapshot.machine) for run in (a, b)]),
        ("uncommitted changes", [bool(run.snapshot.git) for run in (a, b)]),
    ):
        if known[0] != known[1]:
            have, lack = ("A", "B") if known[0] else ("B", "A")
            yield f"{label}: recorded of {have} and not of {lack}, so not compared"


def _resource(a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[Difference]:
    for key in dict.fromkeys((*a, *b)):
        before, after = a.get(key), b.get(key)
        if are_equal(before, after) or key in _ELSEWHERE or key in _OF_EVERY_PROCESS:
            continue
        if key in _ENVIRONMENT:
            label, weight = _ENVIRONMENT[key]
            if before is not None and after is not None:
                yield Difference("environment", label, a=before, b=after, weight=weight)
        elif not _IDENTITY.search(key) and not key.startswith(_SDK):
            yield Difference("environment", key, a=before, b=after, weight=_OTHER_WEIGHT)


_SDK: Final = attr.TELEMETRY_SDK_NAME.removesuffix("name")


def _machine(facts: Mapping[str, object]) -> dict[str, object]:
    return {
        key: size(value) if key.endswith("_bytes") and isinstance(value, int) else value
        for key, value in facts.items()
    }
