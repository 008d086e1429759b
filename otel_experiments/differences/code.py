"""What code ran: commit, branch, what was not committed file by file, script, editable packages, command."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Final

from otel_experiments.differences import weights
from otel_experiments.differences.difference import Difference
from otel_experiments.query import RunView
from otel_experiments.query.snapshot_view import SnapshotView
from otel_experiments.semconv import attributes as attr

_FILE: Final = re.compile(r"^diff --git (?:\"?a/)?(?P<old>.*?)\"? \"?b/(?P<new>.*?)\"?$")
_SHORT_DIGITS: Final = 12
_MOST_LINES: Final = 2_000
"""Of the patch of one file that is compared line by line; `difflib` needs the square of it."""
_MOST_SHOWN: Final = 200

_FACTS: Final[Mapping[str, tuple[str, float]]] = {
    attr.VCS_REPOSITORY_URL_FULL: ("git repository", weights.REPOSITORY),
    attr.VCS_REF_HEAD_NAME: ("git branch", weights.BRANCH),
}


def compare_code(a: RunView, b: RunView) -> Iterator[Difference]:
    """Yield what differs in the code of two runs."""
    ours, theirs = a.resource, b.resource
    yield from _commit(ours.get(attr.VCS_REF_HEAD_REVISION), theirs.get(attr.VCS_REF_HEAD_REVISION))
    for key, (label, weight) in _FACTS.items():
        if key in ours and key in theirs and ours[key] != theirs[key]:
            yield Difference("code", label, a=ours[key], b=theirs[key], weight=weight)
    before, after = command_of(ours), command_of(theirs)
    if before and after and before != after:
        yield Difference("code", "command", a=before, b=after, weight=weights.COMMAND)
    if a.snapshot and b.snapshot:
        patches = list(_patches(a.snapshot, b.snapshot))
        yield from patches
        yield from _untracked(a.snapshot, b.snapshot)
        yield from _editable(a.snapshot, b.snapshot)
        same_commit = ours.get(attr.VCS_REF_HEAD_REVISION) == theirs.get(attr.VCS_REF_HEAD_REVISION)
        if not patches and same_commit:  # else it is known already which files differ
            yield from _script(a.snapshot, b.snapshot)


def command_of(resource: Mapping[str, object]) -> str:
    """Return the command line that a resource names; empty where it names none."""
    arguments = resource.get(attr.PROCESS_COMMAND_ARGS)
    if isinstance(arguments, list | tuple):
        return " ".join(map(str, arguments))
    command = resource.get(attr.PROCESS_COMMAND)
    return command if isinstance(command, str) else ""


def split_patch(patch: str) -> dict[str, list[str]]:
    """Return the lines of a patch by the file that they are about; lines that hold digests of git are left out."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in patch.splitlines():
        head = _FILE.match(line)
        if head is not None:
            lines = found.setdefault(head["new"], [])
        elif not line.startswith("index "):
            lines.append(line)
    return found


def _commit(a: object, b: object) -> Iterator[Difference]:
    if isinstance(a, str) and isinstance(b, str) and a != b:
        before, after = a[:_SHORT_DIGITS], b[:_SHORT_DIGITS]
        detail = f"git diff {before} {after} shows what changed"
        yield Difference("code", "git commit", a=before, b=after, weight=weights.COMMIT, detail=detail)


def _patches(a: SnapshotView, b: SnapshotView) -> Iterator[Difference]:
    digests = a.git.get("patch_hash"), b.git.get("patch_hash")
    if digests[0] == digests[1] and a.patch == b.patch:
        return
    if any(digest and not side.patch for digest, side in zip(digests, (a, b), strict=True)):
        detail = "a patch was too large to be kept, so that only the digests can be compared"
        yield Difference(
            "code",
            "uncommitted changes",
            a=_digest(digests[0]),
            b=_digest(digests[1]),
            weight=weights.PATCH,
            detail=detail,
        )
        return
    ours, theirs = split_patch(a.patch), split_patch(b.patch)
    for name in dict.fromkeys((*ours, *theirs)):
        before, after = ours.get(name), theirs.get(name)
        if before != after:
            yield Difference(
                "code",
                name,
                a=None if before is None else _amount(before),
                b=None if after is None else _amount(after),
                weight=weights.PATCH,
                detail="not committed",
                lines=_line_by_line(before or [], after or []),
            )


def _amount(lines: list[str]) -> str:
    added = sum(line.startswith("+") and not line.startswith("+++") for line in lines)
    gone = sum(line.startswith("-") and not line.startswith("---") for line in lines)
    return f"+{added} -{gone}" if added or gone else "changed"


def _line_by_line(before: list[str], after: list[str]) -> tuple[str, ...]:
    if not before or not after:
        shown = after or before
    elif max(len(before), len(after)) > _MOST_LINES:
        return (f"({len(before):,} and {len(after):,} lines: too many to compare line by line)",)
    else:
        shown = list(difflib.unified_diff(before, after, "A", "B", lineterm=""))
    rest = len(shown) - _MOST_SHOWN
    return (*shown[:_MOST_SHOWN], *([f"({rest:,} more lines)"] if rest > 0 else []))


def _untracked(a: SnapshotView, b: SnapshotView) -> Iterator[Difference]:
    before, after = (_names(one.git.get("untracked")) for one in (a, b))
    if before != after:
        only_a, only_b = (
            [one for one in ours if one not in others] for ours, others in ((before, after), (after, before))
        )
        if only_a or only_b:
            yield Difference(
                "code", "files unknown to git", a=", ".join(only_a) or None, b=", ".join(only_b) or None, weight=weights.UNTRACKED
            )  # fmt: skip


def _names(found: object) -> list[str]:
    return list(map(str, found)) if isinstance(found, list | tuple) else []


def _editable(a: SnapshotView, b: SnapshotView) -> Iterator[Difference]:
    ours, theirs = a.editable, b.editable
    for name in dict.fromkeys((*ours, *theirs)):
        if name not in ours or name not in theirs:
            continue  # then the packages differ, which is said there
        before, after = ours[name].get("hash"), theirs[name].get("hash")
        if before and after and before != after:
            detail = "installed from a folder whose code changed"
            yield Difference(
                "code",
                f"package {name}",
                a=_digest(before),
                b=_digest(after),
                weight=weights.EDITABLE,
                detail=detail,
            )


def _script(a: SnapshotView, b: SnapshotView) -> Iterator[Difference]:
    before, after = a.script.get("hash"), b.script.get("hash")
    if before and after and before != after:
        name = str(b.script.get("path", "")).replace("\\", "/").rpartition("/")[2] or "script"
        yield Difference(
            "code", name, a=_digest(before), b=_digest(after), weight=weights.SCRIPT, detail="the script has other content"
        )  # fmt: skip


def _digest(value: object) -> object:
    return value[: len("sha256:") + _SHORT_DIGITS] if isinstance(value, str) else None
