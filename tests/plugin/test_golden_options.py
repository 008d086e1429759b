"""Options of golden tests that choose: what is updated, by which policy, and what a person answers."""

import os
import pty
import subprocess
import sys

import pytest

PENDING = "test_train.otg.new"


def answer_in_terminal(project, typed, *arguments):
    """Run pytest in a terminal in which a person types; returns its exit code and what was on the screen."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_") and key != "CI"}
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *project.plugin, "-p", "no:cacheprovider", *arguments],
        cwd=project.folder, env=env | {"PYTHONPATH": str(project.folder)}, stdin=theirs, stdout=theirs, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    os.write(ours, typed.encode())
    screen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not part:
            break
        screen += part
    os.close(ours)
    return process.wait(timeout=100), screen.decode()


@pytest.mark.parametrize(("typed", "is_accepted"), [("a\n", True), ("r\n", False)])
def test_pending_goldens_are_reviewed_after_the_run(accepted, typed, is_accepted):
    """`--golden-review` shows what would change, and does what is answered."""
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")

    code, screen = answer_in_terminal(accepted, typed, "--golden-review")

    assert code == 1
    assert "lr=0.5" in screen
    assert "[a]ccept, [r]eject" in screen
    assert ("lr=0.5" in accepted.golden()) == is_accepted
    assert PENDING not in accepted.files()


def test_the_option_wins_over_the_policy_of_the_file(accepted):
    """A loss within its tolerance passes, and fails where every bit is asked for."""
    accepted.change("train.py", "1 / (1 + epoch", "1.00000001 / (1 + epoch")

    assert accepted.pytest().returncode == 0
    strict = accepted.pytest("--golden-policy=strict")

    assert strict.returncode == 1
    assert "policy strict" in strict.stdout
    assert accepted.pytest("--golden-policy=loose").returncode == 4


SLOW = """
import time
from train import train
import pytest
import otel_experiments as ox

WAIT = 0.01


@pytest.mark.golden(runs=3)
def test_slow(golden_trace):
    def program(seed):
        with ox.start_run("slow") as run:
            for _ in range(3):
                with run.stage("work"):
                    end = time.thread_time() + WAIT
                    while time.thread_time() < end:
                        pass

    golden_trace.runs(program)
"""


def test_times_fail_are_shown_or_left_out_as_the_option_says(project):
    """A stage ten times slower fails, is an advisory, or is not looked at; then the new times are taken alone."""
    project.write("test_train.py", SLOW)
    assert project.pytest("--golden-update").returncode == 0
    times, text = (project.golden(f"test_train.test_slow.otg{part}") for part in (".stats", ""))
    project.change("test_train.py", "WAIT = 0.01", "WAIT = 0.1")

    failing = project.pytest()
    assert (failing.returncode, "slower" in failing.stdout) == (1, True), failing.stdout
    assert project.pytest("--golden-timing=advisory").returncode == 0
    assert project.pytest("--golden-timing=off").returncode == 0

    updated = project.pytest("--golden-update=timing")

    assert updated.returncode == 0, updated.stdout
    assert project.golden("test_train.test_slow.otg.stats") != times
    assert project.golden("test_train.test_slow.otg") == text


def test_times_alone_are_confirmed_by_more_runs(project):
    """A run that was slow by luck is recorded once more and passes; `--golden-confirm=1` takes the first at its word."""
    once = SLOW.replace("    def program(seed):\n", "    def program(seed):\n        print('ran', seed)\n")
    project.write("test_train.py", once)
    assert project.pytest("--golden-update").returncode == 0
    project.change("test_train.py", "+ WAIT", "+ (0.1 if seed == 0 else WAIT)")

    lucky = project.pytest("-s")
    hasty = project.pytest("-s", "--golden-confirm=1")
    project.change("test_train.py", "(0.1 if seed == 0 else WAIT)", "0.1")
    slow = project.pytest("-s")

    assert (lucky.returncode, lucky.stdout.count("ran") in {2, 3}) == (0, True), lucky.stdout
    assert (hasty.returncode, hasty.stdout.count("ran")) == (1, 1), hasty.stdout
    assert (slow.returncode, slow.stdout.count("ran 2")) == (1, 1), slow.stdout
    assert "times alone failed in fewer, so 3 runs were recorded" in slow.stdout


def test_an_update_of_all_takes_times_and_changes_and_new_ones(accepted):
    """`--golden-update=all` leaves nothing to be said."""
    before = accepted.golden("test_train.otg.stats")
    accepted.change("train.py", "LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")
    accepted.write(
        "test_more.py",
        "from train import train\n\n\ndef test_more(golden_trace):\n    with golden_trace():\n        train()\n",
    )

    answer = accepted.pytest("--golden-update=all")

    assert answer.returncode == 0, answer.stdout
    assert "lr=0.5" in accepted.golden()
    assert accepted.golden("test_train.otg.stats") != before
    assert "test_more.otg" in accepted.files()
    assert accepted.pytest("--golden-timing=off").returncode == 0


@pytest.mark.parametrize("option", ["--golden-runs", "--golden-confirm"])
@pytest.mark.parametrize("count", ["0", "-1", "some"])
def test_counts_of_runs_are_numbers_from_1_on(accepted, option, count):
    """No run at all cannot be asked for."""
    answer = accepted.pytest(f"{option}={count}")

    assert answer.returncode == 4
    assert f"'{count}' is no number from 1 on" in answer.stderr


@pytest.mark.parametrize(
    "mark",
    [
        "policy='loose'", "timing='of'", "runs=0", "runs='five'", "rtol=1e-3", "rtol={'loss': 'x'}",
        "ignore='kernel.*'", "ignore=[{'path': 'run'}]", "unordered='run digits'",
    ],
)  # fmt: skip
def test_a_marker_that_means_nothing_fails_its_test_and_writes_nothing(accepted, mark):
    """A wrong value is neither kept in a golden nor taken for none; the letters of a text are no list of globs."""
    accepted.write(
        "test_train.py",
        "import pytest\nfrom train import train\n\n"
        f"@pytest.mark.golden({mark})\ndef test_train(golden_trace):\n    with golden_trace():\n        train()\n",
    )
    before = accepted.golden()

    answer = accepted.pytest("--golden-update=all")

    assert answer.returncode == 1
    assert "GoldenRuleError: The rule" in answer.stdout
    assert accepted.golden() == before
