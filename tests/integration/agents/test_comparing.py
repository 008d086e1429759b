"""What an agent compares: two runs, several, a run with a golden."""

import shutil
import subprocess

import pytest

from tests.integration.agents.conftest import COMMAND, connected


def test_two_runs_are_compared(agent):
    """The report puts the likeliest cause first, and the data is that of `diff --json`."""
    found = agent.data("diff_runs", a="digits-0", b="digits-1")

    assert found["differences"][0]["key"] == "lr"
    assert "lr" in found["report"].splitlines()[2] + found["report"]
    assert (found["a"]["name"], found["b"]["name"]) == ("digits-0", "digits-1")


def test_a_run_does_not_differ_from_itself(agent):
    """Nothing is made up."""
    found = agent.data("diff_runs", a="digits-0", b="digits-0")

    assert (found["is_same"], found["summary"]) == (True, "The runs do not differ.")


def test_several_runs_are_compared_side_by_side(agent):
    """Named or searched; the first one, or the baseline, is what changes are measured by."""
    named = agent.data("compare_runs", runs=["digits-0", "digits-1"])
    searched = agent.data("compare_runs", where="exists(params.lr)", baseline="digits-0")

    assert named["baseline"]["name"] == searched["baseline"]["name"] == "digits-0"
    assert {one["name"] for one in searched["table"]["runs"]} == {"digits-0", "digits-1"}


@pytest.mark.parametrize(
    "arguments",
    [{}, {"runs": ["digits-0"]}, {"runs": ["digits-0", "digits-0"]}, {"runs": ["digits-0"], "where": "params.lr > 0"}, {"where": "params.lr > 9"}],
)  # fmt: skip
def test_what_is_no_comparison_is_refused(agent, arguments):
    """One run, none, or two ways to say which: the error says what to give."""
    assert "compare_runs cannot be called so" in agent.error("compare_runs", **arguments)


@pytest.fixture(scope="module")
def project(recorded, tmp_path_factory):
    """A project with a golden of the first run, and a file outside of the folder of goldens."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(recorded / "experiments.db", folder)
    command = [
        COMMAND,
        "golden",
        "capture",
        "train",
        "--from",
        "digits-0",
        "--dir",
        "goldens",
        "--allow-nonfinite",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    shutil.copy(folder / "goldens" / "train.otg", folder / "secret.otg")
    return folder


@pytest.fixture(scope="module")
def judge(project):
    """A client of a server that reads its runs and goldens."""
    with connected(project, "--goldens", "goldens") as found:
        yield found


def test_a_run_is_compared_with_a_golden(project, judge):
    """The run that made it passes; another one fails with findings, as on the command line. Nothing is written."""
    before = sorted(project.rglob("*"))
    same = judge.data("compare_golden", golden="train", run="digits-0")
    other = judge.data("compare_golden", golden="train.otg", run="digits-1")

    assert same["report"]["verdict"] == "pass"
    assert other["report"]["verdict"] == "fail"
    assert [one for one in other["report"]["findings"] if one["severity"] == "fail"]
    assert [one for one in sorted(project.rglob("*")) if ".db" not in one.name] == [
        one for one in before if ".db" not in one.name
    ]


@pytest.mark.parametrize("name", ["nothing", "../secret", "../secret.otg", "/etc/passwd", "", ".", "🦊"])
def test_only_goldens_of_the_folder_are_read(judge, name):
    """A name that leads out of it is no golden; the error lists those that there are."""
    assert "goldens has train" in judge.error("compare_golden", golden=name, run="digits-0")
