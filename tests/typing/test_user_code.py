"""What users type keeps its types, and type checkers find their mistakes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
SAMPLE = Path(__file__).parent / "user_code.py"


def test_type_checkers_understand_user_code(tmp_path):
    """A strict check finds the marked mistakes in user_code.py, each with its code, and no other."""
    marked = {
        (number, code)
        for number, line in enumerate(SAMPLE.read_text(encoding="utf-8").splitlines(), start=1)
        for codes in re.findall(r"# error: \[(.+)\]$", line)
        for code in codes.split(", ")
    }

    answer = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "--hide-error-context",
         "--cache-dir", tmp_path / "cache", "--config-file", ROOT / "pyproject.toml", SAMPLE],
        capture_output=True, text=True, cwd=tmp_path, check=False,
        # mypy does not follow the import hook of an editable install.
        env=os.environ | {"MYPYPATH": str(ROOT)},
    )  # fmt: skip
    found = {
        (int(number), code)
        for number, code in re.findall(
            r"user_code\.py:(\d+): error: .*\[([\w-]+)\]$", answer.stdout, re.MULTILINE
        )
    }

    assert answer.stderr == ""
    assert found == marked, answer.stdout
