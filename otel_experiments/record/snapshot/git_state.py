"""What is not committed in the checkout that a program runs in: which files, and the patch. Runs git, behind the training.

The repository may be broken, huge, bare or another user's; git is asked with nothing of it that runs programs (no pager,
external diff, text conversion or file system monitor) and has a time limit. Where the program handles SIGCHLD itself, no
process is started, since its handler would be called for a child that is not its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from otel_experiments.codec.text import clean_text
from otel_experiments.process.interruption import pass_on

MAX_PATCH_BYTES: Final = 256 << 10
"""A longer patch is left out; its size and digest are kept."""
MAX_NAMES: Final = 100
"""So many names of files that git does not know are kept; all are counted."""
TIMEOUT_S: Final = 20.0
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=keep", "-c", "core.quotePath=false")
_ENVIRONMENT: Final = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}

State = dict[str, object]


class _GitError(Exception):
    """What git, or the system, says instead of an answer."""


def git_state(folder: Path, *, store: Path | None = None, timeout_s: float = TIMEOUT_S) -> State:
    """Return what is not committed in the checkout around a folder; empty where there is none.

    What recording itself writes, at and beside `store`, is no change of the code.

    `is_dirty`, `changed_count`, `untracked` (names), `untracked_count`, `patch` (against HEAD), `patch_size_bytes`,
    `patch_hash`; or `problem`, a sentence.
    """
    if _handles_children():
        return {"problem": "git was not run: the program handles SIGCHLD"}
    program = shutil.which("git")
    if program is None:
        return {"problem": "git was not run: it is not installed"}
    try:
        status = _output(
            program, folder, timeout_s, "status", "--porcelain=v1", "-z", "--ignore-submodules=dirty"
        )
    except _GitError as error:
        is_none = "not a git repository" in str(error) or "must be run in a work tree" in str(error)
        return {} if is_none else {"problem": clean_text(str(error))}
    changed, untracked = _split(status)
    untracked = [name for name in untracked if not _is_of_store(_root(folder) / name, store)]
    found: State = {"is_dirty": bool(changed or untracked), "changed_count": changed}
    found |= {"untracked": untracked[:MAX_NAMES], "untracked_count": len(untracked)} if untracked else {}
    if changed:
        found |= _patch(program, folder, timeout_s)
    return found


def _patch(program: str, folder: Path, timeout_s: float) -> State:
    try:
        patch = _output(
            program, folder, timeout_s, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color"
        )
    except _GitError as error:  # a first commit that is not made yet, say
        return {"problem": clean_text(str(error))}
    found: State = {
        "patch_size_bytes": len(patch),
        "patch_hash": f"sha256:{hashlib.sha256(patch).hexdigest()}",
    }
    if len(patch) > MAX_PATCH_BYTES:
        return found | {"problem": f"the patch is not kept: it has more than {MAX_PATCH_BYTES >> 10} KiB"}
    return found | {"patch": clean_text(patch.decode("utf-8", "replace"))}


def _split(status: bytes) -> tuple[int, list[str]]:
    """Return how many files differ from HEAD, and the names of those that git does not know."""
    changed, untracked = 0, []
    entries = iter(status.split(b"\0"))
    for entry in entries:
        if entry.startswith(b"?? "):
            untracked.append(clean_text(entry[3:].decode("utf-8", "replace")))
        elif entry:
            changed += 1
            if entry[:1] in b"RC" or entry[1:2] in b"RC":
                next(entries, None)  # the name before
    return changed, untracked


def _root(folder: Path) -> Path:
    """Return the folder from which git names files."""
    return next((one for one in (folder, *folder.parents) if (one / ".git").exists()), folder)


def _is_of_store(path: Path, store: Path | None) -> bool:
    """Tell whether a path is the store's file, one beside it (`-wal`, `.journals`), or a folder with nothing else."""
    if store is None:
        return False
    if path.parent == store.parent:
        return path.name.startswith(store.name)
    if path not in store.parents or not path.is_dir():
        return False
    return all(_is_of_store(one, store) for one in path.iterdir())


def _handles_children() -> bool:
    child = getattr(signal, "SIGCHLD", None)
    return child is not None and signal.getsignal(child) not in {signal.SIG_DFL, signal.SIG_IGN}


def _output(program: str, folder: Path, timeout_s: float, command: str, *options: str) -> bytes:
    """Return what a command of git prints.

    Raises:
        _GitError: it failed, or took too long.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    try:
        done = subprocess.run(  # noqa: S603 - the program that the path names, with options of ours
            [program, "--no-pager", *_SAFE, "-C", os.fspath(folder), command, *options],
            env={**environment, **_ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _GitError(f"git {command} took more than {timeout_s:g} s") from error
    except OSError as error:
        pass_on(error)
        raise _GitError(f"git could not be run: {error.strerror or error}") from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise _GitError(told[0] if told else f"git {command} ended with {done.returncode}")
    return done.stdout
