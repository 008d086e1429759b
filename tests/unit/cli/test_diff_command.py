"""`otel-experiments diff`: forms, exit codes, errors."""

import json


def test_the_text_has_both_runs_and_their_differences(terminal):
    """Both runs are named with their state, and the param that differs stands below."""
    text = terminal.text("diff", "mlp-a", "mlp-b")

    assert text.startswith("A  mlp-a  ")
    assert "params  optim.lr" in text
    assert "0.1 → 0.01" in text
    assert max(map(len, text.splitlines())) <= 80


def test_all_shows_the_times_of_every_path(terminal):
    """With --all come the table of paths, and no line that says how many more there are."""
    text = terminal.text("diff", "mlp-a", "sgd-c", "--all")

    assert "times of spans, A / B" in text
    assert "run/epoch/step" in text
    assert "more (" not in text


def test_json_is_the_same_by_both_names(terminal):
    """--json and --format json print one shape."""
    found = terminal.json("diff", "mlp-a", "mlp-b")

    assert json.loads(terminal.text("diff", "mlp-a", "mlp-b", "--format", "json")) == found
    assert found["a"]["name"] == "mlp-a"
    assert found["is_same"] is False


def test_markdown_and_html_are_printed(terminal):
    """Both go to standard output, to be piped into a file or a comment."""
    assert terminal.text("diff", "mlp-a", "mlp-b", "--format", "markdown").startswith("| | run |")
    assert terminal.text("diff", "mlp-a", "mlp-b", "--format", "html").startswith("<!doctype html>")


def test_the_exit_code_is_asked_for(terminal):
    """Runs that differ exit with 0, and with 1 where --exit-code asks for it; equal ones always with 0."""
    assert terminal.run("diff", "mlp-a", "mlp-b").exit_code == 0
    assert terminal.run("diff", "mlp-a", "mlp-b", "--exit-code").exit_code == 1
    assert terminal.run("diff", "mlp-a", "mlp-a", "--exit-code").exit_code == 0


def test_an_unknown_run_is_an_error(terminal):
    """A name that no run has exits with 4 and says which."""
    result = terminal.run("diff", "mlp-a", "nothing")

    assert result.exit_code == 4
    assert "nothing" in result.stderr


def test_live_lost_and_failed_runs_are_compared(terminal):
    """Any two runs can be compared, whatever state they are in."""
    for other in ("live-e", "lost-d", "sgd-c"):
        assert terminal.run("diff", "mlp-a", other).exit_code == 0
    assert "B is running" in terminal.text("diff", "mlp-a", "live-e")
