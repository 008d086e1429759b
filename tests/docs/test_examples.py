"""The scripts in `examples/` run and print what their docstrings say."""

import ast
import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
FOLDER = ROOT / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
TIME_LIMIT_S = 20
NEED_A_COLLECTOR = {"06_fed_by_a_collector.py"}
sys.path.append(str(ROOT / ".ci/backends"))

import made_programs  # noqa: E402 - found by the line above

COLLECTOR = made_programs.find(
    made_programs.COLLECTOR, folder=made_programs.kept_folder(), go=made_programs.go_version()
)


@pytest.fixture
def environment_of(tmp_path, user_environment, record_property):
    """Return a function that gives the environment to run an example in, with the Collector where it needs one."""

    def environment(path):
        if path.name not in NEED_A_COLLECTOR:
            return user_environment
        if COLLECTOR.file is None:
            record_property("backend_missing", ("collector", COLLECTOR.reason))
            pytest.skip(f"collector cannot be had here: {COLLECTOR.reason}")
        programs = tmp_path / "programs"
        programs.mkdir()
        (programs / "otelcol-experiments").symlink_to(COLLECTOR.file)
        return user_environment | {"PATH": f"{programs}{os.pathsep}{user_environment['PATH']}"}

    return environment


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


NOT_THE_SAME_TWICE = {"03_search_runs.py"}
"""Examples that count all runs of the store: the second time there are twice as many."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_prints_what_its_docstring_says(path, tmp_path, environment_of, output_difference):
    """In an empty folder an example prints what its docstring shows, and so it does again: no error, no warning."""
    documented = documented_output(path)
    assert documented.strip(), "the docstring ends in the output, indented"
    environment = environment_of(path)
    answers = [
        subprocess.run(
            [sys.executable, path],
            capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=TIME_LIMIT_S, check=False,
        )
        for _ in range(2)
    ]  # fmt: skip

    assert [(answer.returncode, answer.stderr) for answer in answers] == [(0, "")] * 2
    assert output_difference(documented, answers[0].stdout) == ""
    if path.name not in NOT_THE_SAME_TWICE:
        assert output_difference(documented, answers[1].stdout) == ""


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


def test_the_example_of_a_store_passes_the_contract(tmp_path, user_environment):
    """The package that shows how to write a store runs the tests of all stores, as its author would."""
    package = FOLDER / "folder_store"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", str(package / "test_folder_store.py")],
        cwd=tmp_path, env=user_environment | {"PYTHONPATH": str(package), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False, capture_output=True, text=True, timeout=110,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"\b\d{3,} passed\b", done.stdout)
