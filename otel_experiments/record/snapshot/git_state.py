"""What is not committed in the checkout that a program runs in: which files, and the patch. Runs git, behind the training.

The repository may be broken, huge, bare or another user's; git is asked with nothing of its own settings that runs programs
(pager, external diff, text conversion, filter, file system monitor) and has a time limit. Where the program handles SIGCHLD
itself or has child processes, none is started: its handler would be called, or its `os.wait` would return, for a child that
is not its own. Our command that runs a program waits for that one alone, and says so with `wait_by_id`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

import psutil

from otel_experiments.codec.text import clean_text
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.paths import is_folder, is_there

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
_DIFF: Final = (
    "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--ignore-submodules=dirty", "--unified=3",
    "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=default", "--submodule=short", "--no-indent-heuristic",
)  # fmt: skip
"""A patch as `git apply` takes it, whatever the user's settings make of those that people read."""

State = dict[str, object]
_waits_by_id = False


def wait_by_id() -> None:
    """Have git run beside child processes: this program waits for each of them by its id, so no other comes between."""
    global _waits_by_id  # noqa: PLW0603 - the process is one program
    _waits_by_id = True


class _GitError(Exception):
    """What git, or the system, says instead of an answer."""


class _RefusedError(_GitError):
    """Git has answered, and has not done it."""


class Git:
    """Runs git in one folder, one command after the other; `stop` ends it from another thread."""

    def __init__(self, *, timeout_s: float = TIMEOUT_S) -> None:
        self._timeout_s = timeout_s
        self._process: subprocess.Popen[bytes] | None = None
        self._is_stopped = False

    def stop(self) -> None:
        """End what is running, and run nothing more."""
        self._is_stopped = True
        process = self._process
        if process is not None and process.poll() is None:
            process.kill()

    def state(self, folder: Path, *, store: Path | None = None) -> State:
        """Return what is not committed in the checkout around a folder; empty where there is none.

        What recording itself writes, at and beside `store`, is no change of the code.

        `is_dirty`, `changed_count`, `untracked` (names), `untracked_count`, `patch` (against HEAD), `patch_size_bytes`,
        `patch_hash`; or `problem`, a sentence.
        """
        why_not = _why_not()
        program = shutil.which("git")
        if why_not or program is None:
            return {"problem": f"git was not run: {why_not or 'it is not installed'}"}
        command = [program, "--no-pager", *_SAFE, "-C", os.fspath(folder)]
        try:
            command += self._without_filters(command)
            status = self._output([*command, "status", "--porcelain=v1", "-z", "--ignore-submodules=dirty"])
        except _GitError as error:
            is_none = "not a git repository" in str(error) or "must be run in a work tree" in str(error)
            return {} if is_none else {"problem": clean_text(str(error))}
        changed, untracked = _split(status)
        untracked = [name for name in untracked if not _is_of_store(_root(folder) / name, store)]
        found: State = {"is_dirty": bool(changed or untracked), "changed_count": changed}
        found |= {"untracked": untracked[:MAX_NAMES], "untracked_count": len(untracked)} if untracked else {}
        return found | (self._patch(command) if changed else {})

    def _without_filters(self, command: list[str]) -> list[str]:
        """Return the options that take from the filters of the repository's own settings what they would run."""
        try:
            told = self._output(
                [*command, "config", "--local", "--name-only", "-z", "--get-regexp", r"^filter\."]
            )
        except _RefusedError:  # there are none, or no repository
            return []
        names = {name.rpartition(".")[0] for name in told.decode("utf-8", "replace").split("\0") if name}
        settings = [
            f"{name}.{key}"
            for name in sorted(names)
            for key in ("clean=", "smudge=", "process=", "required=false")
        ]
        return [text for setting in settings for text in ("-c", setting)]

    def _patch(self, command: list[str]) -> State:
        try:
            patch = self._output([*command, *_DIFF, "--binary"])
            found: State = {
                "patch_size_bytes": len(patch),
                "patch_hash": f"sha256:{hashlib.sha256(patch).hexdigest()}",
            }
            if len(patch) > MAX_PATCH_BYTES:
                found["problem"] = "binary files are named in the patch and not kept"
                patch = self._output([*command, *_DIFF])
        except _GitError as error:  # a first commit that is not made yet, say
            return {"problem": clean_text(str(error))}
        if len(patch) > MAX_PATCH_BYTES:
            return found | {"problem": f"the patch is not kept: it has more than {MAX_PATCH_BYTES >> 10} KiB"}
        try:
            text = patch.decode()
        except UnicodeDecodeError:
            text = patch.decode("utf-8", "replace")
            found["problem"] = "the patch is changed where files are not UTF-8"
        return found | {"patch": clean_text(text)}

    def _output(self, command: list[str]) -> bytes:
        """Return what a command of git prints.

        Raises:
            _GitError: it failed, took too long, or was stopped.
        """
        environment = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        pipe = subprocess.PIPE
        try:
            with subprocess.Popen(  # noqa: S603 - the program that the path names, with options of ours
                command,
                env={**environment, **_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
            ) as process:
                self._process = process
                if self._is_stopped:
                    process.kill()
                try:
                    output, errors = process.communicate(timeout=self._timeout_s)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise _GitError(f"git took more than {self._timeout_s:g} s") from None
        except OSError as error:
            pass_on(error)
            raise _GitError(f"git could not be run: {error.strerror or error}") from error
        if self._is_stopped:
            raise _GitError("git was stopped at the end of the program")
        if process.returncode:
            told = errors.decode("utf-8", "replace").strip().splitlines()
            raise _RefusedError(told[0] if told else f"git ended with {process.returncode}")
        return output


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
    return next((one for one in (folder, *folder.parents) if is_there(one / ".git")), folder)


def _is_of_store(path: Path, store: Path | None) -> bool:
    """Tell whether a path is the store's file, one beside it (`-wal`, `.journals`), or a folder with nothing else."""
    if store is None:
        return False
    if path.parent == store.parent:
        return path.name.startswith(store.name)
    if path not in store.parents or not is_folder(path):
        return False
    return all(_is_of_store(one, store) for one in path.iterdir())


def _why_not() -> str:
    """Return why the program would notice a child process of ours; empty where it would not."""
    child = getattr(signal, "SIGCHLD", None)
    if child is not None and signal.getsignal(child) not in {signal.SIG_DFL, signal.SIG_IGN}:
        return "the program handles SIGCHLD"
    return "the program has child processes" if not _waits_by_id and _has_children() else ""


def _has_children() -> bool:
    """Tell whether this process has children; where the kernel lists them, without a look at all processes there are."""
    try:
        return any((task / "children").read_text() for task in Path("/proc/self/task").iterdir())
    except OSError as error:
        pass_on(error)
        return bool(psutil.Process().children())
