"""The scripts in `examples/` run and print what their docstrings say."""

import ast
import json
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


NOT_THE_SAME_TWICE = {"03_search_runs.py"}
"""Examples that count all runs of the store: the second time there are twice as many."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_twice_in_one_folder(path, tmp_path, user_environment, output_difference):
    """A script that is run again records again and reads its newest run: no error, no warning, the same output."""
    answers = [
        subprocess.run(
            [sys.executable, path],
            capture_output=True, text=True, cwd=tmp_path, env=user_environment, timeout=TIME_LIMIT_S, check=False,
        )
        for _ in range(2)
    ]  # fmt: skip

    assert [(answer.returncode, answer.stderr) for answer in answers] == [(0, "")] * 2
    if path.name not in NOT_THE_SAME_TWICE:
        assert output_difference(answers[0].stdout, answers[1].stdout) == ""


def test_the_ten_lines_of_the_readme_run_twice_in_one_folder(tmp_path, user_environment):
    """The first script that a newcomer types can be run again, and every command takes the name for the newest run."""
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    (tmp_path / "train.py").write_text(
        re.search(r"```python\n(.*?)```", readme, re.DOTALL)[1], encoding="utf-8"
    )
    command = Path(sys.executable).with_name("otel-experiments")
    read = (
        ["show", "baseline", "--json"], ["show", "baseline~1", "--json"], ["show", "latest", "--json"], ["metrics", "baseline"], ["spans", "baseline"],
        ["metrics", "baseline", "val/acc"], ["export", "points", "baseline"], ["runs"],
    )  # fmt: skip
    lines = [[sys.executable, "train.py"]] * 2 + [[command, *arguments] for arguments in read]

    answers = [
        subprocess.run(
            line,
            capture_output=True,
            text=True,
            cwd=tmp_path,
            env=user_environment,
            timeout=TIME_LIMIT_S,
            check=False,
        )
        for line in lines
    ]

    assert [(answer.returncode, answer.stderr) for answer in answers] == [(0, "")] * len(answers)
    assert answers[0].stdout == answers[1].stdout
    newest, before, latest = (json.loads(answer.stdout)["run_id"] for answer in answers[2:5])
    assert (newest == latest, newest == before) == (True, False)
