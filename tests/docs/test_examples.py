"""The scripts in `examples/` run and print what their docstrings say."""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otel_experiments

FOLDER = Path(otel_experiments.__file__).parent.parent / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
TIME_LIMIT_S = 20


def documented_output(path):
    """Return the last indented block of the script's docstring: what it prints."""
    docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    blocks = re.findall(r"(?:^ {4}.*\n?|^\n)+", f"{docstring}\n", re.MULTILINE)
    return textwrap.dedent(blocks[-1]) if blocks else ""


def test_the_examples_are_numbered_without_a_gap():
    """A newcomer can go through the examples in order: 01 to at least 04."""
    numbers = [int(path.name[:2]) for path in EXAMPLES]

    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_its_docstring_says(path, tmp_path, user_environment, output_difference):
    """A reader who runs an example in an empty folder sees the output that its docstring shows."""
    documented = documented_output(path)
    assert documented.strip(), "the docstring ends in the output, indented"

    answer = subprocess.run(
        [sys.executable, path],
        capture_output=True, text=True, cwd=tmp_path, env=user_environment, timeout=TIME_LIMIT_S, check=False,
    )  # fmt: skip

    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    assert output_difference(documented, answer.stdout) == ""
