"""Which lines of the product a change touches, as git tells it; no line of a test, a page or generated code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path, PurePosixPath

PACKAGE = "otel_experiments"
GENERATED = f"{PACKAGE}/semconv/"
MAIN_BRANCHES = ("origin/main", "main")
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""git's name of a tree without files, the same in every repository."""
HUNK = re.compile(r"^@@ -\S+ \+(\d+)(?:,(\d+))? @@")
Lines = dict[PurePosixPath, set[int]]


class ChangeError(Exception):
    """git does not know the revision, or this is no checkout."""


def git(root: Path, *arguments: str) -> str:
    """Return what a git command prints.

    Raises:
        ChangeError: git fails; with its own words.
    """
    result = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    if result.returncode:
        raise ChangeError(f"git {' '.join(arguments)}: {result.stderr.strip()}")
    return result.stdout


def revision(root: Path, name: str) -> str | None:
    """Return the commit that a name stands for; None if this clone does not hold it."""
    try:
        return git(root, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").strip()
    except ChangeError:
        return None


def branch_point(root: Path) -> str | None:
    """Return the commit at which this branch left the main one; None on the main one, or where it is not known."""
    head = revision(root, "HEAD")
    for name in MAIN_BRANCHES:
        if revision(root, name) is None:
            continue
        try:
            point = git(root, "merge-base", "HEAD", name).strip()
        except ChangeError:  # a shallow clone may hold no common commit
            continue
        if point != head:
            return point
    return None


def earlier(root: Path, commits: int) -> str:
    """Return the commit so many before this one, or the empty tree if this clone does not reach so far back."""
    return revision(root, f"HEAD~{commits}") or EMPTY_TREE


def changed_lines(root: Path, base: str) -> Lines:
    """Return the lines, from 1, that the files of this checkout have and `base` had not, by file."""
    found: Lines = {}
    lines: set[int] = set()
    printed = git(root, "diff", "--unified=0", "--no-color", "--no-ext-diff", base, "--", f"{PACKAGE}/*.py")
    for line in printed.splitlines():
        if line.startswith("+++ "):
            name = line.removeprefix("+++ ").removeprefix("b/").rstrip("\t")
            lines = set() if name == "/dev/null" else found.setdefault(PurePosixPath(name), set())
        elif hunk := HUNK.match(line):
            first, count = int(hunk[1]), int(hunk[2] or 1)
            lines.update(range(first, first + count))
    return {path: touched for path, touched in found.items() if touched and not is_generated(path)}


def is_generated(path: PurePosixPath) -> bool:
    """Return whether a file is written by the generator of the vocabulary."""
    return str(path).startswith(GENERATED)


def modules_within(root: Path, place: str) -> list[PurePosixPath]:
    """Return the module that a path names, or all modules of the folder.

    Raises:
        ChangeError: there is no module of the product.
    """
    target = root / place
    files = sorted(target.rglob("*.py")) if target.is_dir() else [target]
    found = [PurePosixPath(file.relative_to(root)) for file in files if file.is_file()]
    found = [path for path in found if path.parts[0] == PACKAGE and not is_generated(path)]
    if not found:
        raise ChangeError(f"{place} is no module or folder of {PACKAGE}/ with code to change")
    return found
