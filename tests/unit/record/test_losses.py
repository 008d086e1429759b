"""What is not recorded as it was given: told once for each name, counted in the process and with the run."""

import multiprocessing
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest

import otel_experiments as ox
from otel_experiments.errors import RecordingError
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.guard import MAX_NAMES_TOLD, Guard
from otel_experiments.semconv.events import ML_RUN_START, ML_RUN_STATE, ML_TELEMETRY_LOSS


def counted(run):
    """Return the counts by kind and name that are stored with the run."""
    for event in run.events(ML_TELEMETRY_LOSS.name):
        assert event.attributes.keys() <= set(ML_TELEMETRY_LOSS.attributes)
    assert run.lost_count == sum(loss.count for loss in run.losses)
    return {(loss.kind, loss.name): loss.count for loss in run.losses}


def test_a_loss_is_told_once_for_each_name(forgiving, caplog):
    """A second metric that loses its values is not hidden by the first one."""
    with ox.start_run("r") as run:
        run.log({"note": "warm"})
        for step in range(100):
            run.log({"loss": 1.0, "grads": [1, 2, 3]}, step=step)

    told = [record.getMessage() for record in caplog.records]
    assert [text.split(" is not")[0] for text in told] == [
        "The value of metric 'note'",
        "The value of metric 'grads'",
    ]
    assert counted(ox.run("r")) == {("metric value", "note"): 1, ("metric value", "grads"): 100}


@pytest.mark.parametrize("name", ["", "  ", None, 7])
def test_an_event_without_a_name_is_refused_and_counted(forgiving, caplog, name):
    """`emit` with an empty name, or with what is no text, records nothing, warns once, and the run counts each call."""
    with ox.start_run("r") as run:
        run.emit(name, {"a": 1})
        run.emit(name, {"a": 2})
        run.emit("known", {"a": 3})

    (text,) = [record.getMessage() for record in caplog.records]
    assert text.startswith(f"The event name {str(name)!r} cannot be used: it is ")
    assert "\n  " in text
    (((kind, _), count),) = counted(ox.run("r")).items()
    assert (kind, count) == ("name", 2)
    with ox.open_reader() as reader:
        names = [one.event_name for one in reader.store.log_records(run_id=run.id)]
    assert set(names) == {"known", ML_RUN_START.name, ML_RUN_STATE.name, ML_TELEMETRY_LOSS.name}


def test_an_event_with_a_name_that_is_too_long_is_kept_under_a_shorter_one():
    """A name beyond the limit of names is cut as other names are, and what the event holds is kept."""
    with ox.start_run("r") as run:
        run.emit("e" * 5000, {"a": 1})

    with ox.open_reader() as reader:
        records = reader.store.log_records(run_id=run.id)
    (event,) = [one for one in records if one.event_name not in {ML_RUN_START.name, ML_RUN_STATE.name}]
    assert re.fullmatch("e+~[0-9a-f]{8}", event.event_name)
    assert event.body == {"a": 1}


def test_names_without_end_are_counted_together(forgiving, caplog):
    """Neither the log nor the run grows with the number of names."""
    with ox.start_run("r") as run:
        for i in range(1000):
            run.log({f"image{i}": "no number", "loss": 1.0})

    assert len(caplog.records) == MAX_NAMES_TOLD + 1
    assert caplog.records[-1].getMessage().startswith(f"More than {MAX_NAMES_TOLD} names")
    found = counted(ox.run("r"))
    assert sum(found.values()) == 1000
    assert len(found) <= 301


def test_the_end_of_the_process_sums_up_what_was_lost(forgiving, caplog):
    """Who reads only the last line of the log knows how much is missing, and of what."""
    with ox.start_run("r") as run:
        run.log({"note": "warm", "grads": [1]})
        run.log({"grads": [1]})
        run.log({"loss": 1.0}, step="five")
    caplog.clear()
    ox.shutdown()

    assert [record.getMessage() for record in caplog.records] == [
        (
            "Not everything was recorded as it was given: metric value 3 ('grads', 'note'), metric step 1. "
            "`otel-experiments show RUN` lists them for each run."
        )
    ]


def test_a_process_that_lost_nothing_says_nothing_at_its_end(forgiving, caplog):
    """A line that always comes is read by nobody."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    assert caplog.records == []


def test_losses_belong_to_the_run_that_had_them(forgiving):
    """Two runs of one process have each their own counts, after their end too."""
    with ox.start_run("one") as one, ox.start_run("two") as two:
        one.log({"a": "text"})
        two.log({"b": "text"})
    two.log({"loss": 1.0})
    ox.shutdown()

    from otel_experiments._opening import open_reader

    reader = open_reader("experiments.db")
    assert counted(reader.run("one")) == {("metric value", "a"): 1}
    assert counted(reader.run("two")) == {("metric value", "b"): 1, ("point after the end", ""): 1}


def test_a_killed_run_shows_what_it_had_lost(tmp_path):
    """The counts do not wait for an end that never comes."""
    body = """
import os, signal
import otel_experiments as ox

run = ox.start_run("killed")
for step in range(10_000):
    run.log({"loss": 1.0, "grads": [1]}, step=step)
os.kill(os.getpid(), signal.SIGKILL)
"""
    store = tmp_path / "x.db"
    process = subprocess.run(
        [sys.executable, "-c", body],
        env={**os.environ, "OTEL_EXPERIMENTS_STORE": str(store)},
        check=False,
        timeout=120,
        capture_output=True,
    )

    from otel_experiments._opening import open_reader

    assert process.returncode == -signal.SIGKILL
    run = open_reader(store).run("killed")
    assert len(run.metrics["loss"].points()) == 10_000
    assert 10_000 * 7 / 8 <= counted(run)["metric value", "grads"] <= 10_000


def test_forked_children_add_to_the_losses_of_their_run(forgiving):
    """What a worker loses is missing from the run, whoever lost it."""
    with ox.start_run("r") as run:
        run.log({"note": "parent"})
        for _ in range(3):
            child = os.fork()
            if child == 0:
                for _ in range(4):
                    run.log({"note": "child", "loss": 1.0})
                os._exit(0)
            os.waitpid(child, 0)

    assert counted(ox.run("r")) == {("metric value", "note"): 13}


def lose_many(run, count):
    """Lose values in a worker."""
    for _ in range(count):
        run.log({"note": "child", "loss": 1.0})


@pytest.mark.parametrize("count", [4, 1000])
def test_workers_of_multiprocessing_count_to_the_last(forgiving, count):
    """A worker ends without the usual exit; its last counts are written all the same."""
    context = multiprocessing.get_context("fork")
    with ox.start_run("r") as run:
        workers = [context.Process(target=lose_many, args=(run, count)) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert counted(ox.run("r")) == {("metric value", "note"): 3 * count}


def test_a_process_that_joins_a_run_adds_to_its_losses(forgiving, tmp_path):
    """What a spawned worker or another rank could not record is counted with the run they share."""
    body = "import otel_experiments as ox\nwith ox.join_run() as run:\n    run.log({'note': 'x'})\n    run.log({'other': 'x'})\n"
    with ox.start_run("r") as run:
        run.log({"note": "x"})
        subprocess.run(
            [sys.executable, "-c", body],
            env={**os.environ, **run.environment()},
            check=True,
            timeout=120,
            capture_output=True,
        )

    assert counted(ox.run("r")) == {("metric value", "note"): 2, ("metric value", "other"): 1}


def test_losses_add_up_over_attempts(forgiving):
    """A run that goes on keeps what its first attempt lost."""
    with ox.start_run("r") as run:
        run.log({"note": "first"})
    with ox.start_run(resume=run.id) as again:
        again.log({"note": "second"})

    assert counted(ox.run("r")) == {("metric value", "note"): 2}


def test_the_store_has_a_count_that_the_full_disk_kept_waiting(forgiving):
    """A count that no disk takes is written when there is room again."""
    with ox.start_run("r") as run:
        segment, roll = forgiving.journal.segment, forgiving.journal.roll
        limit, segment.limit = segment.limit, 0
        forgiving.journal.roll = lambda *_: False
        run.log({"note": "lost"})
        segment.limit, forgiving.journal.roll = limit, roll

    assert counted(ox.run("r"))["metric value", "note"] == 1


HOLDS_ITSELF = []
HOLDS_ITSELF.append(HOLDS_ITSELF)


def attributes_of(run, count, name="a{}"):
    """Open and end a span with so many attributes."""
    with run.trace("full", **{name.format(i): i for i in range(count)}):
        pass


def refused(run, record):
    """Record something while no disk takes it."""
    journal = active_runs[run.id].pipeline.journal
    segment, roll = journal.segment, journal.roll
    limit, segment.limit = segment.limit, 0
    journal.roll = lambda *_: False
    try:
        record()
    finally:
        segment.limit, journal.roll = limit, roll


LOSSES = {
    "metric value": lambda run: run.log({"loss": "text"}),
    "metric values": lambda run: run.log([1]),
    "metric step": lambda run: run.log({"loss": 1.0}, step="x"),
    "metric name": lambda run: run.log({"": 1.0}),
    "metric name pair": lambda run: run.log_metric([1], 1.0),
    "phase": lambda run: run.log({"loss": 1.0}, phase=3),
    "metric direction": lambda run: run.define_metric("loss", direction="up"),
    "name": lambda run: run.log_params({"": 1}),
    "tag": lambda run: run.set_tags({None: 1}),
    "epoch twice": lambda run: run.log({"epoch": 1}, epoch=2),
    "nested twice": lambda run: run.log({"a.b": 1, "a": {"b": 2}}),
    "checkpoint path": lambda run: run.checkpoint("best").wrote(None),
    "after the end": lambda run: (run.finish(), run.log({"loss": 1.0})),
    "params": lambda run: run.log_params(3),
    "tags": lambda run: run.set_tags(None),
    "no tag names": lambda run: run.set_tags({"": 1}),
    "metric definition": lambda run: run.define_metric(""),
    "text cut": lambda run: run.log_params({"a": "x" * 200_000}),
    "tag cut": lambda run: run.set_tags({"a": "x" * 200_000}),
    "text changed": lambda run: run.log_params({"a": "a\0b"}),
    "tag changed": lambda run: run.set_tag("a", "a\udce9"),
    "reason cut": lambda run: run.fail("x" * 20_000),
    "param twice": lambda run: run.log_params({"a.b": 1, "a": {"b": 2}}),
    "range": lambda run: run.log_params({"a": range(10**8)}),
    "array": lambda run: run.log_params({"a": np.zeros(5000)}),
    "param of itself": lambda run: run.log_params({"a": HOLDS_ITSELF}),
    "large attribute": lambda run: run.stage("s", a=np.zeros(5000)),
    "large attribute set": lambda run: run.stage("s").set_attribute("a", np.zeros(5000)),
    "large event": lambda run: run.emit("e", body={"a": np.zeros(5000)}),
    "lazy event": lambda run: run.emit("e", body=[range(10**8)]),
    "large event attribute": lambda run: run.emit("e", attributes={"a": range(10**8)}),
    "event attributes": lambda run: run.emit("e", attributes={f"a{i}": i for i in range(1030)}),
    "nameless event attribute": lambda run: run.emit("e", attributes={"": 1}),
    "unknown argument": lambda run: run.log({"loss": 1.0}, stpe=3),
    "unknown argument of finish": lambda run: run.finish(exitcode=3),
    "amount": lambda run: run.count(samples=2**70),
    "negative amount": lambda run: run.count(tokens=-1),
    "amount of text": lambda run: run.count(tokens="many"),
    "span attributes": lambda run: attributes_of(run, 2000),
    "nameless attribute": lambda run: attributes_of(run, 1, name=""),
    "complex": lambda run: run.log({"loss": np.complex128(1j)}),
    "unhashable phase": lambda run: run.log({"loss": 1.0}, phase=[]),
    "journal full": lambda run: refused(run, lambda: run.log({"loss": 1.0})),
    "params without room": lambda run: refused(run, lambda: run.log_params({"a": 1})),
    "tags without room": lambda run: refused(run, lambda: run.set_tag("a")),
    "event without room": lambda run: refused(run, lambda: run.emit("e")),
    "definition without room": lambda run: refused(run, lambda: run.define_metric("loss", direction="min")),
    "span without room": lambda run: refused(run, lambda: run.tracer.start_span("s").end()),
}


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_every_loss_is_raised_where_it_is_asked_for(recording, lose):
    """In tests, `on_error="raise"` shows each of them as an exception in the line that is wrong."""
    run = ox.start_run("r")
    with pytest.raises((RecordingError, TypeError, ValueError)):
        lose(run)


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_no_loss_is_raised_where_it_is_not_asked_for(forgiving, caplog, lose):
    """Each of them is counted and told instead."""
    lose(ox.start_run("r"))

    ours = [record for record in caplog.records if record.name == "otel_experiments"]
    assert sum(forgiving.guard.losses.values()) >= 1
    assert len(ours) == 1
    assert ox.run("r").lost_count == sum(forgiving.guard.losses.values())


def test_what_a_thread_of_ours_lost_is_raised_to_the_next_who_asks(tmp_path):
    """Nobody could catch it there, and the thread goes on; `flush()`, `finish()` and `shutdown()` raise it."""
    import threading

    guard = Guard(raises=True)

    def work():
        with guard:
            raise KeyError("inside")
        guard.lost("otlp spans", "3 spans are not sent", count=3)

    thread = threading.Thread(target=work, name="otel-experiments-drain")
    thread.start()
    thread.join()

    assert guard.losses == {"internal:KeyError": 1, "otlp spans": 3}
    with pytest.raises(KeyError, match="inside"):
        guard.raise_later()
    guard.raise_later()
