"""`action.yml`: its steps run as GitHub runs them, with a stand-in for GitHub's API only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

import otel_experiments

ACTION = yaml.safe_load(
    (Path(otel_experiments.__file__).parent.parent / "action.yml").read_text(encoding="utf-8")
)
STEPS = ACTION["runs"]["steps"]
PROGRAM = """
import os
import otel_experiments as ox
with ox.start_run("mlp", config={"lr": float(os.environ.get("RATE", "0.1"))}) as run:
    with run.stage("fit"):
        pass
"""
GH = """#!/usr/bin/env python3
import os, sys
if "--paginate" in sys.argv:
    print(os.environ.get("EARLIER", ""), end="")
else:
    body = next(word for word in sys.argv if word.startswith("body=@"))
    method, place = sys.argv[sys.argv.index("--method") + 1 :][:2]
    with open("comments.txt", "a") as log:
        log.write(f"{method} {place}\\n{open(body[6:]).read()}\\n")
    sys.exit(int(os.environ.get("DENIED", "0")))
"""


@pytest.fixture
def runner(tmp_path):
    """Return a function that runs a step's script with its variables; a folder with a golden, and a `gh`."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "gh").write_text(GH)
    (tools / "gh").chmod(0o755)
    command = f"#!/bin/sh\nexec {sys.executable} -c 'from otel_experiments.cli import main; main()' \"$@\"\n"
    (tools / "otel-experiments").write_text(command)
    (tools / "otel-experiments").chmod(0o755)
    (tmp_path / "train.py").write_text(PROGRAM)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "GITHUB_"))}
    kept |= {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "GITHUB_REPOSITORY": "o/r",
    }
    (tmp_path / "temp").mkdir()

    def run(script, **environment):
        # GitHub runs `shell: bash` with these options.
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
            cwd=tmp_path, env=kept | environment, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    answer = run(f"otel-experiments golden capture train -- {sys.executable} train.py")
    assert answer.returncode == 0, answer.stderr
    return run


def compare(runner, rate, golden="train"):
    """Run the comparing step."""
    return runner(
        STEPS[0]["run"],
        GOLDEN=golden,
        COMMAND=f"{sys.executable} train.py",
        CANDIDATE="",
        OPTIONS="--timing off",
        RATE=rate,
    )


@pytest.mark.parametrize(("rate", "code"), [("0.1", "0"), ("0.5", "1")])
def test_the_step_compares_and_hands_on_its_exit_code(runner, tmp_path, rate, code):
    """The step itself succeeds, so that the comment is still made; the last step fails with the code."""
    answer = compare(runner, rate)

    output = (tmp_path / "output").read_text()
    assert answer.returncode == 0, answer.stderr
    assert f"exit-code={code}\n" in output
    assert ("::error file=golden/train.otg" in answer.stdout) == (code == "1")
    assert runner(STEPS[2]["run"], CODE=code).returncode == int(code)


@pytest.mark.parametrize(
    ("earlier", "call"),
    [("", "POST repos/o/r/issues/7/comments"), ("42", "PATCH repos/o/r/issues/comments/42")],
)
def test_the_report_is_commented_once(runner, tmp_path, earlier, call):
    """The first report is a new comment, a later one replaces it; it carries the marker by which it is found."""
    compare(runner, "0.5")
    report = re.search(r"report=(.*)", (tmp_path / "output").read_text())[1]

    answer = runner(STEPS[1]["run"], REPORT=report, COMMENTS="repos/o/r/issues/7/comments", EARLIER=earlier)

    log = (tmp_path / "comments.txt").read_text()
    assert answer.returncode == 0, answer.stderr
    assert log.splitlines()[0] == call
    assert log.splitlines()[1].startswith("<!--")
    assert "ml.hyperparameter.lr" in log


@pytest.mark.parametrize(
    ("golden", "rate", "code", "told"),
    [
        ("new", "0.1", "2", "No golden at 'golden/new.otg'"),
        ("golden/train.otg", "none", "4", "ended with exit code 1"),
    ],
    ids=["no golden", "the command fails"],
)
def test_why_nothing_was_compared_takes_the_place_of_an_earlier_report(
    runner, tmp_path, golden, rate, code, told
):
    """A comment that says `passes` does not stay under a check that compared nothing; annotation and summary say why."""
    if code == "4":
        compare(runner, "0.1", golden)
        (tmp_path / "summary.md").unlink()

    answer = compare(runner, rate, golden)

    report = tmp_path / "temp" / "golden-report"
    name = Path(golden).name
    assert f"exit-code={code}\n" in (tmp_path / "output").read_text()
    assert f"::error title=golden::{golden}: " in answer.stdout
    assert told in (tmp_path / "summary.md").read_text()
    lines = (report / f"{name}.md").read_text().splitlines()
    assert lines[:2] == [
        f"<!-- otel-experiments golden: {golden} -->",
        f"### Golden `{golden}`: not compared",
    ]
    assert told in "\n".join(lines)
    (case,) = ET.parse(report / f"{name}.junit.xml").iter("error")
    assert told in case.text
    assert not (report / f"{name}.json").exists()


def test_a_token_that_may_not_comment_is_said_and_fails_nothing(runner, tmp_path):
    """On a fork's pull request the comment is left out with a notice."""
    compare(runner, "0.5")
    report = re.search(r"report=(.*)", (tmp_path / "output").read_text())[1]

    answer = runner(STEPS[1]["run"], REPORT=report, COMMENTS="repos/o/r/issues/7/comments", DENIED="1")

    assert (answer.returncode, "::notice::" in answer.stdout) == (0, True)


def test_every_input_is_declared_and_used():
    """What the steps read is declared, and what is declared is read."""
    text = yaml.safe_dump(ACTION["runs"])

    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(ACTION["inputs"])


def test_options_may_have_several_lines(runner, tmp_path):
    """An input of several lines (`options: |`) is taken whole."""
    runner(
        STEPS[0]["run"], GOLDEN="train", COMMAND=f"{sys.executable} train.py", CANDIDATE="",
        OPTIONS="--timing off\n--policy strict\n",
    )  # fmt: skip

    (report,) = (tmp_path / "temp" / "golden-report").glob("*.json")
    assert json.loads(report.read_text())["policy"] == {"name": "strict", "timing": "off"}
