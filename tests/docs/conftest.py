"""How documented output is compared with real output, and where documented commands run."""

import difflib
import os
import re
import sys
from pathlib import Path

import pytest

TOLERATED = (
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|min|h|d)\b(?: ago)?"), "<time>"),
    (re.compile(r"\bnow\b"), "<time>"),
    (re.compile(r"(?<![\w.])\d+(?:\.\d+)? ?[kMG]?B\b"), "<size>"),
    (re.compile(r"\b(?=[a-f]*\d)[0-9a-f]{8,64}\b"), "<id>"),
    (re.compile(r"(?<![\w.])(?:/[\w.@+-]+)+/?"), "<path>"),
    (re.compile(r"[─━]{3,}"), "---"),
    (re.compile(r"[ \t]+"), " "),
)
"""What may differ from one run to the next: points in time and lengths of it, sizes, ids, absolute paths, and the
padding that follows from them. Everything else is compared as it stands; docs/README.md documents this."""


def normalized(text):
    """Return the lines of a text with everything tolerated in one form, without blank ends."""
    for pattern, word in TOLERATED:
        text = pattern.sub(word, text)
    return [line.strip() for line in text.strip("\n").splitlines()]


def difference(documented, actual):
    """Return the diff between documented and real output; empty when they agree.

    A line `...` stands for any number of lines, `...` within a line for any text.
    """
    wanted, found = normalized(documented), normalized(actual)
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", r"[^\n]*?") + "\n"
        for line in wanted
    )
    if re.fullmatch(pattern, "".join(f"{line}\n" for line in found)):
        return ""
    return "\n".join(difflib.unified_diff(wanted, found, "documented", "actual", lineterm=""))


@pytest.fixture
def output_difference():
    """Return the function that compares documented with real output."""
    return difference


@pytest.fixture
def user_environment(tmp_path):
    """Return the environment of a user with an 80-column terminal and our command on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "OTEL_"))}
    return kept | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "COLUMNS": "80",
        "NO_COLOR": "1",
        "PYTHONUTF8": "1",
    }
