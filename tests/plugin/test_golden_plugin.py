"""The pytest plugin as a user meets it: accept, compare, CI, unused goldens, xdist, what it costs when unused."""

import json
import re
import subprocess
import sys

import pytest

ALL = ["test_train.otg", "test_train.otg.stats"]
PENDING = "test_train.otg.new"


def test_an_accepted_golden_passes_and_nothing_is_written(accepted):
    """An equal run passes and leaves every file as it was."""
    before = {name: accepted.golden(name) for name in accepted.files()}

    answer = accepted.pytest()

    assert answer.returncode == 0, answer.stdout
    assert {name: accepted.golden(name) for name in accepted.files()} == before
    assert sorted(before) == ALL


def test_a_missing_golden_fails_and_waits_for_review(project):
    """Without a golden the test fails with error 2; what the run did is kept as a pending file."""
    answer = project.pytest()

    assert answer.returncode == 1
    assert "golden missing (error 2)" in answer.stdout
    assert "pytest test_train.py::test_train --golden-update" in answer.stdout
    assert project.files() == [PENDING, "test_train.otg.stats.new"]


def test_a_change_fails_with_a_report_that_names_it(accepted):
    """The first lines of the failure have the span, the attribute, both values, and the command that accepts it."""
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")

    answer = accepted.pytest()

    report = answer.stdout.partition("test_train ___")[2].splitlines()[:10]
    text = "\n".join(report)
    assert answer.returncode == 1
    assert "golden mismatch: golden/test_train.otg" in text
    assert re.search(r"FAIL +attr +run default.*lr: 0\.1 -> 0\.5", text), text
    assert "accept: pytest test_train.py::test_train --golden-update" in text
    assert PENDING in accepted.files()


def test_an_update_accepts_the_change_and_changes_one_line(accepted):
    """The new golden differs from the old one in the line of the change and the digest."""
    before = accepted.golden().splitlines()
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")
    accepted.pytest()

    answer = accepted.pytest("--golden-update")

    after = accepted.golden().splitlines()
    assert answer.returncode == 0, answer.stdout
    assert len([1 for old, new in zip(before, after, strict=True) if old != new]) == 2
    assert accepted.files() == ALL
    assert accepted.pytest().returncode == 0


def test_an_update_of_new_goldens_leaves_changed_ones(accepted):
    """`--golden-update=new` writes what is missing and still fails what has changed."""
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")
    accepted.write(
        "test_more.py",
        "from train import train\n\n\ndef test_more(golden_trace):\n    with golden_trace():\n        train()\n",
    )
    before = accepted.golden()

    answer = accepted.pytest("--golden-update=new")

    assert answer.returncode == 1
    assert "test_more.otg" in accepted.files()
    assert accepted.golden() == before


def test_ci_never_writes(accepted):
    """With CI set neither a missing nor a changed golden makes a file, not even a pending one, nor does an update."""
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")
    accepted.write(
        "test_more.py",
        "from train import train\n\n\ndef test_more(golden_trace):\n    with golden_trace():\n        train()\n",
    )

    answers = [
        accepted.pytest(*more, CI="true") for more in ([], ["--golden-update"], ["--golden-unused=delete"])
    ]
    by_option = accepted.pytest("--golden-ci")

    assert [answer.returncode for answer in (*answers, by_option)] == [1, 1, 1, 1]
    assert "golden missing (error 2)" in answers[0].stdout
    assert accepted.files() == ALL
    forced = accepted.pytest("--golden-update", "--golden-force", CI="true")
    assert (forced.returncode, "test_more.otg" in accepted.files()) == (0, True)


def test_a_conflicted_golden_is_error_3(accepted):
    """Conflict markers are named with file and line, and nothing is compared or overwritten."""
    text = accepted.golden()
    accepted.write(
        "golden/test_train.otg",
        text.replace("runs 1\n", "<<<<<<< ours\nruns 1\n=======\nruns 2\n>>>>>>> theirs\n"),
    )

    answer = accepted.pytest()

    assert answer.returncode == 1
    assert "golden error 3" in answer.stdout
    assert "golden/test_train.otg:7" in answer.stdout
    assert PENDING not in accepted.files()


@pytest.mark.parametrize("option", ["fail", "warn", "delete"])
def test_unused_goldens_are_found_on_full_runs(accepted, option):
    """A golden that no test asks for fails a full run, or warns, or is deleted."""
    (accepted.folder / "golden" / "gone.otg").write_text(accepted.golden())

    answer = accepted.pytest(f"--golden-unused={option}")

    assert "gone.otg" in answer.stdout
    assert answer.returncode == (1 if option == "fail" else 0)
    assert ("gone.otg" in accepted.files()) == (option != "delete")


@pytest.mark.parametrize(
    "choice", [["-k", "train"], ["test_train.py"], ["test_train.py::test_train"], ["-m", "not slow"]]
)
def test_unused_goldens_are_not_looked_for_in_part_of_the_tests(accepted, choice):
    """With -k, -m, a path or a test id nothing is said about goldens of tests that did not run."""
    (accepted.folder / "golden" / "gone.otg").write_text(accepted.golden())

    answer = accepted.pytest(*choice)

    assert (answer.returncode, "gone.otg" in answer.stdout) == (0, False)


def test_the_golden_of_a_skipped_test_is_not_unused(accepted):
    """A test that is skipped, or fails before its golden, still owns it, and those of its parts."""
    accepted.write("golden/test_train.second.otg", accepted.golden())
    accepted.change("test_train.py", "def test_train", "import pytest\n\n\n@pytest.mark.skip\ndef test_train")

    answer = accepted.pytest()

    assert (answer.returncode, "golden-unused" in answer.stdout) == (0, False)


MANY = """
import pytest
from train import train


@pytest.mark.parametrize("steps", range(1, 9))
def test_many(golden_trace, steps):
    with golden_trace():
        train(steps=steps)
"""


def test_xdist_writes_each_golden_once_and_finds_unused_ones(project):
    """With -n 4 the files are those of a serial run, an equal run passes, and only a real leftover is unused."""
    project.write("test_many.py", MANY)
    serial = project.folder.with_name("serial")
    assert project.pytest("--golden-update", "-n", "4").returncode == 0
    written = {name: project.golden(name) for name in project.files() if name.endswith(".otg")}
    (project.folder / "golden").rename(serial)
    assert project.pytest("--golden-update").returncode == 0

    assert {name: project.golden(name) for name in project.files() if name.endswith(".otg")} == written
    assert len(written) == 9
    equal = project.pytest("-n", "4", CI="true")
    assert (equal.returncode, "golden-unused" in equal.stdout) == (0, False), equal.stdout
    (project.folder / "golden" / "gone.otg").write_text(project.golden())
    leftover = project.pytest("-n", "4")
    assert leftover.returncode == 1
    assert re.search(r"golden-unused: 1 goldens.*\n +golden/gone\.otg", leftover.stdout), leftover.stdout


def test_markers_set_policy_tolerance_and_rules(project):
    """Tolerances and ignore rules of the marker apply to the test, and an unknown word is refused."""
    project.write(
        "test_train.py",
        "import pytest\nfrom train import train\n\n\n"
        "@pytest.mark.golden(name='shared', rtol={'loss': 0.5}, ignore=['stage forward'], timing='off')\n"
        "def test_train(golden_trace):\n    with golden_trace():\n        train()\n",
    )
    assert project.pytest("--golden-update").returncode == 0
    project.change("train.py", "1 / (1 + epoch", "1.2 / (1 + epoch")
    project.change(
        "train.py",
        'with run.stage("forward"):\n                    pass',
        'with run.stage("forward") as stage:\n                    stage.set_attribute("size", 3)',
    )

    answer = project.pytest()

    assert answer.returncode == 0, answer.stdout
    project.change("test_train.py", "timing='off'", "timming='off'")
    refused = project.pytest()
    assert refused.returncode != 0
    assert "the marker golden has no 'timming'" in refused.stdout


CURVE = """
import os
import pytest
import otel_experiments as ox

SLOW = float(os.environ.get("SLOW", "1"))


@pytest.mark.golden(target={"loss": "<0.2"}, timing="off")
def test_curve(golden_trace):
    with golden_trace(), ox.start_run("curve") as run:
        for step in run.steps(range(200)):
            run.log({"loss": 1 / (1 + step / (10 * SLOW))}, step=step)
"""


def test_a_target_is_reached_in_time_or_not(project):
    """With a target only when the metric reaches it counts: much later fails, a slightly other curve passes."""
    project.write("test_curve.py", CURVE)
    assert project.pytest("test_curve.py", "--golden-update").returncode == 0

    equal = project.pytest("test_curve.py", SLOW="1.001")
    later = project.pytest("test_curve.py", SLOW="3")
    project.change("test_curve.py", '"<0.2"', '"0.2"')
    refused = project.pytest("test_curve.py")

    assert equal.returncode == 0, equal.stdout
    assert (later.returncode, "converged-later" in later.stdout) == (1, True), later.stdout
    assert (refused.returncode, "it says no value to reach" in refused.stdout) == (1, True), refused.stdout


def test_several_runs_make_one_golden(project):
    """`golden_trace.runs` records one run a seed for the golden, and one for a candidate."""
    project.write(
        "test_train.py",
        "import pytest\nfrom train import train\n\n\n@pytest.mark.golden(runs=3)\n"
        "def test_train(golden_trace):\n    golden_trace.runs(lambda seed: train(seed=seed))\n",
    )

    written = project.pytest("--golden-update")
    answer = project.pytest("--golden-runs=2")

    assert (written.returncode, answer.returncode) == (0, 0), answer.stdout
    assert "\nruns 3\n" in project.golden()


def test_a_second_block_of_a_test_is_compared_and_overwrites_nothing(project):
    """Two blocks under one name are one behaviour: an update takes the first, and a second that differs fails."""
    project.write(
        "test_train.py",
        "from train import train\n\n\ndef test_train(golden_trace):\n    for epochs in (2, EPOCHS):\n"
        "        with golden_trace():\n            train(epochs)\n".replace("EPOCHS", "3"),
    )

    different = project.pytest("--golden-update")
    project.change("test_train.py", "(2, 3)", "(2, 2)")
    equal = project.pytest("--golden-update")

    assert (different.returncode, "epoch" in different.stdout) == (1, True)
    assert "epoch x2 " in project.golden()
    assert equal.returncode == 0, equal.stdout


def test_two_tests_cannot_share_a_golden(project):
    """A second test that asks for the same file is refused before it overwrites it."""
    test = "@pytest.mark.golden(name='same')\ndef test_{}(golden_trace):\n    with golden_trace():\n        train()\n\n\n"
    project.write(
        "test_train.py", "import pytest\nfrom train import train\n\n\n" + test.format("a") + test.format("b")
    )

    answer = project.pytest("--golden-update")

    assert answer.returncode == 1
    assert "test_train.py::test_a has this golden already" in answer.stdout


def test_a_test_that_compares_nothing_fails(project):
    """Asking for the fixture and never using it is no pass; a test that fails by itself is not blamed twice."""
    project.write(
        "test_train.py",
        "def test_unused(golden_trace):\n    pass\n\n\ndef test_broken(golden_trace):\n    assert 1 == 2\n",
    )

    answer = project.pytest()

    assert "2 failed" in answer.stdout
    assert answer.stdout.count("never used it") == 1 + (
        "FAILED test_train.py::test_unused" in answer.stdout
        and "never used it" in answer.stdout.partition("short test summary")[2]
    )


def test_nothing_recorded_is_error_4(project):
    """A body that records nothing never equals a golden."""
    project.write("test_train.py", "def test_train(golden_trace):\n    with golden_trace():\n        pass\n")

    answer = project.pytest("--golden-update")

    assert (answer.returncode, project.files()) == (1, [])
    assert "golden error 4" in answer.stdout


def test_reports_are_written_for_what_failed(accepted):
    """`--golden-report` has JSON, markdown, HTML and JUnit of each failed comparison and of no other."""
    assert accepted.pytest("--golden-report=out").returncode == 0
    assert not (accepted.folder / "out").exists()
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")

    accepted.pytest("--golden-report=out")

    assert sorted(path.name for path in (accepted.folder / "out").iterdir()) == [
        f"test_train.otg{ending}" for ending in (".html", ".json", ".junit.xml", ".md")
    ]
    report = json.loads((accepted.folder / "out" / "test_train.otg.json").read_text())
    assert [finding["code"] for finding in report["findings"] if finding["severity"] == "fail"] == ["attr"]


def test_rules_of_the_project_are_read_and_must_have_a_reason(accepted):
    """Ignore rules of pyproject.toml apply to all goldens; one without a reason is refused."""
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")
    rule = '[[tool.otel-experiments.golden.ignore]]\npath = "run default"\ncode = "attr"\n'
    accepted.write("pyproject.toml", rule + 'reason = "tuned daily"\n')

    assert accepted.pytest().returncode == 0
    accepted.write("pyproject.toml", rule)
    refused = accepted.pytest()
    assert refused.returncode == 4 or "needs `path` and `reason`" in refused.stdout + refused.stderr


def test_the_plugin_imports_nothing_heavy_when_unused():
    """A pytest start that uses no golden imports neither OpenTelemetry nor any module of ours but the plugin."""
    script = (
        "import pytest, sys\nbefore = set(sys.modules)\nimport otel_experiments.pytest_plugin\n"
        "print(sorted(m for m in set(sys.modules) - before if not m.startswith('otel_experiments.semconv')))"
    )

    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    loaded = eval(answer.stdout)
    assert not [name for name in loaded if name.startswith(("opentelemetry", "google", "grpc", "sqlite3"))]
    assert [name for name in loaded if name.startswith("otel_experiments")] == [
        "otel_experiments",
        "otel_experiments.pytest_plugin",
    ]
