"""Goldens in places where nothing can be written, and in CI: what is not written is said."""

import pytest

CHANGE = ("LEARNING_RATE = 0.1", "LEARNING_RATE = 0.5")


def test_an_unchanged_test_passes_in_a_read_only_checkout(accepted):
    """Nothing has to be written to find that nothing changed."""
    with accepted.read_only():
        answer = accepted.pytest()

    assert answer.returncode == 0, answer.stdout


def test_a_changed_test_shows_its_report_in_a_read_only_checkout(accepted):
    """The report comes although no pending golden can be written beside it, and that is said."""
    accepted.change("train.py", *CHANGE)
    before = accepted.files()

    with accepted.read_only():
        answer = accepted.pytest("--golden-report", "golden/reports")

    assert answer.returncode == 1
    assert "golden mismatch: golden/test_train.otg" in answer.stdout
    assert "lr: 0.1 -> 0.5" in answer.stdout
    assert "note  no pending golden could be written: Permission denied" in answer.stdout
    assert "note  no reports could be written: Permission denied" in answer.stdout
    assert accepted.files() == before


def test_a_missing_golden_in_a_read_only_checkout_is_error_2(project):
    """A golden that is missing is said to be, and that what the run does could not be kept."""
    with project.read_only():
        answer = project.pytest()

    assert answer.returncode == 1
    assert "golden missing (error 2): there is no golden/test_train.otg" in answer.stdout
    assert "could not be written beside it: Permission denied" in answer.stdout


def test_an_update_in_a_read_only_checkout_fails_and_names_the_file(accepted):
    """What was asked to be written and cannot be is no pass, and no traceback of ours."""
    accepted.change("train.py", *CHANGE)

    with accepted.read_only():
        answer = accepted.pytest("--golden-update")

    assert answer.returncode == 1
    assert "golden error 5: the golden could not be written: Permission denied" in answer.stdout
    assert "golden/test_train.otg)" in answer.stdout
    assert "Traceback" not in answer.stdout


def test_a_pending_golden_that_is_out_of_date_and_cannot_be_deleted_fails_nothing(accepted):
    """An old pending file stays where it is; the test passes, for the run is the golden's."""
    (accepted.folder / "golden" / "test_train.otg.new").write_text(accepted.golden())

    with accepted.read_only():
        answer = accepted.pytest()

    assert answer.returncode == 0, answer.stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
@pytest.mark.parametrize("option", ["--golden-update", "--golden-update=all", "--golden-review"])
def test_an_update_in_ci_is_refused_aloud(accepted, option, workers):
    """In CI an update writes nothing: the session says so and fails, though every test in it passes."""
    before = {name: accepted.golden(name) for name in accepted.files()}

    answer = accepted.pytest(option, *workers, CI="1")

    name = option.partition("=")[0]
    assert answer.returncode == 1
    assert f"{name}: nothing was done, for this is CI, and so the session fails." in answer.stdout
    assert "--golden-force" in answer.stdout
    assert "1 passed" in answer.stdout
    assert {name: accepted.golden(name) for name in accepted.files()} == before


def test_an_update_that_is_forced_in_ci_is_done(accepted):
    """With `--golden-force` the update happens, and nothing is said about CI."""
    accepted.change("train.py", *CHANGE)

    answer = accepted.pytest("--golden-update", "--golden-force", CI="1")

    assert (answer.returncode, "this is CI" in answer.stdout) == (0, False)
    assert "1 updated" in answer.stdout


def test_rules_of_a_marker_that_match_nothing_are_said_with_the_new_golden(project):
    """A misspelt name in the marker is told when the golden is written, with the one that is there."""
    project.change(
        "test_train.py",
        "\n\ndef test_train",
        "\nimport pytest\n\n\n@pytest.mark.golden(volatile=['los'])\ndef test_train",
    )

    answer = project.pytest("--golden-update", CI="")

    assert answer.returncode == 0, answer.stdout
    assert (
        "golden/test_train.otg: rule-unused: volatile los: no attribute or metric has this name; there is 'loss'"
        in answer.stdout
    )


def test_runs_that_do_different_things_make_no_golden(project):
    """Seeds of which one fails where the others do not are refused with the difference, and no file is written."""
    project.write(
        "test_train.py",
        "import otel_experiments as ox\nimport pytest\n\n\n"
        "def program(seed):\n"
        "    with ox.start_run('mlp') as run:\n"
        "        for _ in range(2 if seed == 1 else 1):\n"
        "            with run.stage('fit', seed=seed):\n"
        "                pass\n\n\n"
        "@pytest.mark.golden(runs=3)\n"
        "def test_train(golden_trace):\n"
        "    golden_trace.runs(program)\n",
    )

    answer = project.pytest("--golden-update", CI="")

    assert answer.returncode == 1
    assert "golden error 4: The 3 runs for the golden 'test_train' do 2 different things" in answer.stdout
    assert "run 2: count  run default/stage fit  1 -> 2" in answer.stdout
    assert project.files() == []
