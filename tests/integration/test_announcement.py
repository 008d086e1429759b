"""A run says where it goes and what came of it, to a person who watches and to nobody else."""

import io
import re
import shlex
import subprocess
import sys

import nbformat
import pytest
from nbclient import NotebookClient

import otel_experiments as ox
from otel_experiments.record.run import announcement

COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]


class Terminal(io.StringIO):
    """Text that somebody reads as it is written."""

    def isatty(self):
        """Tell that a person reads it."""
        return True


class Broken(Terminal):
    """A terminal that is gone."""

    def write(self, text):
        """Fail."""
        raise BrokenPipeError(text)


def watch(monkeypatch, stream=None):
    """Return standard error as a terminal, in a process that has announced nothing; pytest has its own during set-up."""
    monkeypatch.setattr(announcement._Spoken, "count", 0)
    terminal = Terminal() if stream is None else stream
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


@pytest.fixture
def recorder(tmp_path):
    """Records into a file of the test's own."""
    with ox.Recorder(store=tmp_path / "runs here.db", system_metrics_s=0, otlp=False) as found:
        yield found


def test_a_run_says_where_it_is_recorded_and_the_command_that_shows_it(recorder, monkeypatch):
    """The command that is printed can be pasted into a shell, and shows the run."""
    screen = watch(monkeypatch)
    with recorder.start_run("baseline") as run:
        run.log({"loss": 0.5})
        first, second = screen.getvalue().splitlines()

    assert first == f"otel-experiments: run 'baseline' is recorded in {recorder.settings.store}"
    command = second.removeprefix("otel-experiments: look at it: ")
    assert command == f"otel-experiments show {run.id[:8]} --store {shlex.quote(recorder.settings.store)}"
    recorder.shutdown()
    shown = subprocess.run(
        [*COMMAND, *shlex.split(command)[1:]],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "baseline" in shown.stdout


def test_a_store_that_every_command_looks_into_is_not_named_again(tmp_path, monkeypatch):
    """Where the store is the one that commands take by default, the command is short."""
    screen = watch(monkeypatch)
    monkeypatch.setenv("OTEL_EXPERIMENTS_STORE", str(tmp_path / "mine.db"))
    with ox.Recorder(system_metrics_s=0) as recorder, recorder.start_run("baseline") as run:
        pass

    assert f"look at it: otel-experiments show {run.id[:8]}\n" in screen.getvalue()


def test_the_end_says_state_duration_metrics_and_losses(recorder, monkeypatch):
    """Four metrics with their last values, how many more there are, and how much was not recorded as given."""
    screen = watch(monkeypatch)
    with recorder.start_run("baseline") as run:
        run.log({name: index / 3 for index, name in enumerate("abcdef")})
        run.log_metric("a", "three")

    last = screen.getvalue().splitlines()[-1]

    assert re.fullmatch(
        r"otel-experiments: run 'baseline' succeeded after \d+\.\d s: a 0, b 0\.3333, c 0\.6667, d 1 and 2 more; "
        r"1 not recorded as given",
        last,
    ), last


def test_a_failed_run_says_so(recorder, monkeypatch):
    """The state at the end is the run's."""
    screen = watch(monkeypatch)
    with pytest.raises(ZeroDivisionError), recorder.start_run("baseline"):
        _ = 1 / 0

    assert "run 'baseline' failed after" in screen.getvalue()


def test_only_the_first_runs_of_a_process_speak(recorder, monkeypatch):
    """After five runs one line says that the others are not announced; a sweep does not bury its own output."""
    screen = watch(monkeypatch)
    for _ in range(8):
        recorder.start_run("baseline").finish()

    lines = screen.getvalue().splitlines()
    assert len(lines) == 5 * 3 + 1
    assert lines[-1] == "otel-experiments: further runs of this process are recorded and not announced"


def test_a_run_inside_another_is_not_announced(recorder, monkeypatch):
    """A child run belongs to what was announced."""
    screen = watch(monkeypatch)
    with recorder.start_run("outer"), recorder.start_run("inner"):
        pass

    assert "outer" in screen.getvalue()
    assert "inner" not in screen.getvalue()


def test_a_resumed_run_names_its_attempt(recorder, monkeypatch):
    """Who goes on with a run sees which attempt it is."""
    screen = watch(monkeypatch)
    with recorder.start_run("baseline") as run:
        pass
    recorder.start_run(resume=run.id).finish()

    assert "run 'baseline', attempt 2 is recorded" in screen.getvalue()


def test_a_name_cannot_drive_the_terminal(recorder, monkeypatch):
    """Control characters of a name are written as escapes."""
    screen = watch(monkeypatch)
    recorder.start_run("a\x1b[2J\nb").finish()

    assert "\x1b" not in screen.getvalue()
    assert all(line.startswith("otel-experiments: ") for line in screen.getvalue().splitlines())


@pytest.mark.parametrize("by", ["setting", "variable"])
def test_quiet_says_nothing(tmp_path, monkeypatch, by):
    """The setting and its variable turn all of it off."""
    screen = watch(monkeypatch)
    if by == "variable":
        monkeypatch.setenv("OTEL_EXPERIMENTS_QUIET", "1")
    settings = {"quiet": True} if by == "setting" else {}
    with ox.Recorder(store=tmp_path / "x.db", system_metrics_s=0, **settings) as recorder:
        recorder.start_run("baseline").finish()

    assert screen.getvalue() == ""


@pytest.mark.parametrize("stream", [io.StringIO(), None, Broken()], ids=["no terminal", "none", "broken"])
def test_without_a_reader_nothing_is_said_and_nothing_happens(recorder, monkeypatch, stream):
    """A file, no standard error at all, or one that is gone: the run goes on."""
    screen = watch(monkeypatch)
    monkeypatch.setattr(sys, "stderr", stream)
    with recorder.start_run("baseline") as run:
        run.log({"loss": 1.0})

    assert run.state is ox.RunState.SUCCEEDED
    assert stream is None or stream.getvalue() == ""
    assert screen.getvalue() == ""


def test_a_store_in_memory_has_no_command(monkeypatch):
    """What no other process can read is not offered to one."""
    screen = watch(monkeypatch)
    with ox.Recorder(store="memory://", system_metrics_s=0) as recorder:
        recorder.start_run("baseline").finish()

    assert "is recorded in memory://" in screen.getvalue()
    assert "look at it" not in screen.getvalue()


def test_runs_that_are_only_sent_say_that(monkeypatch):
    """With store='none' and no endpoint nothing is kept, and the line says so."""
    screen = watch(monkeypatch)
    with ox.Recorder(store="none", otlp=False, system_metrics_s=0) as recorder:
        recorder.start_run("baseline").finish()

    assert "is recorded nowhere (store='none')" in screen.getvalue()


def test_long_runs_are_told_in_hours_and_minutes():
    """Durations are in the unit in which a person thinks of them."""
    assert [announcement._seconds(value) for value in (0.04, 59.4, 61, 3599, 7384)] == [
        "0.0 s",
        "59.4 s",
        "1 min 1 s",
        "59 min 59 s",
        "2 h 3 min",
    ]


def test_a_notebook_shows_it_as_output_and_not_as_an_error(tmp_path):
    """Notebooks print standard error in red, as if something were wrong."""
    source = "import otel_experiments as ox\nwith ox.start_run('in a cell', experiment='x') as run:\n    run.log({'a': 1})"
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    # A kernel that does not answer is ended after two minutes, rather than waited for.
    NotebookClient(
        made, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    outputs = made.cells[0].outputs
    assert {output.name for output in outputs} == {"stdout"}
    text = "".join(output.text for output in outputs)
    assert "otel-experiments: run 'in a cell' is recorded in experiments.db" in text
    assert "otel-experiments: run 'in a cell' succeeded after" in text
