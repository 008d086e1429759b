"""What comes while a run is paused, and after its end: nothing is recorded, everything is counted by its kind."""

import logging

import pytest
from opentelemetry.sdk.trace import TracerProvider

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.errors import NoActiveRunError
from otel_experiments.query import Reader
from otel_experiments.record.spans.adoption import AdoptingSpanProcessor
from otel_experiments.semconv.events import ML_RUN_STATE, ML_TELEMETRY_LOSS

OWN = {ML_RUN_STATE.name, ML_TELEMETRY_LOSS.name}
"""Events that the run records by itself while it takes nothing."""

late = ox.trace(lambda: None, name="late")


@ox.stage(name="late")
async def late_async():
    """Do nothing."""


@ox.trace(name="late")
def late_generator():
    """Yield once."""
    yield 1


class LateCallable:
    """What is called without being a function."""

    def __call__(self):
        """Do nothing."""


def run_coroutine(coroutine):
    """Run a coroutine that waits for nothing."""
    with pytest.raises(StopIteration):
        coroutine.send(None)


def enter(scope):
    """Open a scope and leave it."""
    with scope:
        pass


class Raising(dict):
    """A mapping that cannot say how long it is."""

    def __len__(self):
        raise RuntimeError("no length")


WAYS = {
    # what is done with a run: the kind that is counted, how many
    "log": (lambda run: run.log({"late": 1.0, "later": 2.0}, step=99), "point", 2),
    "log odd": (lambda run: run.log(Raising(late=1)), "point", 1),
    "log_metric": (lambda run: run.log_metric("late", 1.0), "point", 1),
    "log_metric_at": (lambda run: run.log_metric_at("late", 3, 1.0), "point", 1),
    "emit": (lambda run: run.emit("late"), "event", 1),
    "logger event": (lambda run: run.logger.emit(event_name="late"), "event", 1),
    "logger": (lambda run: run.logger.emit(body="late"), "log record", 1),
    "log_params": (lambda run: run.log_params({"late": {"a": 1, "b": 2}}), "param", 2),
    "log_param": (lambda run: run.log_param("late", 1), "param", 1),
    "config": (lambda run: setattr(run.config, "late", 1), "param", 1),
    "set_tag": (lambda run: run.set_tag("late"), "tag", 1),
    "set_tags": (lambda run: run.set_tags(["late", "later"]), "tag", 2),
    "define_metric": (lambda run: run.define_metric("late", direction="min"), "metric definition", 1),
    "count": (lambda run: run.count(samples=3), "count of samples or tokens", 1),
    "log_artifact": (lambda run: run.log_artifact(b"late", "late"), "artifact", 1),
    "log_artifact without waiting": (
        lambda run: run.log_artifact(b"late", "late", wait=False).result(),
        "artifact",
        1,
    ),
    "log_artifacts": (lambda run: run.log_artifacts("."), "artifact", 1),
    "set_alias": (lambda run: run.set_alias("kept", "late"), "artifact alias", 1),
    "use_artifact": (lambda run: run.use_artifact("kept"), "artifact use", 1),
    "stage": (lambda run: enter(run.stage("late")), "span", 1),
    "epoch": (lambda run: enter(run.epoch(1)), "span", 1),
    "epochs": (lambda run: list(run.epochs(3)), "span", 3),
    "step": (lambda run: enter(run.step(1)), "span", 1),
    "steps": (lambda run: list(run.steps(3, spans=True)), "span", 3),
    "batch": (lambda run: enter(run.batch(1)), "span", 1),
    "evaluation": (lambda run: enter(run.evaluation("late")), "span", 1),
    "checkpoint": (lambda run: enter(run.checkpoint("late")), "span", 1),
    "inference": (lambda run: enter(run.inference("late")), "span", 1),
    "trace": (lambda run: enter(run.trace("late")), "span", 1),
    "tracer": (lambda run: run.tracer.start_span("late").end(), "span", 1),
    "tracer as current": (lambda run: enter(run.tracer.start_as_current_span("late")), "span", 1),
    "decorator": (lambda run: late(), "span", 1),
    "decorated coroutine": (lambda run: run_coroutine(late_async()), "span", 1),
    "decorated generator": (lambda run: list(late_generator()), "span", 1),
    "decorated callable": (lambda run: ox.trace(LateCallable(), name="late")(), "span", 1),
}


def content(name):
    """Return everything that is stored of a run, but for its state."""
    reader = Reader(active_store())
    run = reader.run(name)
    return {
        "spans": [(span.name, span.status) for span in run.spans if not span.name.startswith("run")],
        "params": run.params.flat,
        "tags": run.tags,
        "points": {name: series.count for name, series in run.metrics.items()},
        "records": [
            row for row in reader.sql("select event_name, body from log_records").rows if row[0] not in OWN
        ],
        "definitions": reader.sql("select pattern from metric_definitions").rows,
        "instruments": reader.sql("select name from instrument_points").rows,
        "artifacts": [(one.name, one.digest, one.aliases) for one in run.artifacts.all()],
        "uses": [one.name for one in run.used_artifacts],
    }


@pytest.mark.parametrize("gate", ["paused", "ended"])
@pytest.mark.parametrize("way", WAYS)
def test_what_comes_while_nothing_is_taken_is_counted_by_kind(way, gate, forgiving, caplog):
    """Every way to record leaves nothing in a paused or ended run; it is counted by kind, and told once."""
    caplog.set_level(logging.INFO, logger="otel_experiments")
    record, kind, count = WAYS[way]
    with ox.start_run("r", config={"lr": 0.1}) as run:
        run.log({"loss": 1.0}, step=0)
        run.log_artifact(b"kept", "kept")
        before = content("r")
        run.pause() if gate == "paused" else run.finish()
        record(run)
        record(run)
        if gate == "paused":
            run.resume()

    assert content("r") == before
    assert run.refused == {kind: 2 * count}
    assert run.refused_count == 2 * count
    assert run.flush().lost == ({} if gate == "paused" else {f"{kind} after the end": 2 * count})
    (told,) = [record.getMessage() for record in caplog.records if record.name == "otel_experiments"]
    assert f": {'an' if kind[0] in 'ae' else 'a'} {kind} came " in told
    stored = ox.run("r")
    assert stored.record.paused_dropped_count == (2 * count if gate == "paused" else 0)
    assert [(loss.kind, loss.count) for loss in stored.losses] == [*run.flush().lost.items()]


def test_after_the_pause_everything_is_recorded_again(recording, read):
    """`resume` opens every way that `pause` has closed."""
    with ox.start_run("r") as run:
        run.log_artifact(b"kept", "kept")
        run.pause()
        run.resume()
        for record, _, _ in WAYS.values():
            record(run) if record is not WAYS["log odd"][0] else None

    stored = read("r")
    assert run.refused == {}
    assert stored.metrics["late"].count >= 3
    assert (stored.params.flat["late.a"], stored.tags["late"]) == (1, "")
    assert len([span for span in stored.spans if not span.name.startswith("run")]) == 20


@pytest.mark.parametrize("gate", ["pause", "finish"])
def test_spans_that_are_open_may_end(gate, recording, read):
    """A stage that was opened before is stored with its end and its attributes; so is the run's own tracer's span."""
    with ox.start_run("r") as run:
        stage, span = run.stage("open"), run.tracer.start_span("also open")
        with stage:
            getattr(run, gate)()
            stage.set_attribute("code.line.number", 7)
        span.end()

    ended = {span.name: span for span in read("r").spans if span.end_ns is not None}
    assert {"stage open", "also open"} <= ended.keys()
    assert ended["stage open"].attributes["code.line.number"] == 7
    assert run.refused == {}


@pytest.mark.parametrize("gate", ["pause", "finish"])
def test_spans_of_the_application_are_refused_as_ours_are(gate, recording, read):
    """A span that a library opens through the application's provider belongs to a run only while it takes spans."""
    provider = TracerProvider()
    provider.add_span_processor(AdoptingSpanProcessor())
    with ox.start_run("r") as run:
        provider.get_tracer("library").start_span("before").end()
        getattr(run, gate)()
        provider.get_tracer("library").start_span("late").end()

    assert "before" in {span.name for span in read("r").spans}
    assert "late" not in {span.name for span in read("r").spans}


def test_what_a_paused_program_has_set_it_reads_back(recording, read):
    """`run.config` keeps what was set in a pause, so that the program works on; the store does not have it."""
    with ox.start_run("r") as run:
        run.pause()
        run.config.lr = 0.5
        run.resume()
        assert run.config.lr == 0.5

    assert read("r").params.flat == {}


def test_what_comes_after_the_end_of_an_init_run_belongs_to_no_run(configure, tmp_path):
    """After `run = ox.init()` and `run.finish()` a decorated function is outside of every run, and nothing is lost."""
    process = configure()

    @ox.trace
    def predict():
        return 7

    run = ox.init(project="p")
    run.finish()

    assert predict() == 7
    with pytest.raises(NoActiveRunError):
        ox.current_run()
    assert process.guard.losses == {}


def test_init_inside_of_a_block_leaves_the_outer_run_alone(configure, tmp_path):
    """`ox.init()` in a `with` block makes a run of its own; the outer one goes on and ends with its block."""
    process = configure()
    with ox.start_run("outer") as outer:
        inner = ox.init(name="inner")
        ox.log({"loss": 1.0})
        ox.finish()
        with outer.stage("later"):
            ox.log({"loss": 2.0})

    assert (str(inner.state), str(outer.state)) == ("succeeded", "succeeded")
    assert process.guard.losses == {}
