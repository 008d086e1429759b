"""A run from its start to its end: states, reasons, names, resume."""

import asyncio
import contextvars
import itertools
import re
import signal
import threading

import pytest
from opentelemetry import context as context_api

import otel_experiments as ox
from otel_experiments.errors import (
    ConfigurationError,
    IllegalTransitionError,
    InvalidNameError,
    NoActiveRunError,
    RunNotFoundError,
)
from otel_experiments.model.run import LEGAL_TRANSITIONS, RunState, check_transition
from otel_experiments.record.base.current import active_runs, ended_inside
from otel_experiments.record.run.parts import parts_of
from otel_experiments.record.run.run import make_current
from otel_experiments.semconv import attributes as attr


def test_a_body_that_ends_makes_a_succeeded_run(recording, read):
    """Leaving `with` without an exception means succeeded, and the trace id is the run id."""
    with ox.start_run("fine", experiment="e") as run:
        assert run.state == "running"

    stored = read("fine")
    assert (stored.state, stored.reason, stored.experiment) == (RunState.SUCCEEDED, "", "e")
    assert {span.trace_id for span in stored.spans} == {stored.id}


def test_an_exception_fails_the_run_and_passes_through_untouched(recording, read):
    """The run is failed with type and text; the caller gets the same exception object."""
    error = ZeroDivisionError("by zero")

    with pytest.raises(ZeroDivisionError) as caught, ox.start_run("bad"):
        raise error

    stored = read("bad")
    (root,) = stored.spans
    assert caught.value is error
    assert (stored.state, stored.reason, stored.record.error_type) == (
        "failed",
        "by zero",
        "ZeroDivisionError",
    )
    assert root.attributes["error.type"] == "ZeroDivisionError"
    assert "by zero" in root.events[0].attributes["exception.stacktrace"]


class DivergedError(Exception):
    """An error of the user's own."""


def test_the_row_of_a_failed_run_names_the_error_as_its_span_does(recording, read):
    """`error_type` of a run and `error.type` of its span are one name, with the module, however the run has failed."""
    with pytest.raises(DivergedError), ox.start_run("body"):
        raise DivergedError("nan")
    ox.start_run("fail").fail(DivergedError("nan"))
    with pytest.raises(asyncio.CancelledError), ox.start_run("task"):
        raise asyncio.CancelledError

    for name, kind in (
        ("body", f"{__name__}.DivergedError"),
        ("fail", f"{__name__}.DivergedError"),
        ("task", "asyncio.exceptions.CancelledError"),
    ):
        stored = read(name)
        assert (stored.record.error_type, stored.spans[0].attributes["error.type"]) == (kind, kind)


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (KeyboardInterrupt(), "cancelled", "KeyboardInterrupt"),
        (SystemExit(0), "succeeded", "sys.exit(0)"),
        (SystemExit(None), "succeeded", "sys.exit(0)"),
        (SystemExit(3), "failed", "sys.exit(3)"),
        (SystemExit("no data"), "failed", "sys.exit('no data')"),
    ],
    ids=["ctrl-c", "exit 0", "exit none", "exit 3", "exit text"],
)
def test_leaving_by_exit_or_interrupt_gives_the_right_state(recording, read, error, state, reason):
    """Ctrl-C cancels, sys.exit succeeds or fails by its code, and the reason says so."""
    with pytest.raises(type(error)), ox.start_run("left"):
        raise error

    stored = read("left")
    assert (stored.state, stored.reason) == (state, reason)


def test_the_run_span_has_its_cpu_time(recording, read):
    """The root span says what its thread computed, so that waiting is not taken for slow code; another thread's not."""
    with ox.start_run("busy"):
        spent = sum(range(2_000_000))
    run = ox.start_run("elsewhere")
    thread = threading.Thread(target=run.finish)
    thread.start()
    thread.join()

    assert spent
    (root,) = read("busy").spans
    assert 0 < root.attributes["ml.span.cpu_time"] <= root.duration_ns + 10_000_000
    (root,) = read("elsewhere").spans
    assert "ml.span.cpu_time" not in root.attributes


def test_finish_ends_a_run_once(recording, read):
    """The first finish counts; a later one changes nothing."""
    run = ox.start_run("object")
    run.finish("failed", reason="bad data")
    run.finish("succeeded")

    assert (read("object").state, read("object").reason) == ("failed", "bad data")


def test_a_run_cannot_be_finished_into_a_state_that_is_no_end(recording):
    """finish("running") names both states and changes nothing."""
    with (
        ox.start_run() as run,
        pytest.raises(IllegalTransitionError, match=r"'running' and cannot become 'paused'"),
    ):
        run.finish("paused")


def test_resuming_a_run_that_is_not_paused_is_refused(recording):
    """resume() on a running run names both states."""
    with (
        ox.start_run() as run,
        pytest.raises(IllegalTransitionError, match="'running' and cannot become 'running'"),
    ):
        run.resume()


def test_a_pending_run_is_known_before_it_starts(recording, read):
    """A queued trial is in the store with its params; `with` starts it under the same id."""
    run = ox.start_run("queued", config={"lr": 0.1}, tags=["sweep"], pending=True)
    waiting = read("queued")
    assert (waiting.state, waiting.record.started_ns, waiting.params.flat) == ("pending", None, {"lr": 0.1})

    with run:
        run.log({"loss": 1.0})
        assert read("queued").state == "running"

    stored = read("queued")
    assert (stored.id, stored.state, stored.metrics["loss"].last) == (run.id, "succeeded", 1.0)
    assert stored.record.created_ns < stored.record.started_ns


def test_a_pending_run_can_be_cancelled_but_not_succeed(recording, read):
    """What never started cannot have done its work."""
    run = ox.start_run("queued", pending=True)

    with pytest.raises(IllegalTransitionError, match="'pending' and cannot become 'succeeded'"):
        run.finish()
    run.cancel("not needed")

    assert (read("queued").state, read("queued").reason) == ("cancelled", "not needed")


def test_a_run_is_started_once(recording):
    """A second start names both states."""
    with (
        ox.start_run() as run,
        pytest.raises(IllegalTransitionError, match="'running' and cannot become 'running'"),
    ):
        run.start()


@pytest.mark.parametrize("current", list(RunState))
@pytest.mark.parametrize("requested", list(RunState))
def test_only_legal_transitions_pass(current, requested):
    """A change of state passes exactly when the table has it and the run has not ended."""
    is_legal = requested in LEGAL_TRANSITIONS[current] and not current.is_terminal

    if is_legal:
        check_transition("f" * 32, current, requested)
    else:
        with pytest.raises(IllegalTransitionError) as caught:
            check_transition("f" * 32, current, requested)
        assert (caught.value.current, caught.value.requested) == (str(current), str(requested))


def test_a_run_without_a_name_gets_one(recording):
    """A made-up name reads adjective-noun-number."""
    with ox.start_run() as run:
        assert re.fullmatch(r"[a-z]+-[a-z]+-\d{3}", run.name)


@pytest.mark.parametrize("name", ["", "  ", 7], ids=["empty", "blank", "number"])
def test_a_name_that_is_none_is_refused_at_the_start(recording, name):
    """start_run says which name cannot be used, before any training."""
    with pytest.raises(InvalidNameError, match="run name"):
        ox.start_run(name)


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "a'b\"c; drop table runs", "emoji 🚀", "tab\there"],
    ids=["path", "quotes", "emoji", "tab"],
)
def test_a_strange_name_is_kept_as_it_is(recording, read, name):
    """No name is a path or a statement, so none needs changing."""
    with ox.start_run(name, experiment=name, tags={name: name}) as run:
        run.log({name: 1.0}, phase=name)

    stored = read(run.id)
    assert (stored.name, stored.experiment, stored.tags) == (name, name, {name: name})
    assert [(s.name, s.phase) for s in stored.metrics.all()] == [(name, name)]


def test_nul_and_length_are_tamed_in_names(recording, read):
    """NUL becomes U+FFFD and a hash; two names of 10 kB stay two, each below 1,001 bytes."""
    with ox.start_run("a\0b") as run:
        run.log({"x" * 10_000 + "1": 1.0, "x" * 10_000 + "2": 2.0})

    stored = read(run.id)
    assert stored.name.startswith("a\ufffdb~")
    names = list(stored.metrics)
    assert len(names) == 2
    assert all(len(name.encode()) <= 1000 for name in names)


def test_params_that_are_no_mapping_are_refused_at_the_start(recording):
    """config=3 says what was passed and what to pass."""
    with pytest.raises(ConfigurationError, match="not int"):
        ox.start_run(config=3)


def test_a_run_inside_a_run_knows_its_parent(recording, read):
    """The run that is current when another starts is its parent."""
    with ox.start_run("outer") as outer, ox.start_run("inner"):
        pass

    assert read("inner").record.parent_run_id == outer.id


def test_a_resumed_run_goes_on_in_its_next_attempt(recording, read):
    """resume= continues the same run id; automatic steps go on where they stopped."""
    with ox.start_run("again") as first:
        first.log({"loss": 3.0})
        first.log({"loss": 2.0})
    with ox.start_run(resume=first.id[:12], name="again") as second:
        second.log({"loss": 1.0})

    stored = read(first.id)
    assert (second.id, stored.state, stored.record.attempt) == (first.id, "succeeded", 2)
    assert list(stored.metrics["loss"].points().steps) == [0.0, 1.0, 2.0]


def test_a_resumed_run_stays_what_it_was(recording, read):
    """Name, experiment, params and the rest are kept unless they are given anew."""
    facts = {
        "experiment": "digits",
        "group": "sweep",
        "hypothesis": "h",
        "condition": "c",
        "description": "d",
    }
    with ox.start_run("first", config={"lr": 0.1, "epochs": 3}, tags=["a"], **facts) as first:
        pass
    with ox.start_run(resume=first.id, config={"epochs": 5}, description="longer") as second:
        assert (second.name, second.experiment, second.config.lr, second.config.epochs) == (
            "first", "digits", 0.1, 5,
        )  # fmt: skip

    stored = read("first")
    kept = {name: getattr(stored.record, name) for name in facts}
    assert kept == facts | {"description": "longer"}
    assert (stored.params.flat, stored.tags) == ({"lr": 0.1, "epochs": 5}, {"a": ""})
    assert [span.name for span in stored.spans] == ["run digits"] * 2


def test_resuming_what_is_not_there_is_an_error(recording):
    """An unknown id names the store."""
    with ox.start_run("one"), pytest.raises(RunNotFoundError, match="No run 'nope'"):
        ox.start_run(resume="nope")


def test_current_run_needs_one(recording):
    """Without a run the error says how to start one; with several it lists them."""
    with pytest.raises(NoActiveRunError, match="none is active"):
        ox.current_run()

    first, second = ox.start_run("first"), ox.start_run("second")
    with pytest.raises(NoActiveRunError, match="first, second"):
        ox.current_run()
    with first:
        assert ox.current_run() is first
    assert ox.current_run() is second


def test_a_thread_without_context_uses_the_only_active_run(recording):
    """A new thread has no context of its own; one active run is unambiguous."""
    found = []
    with ox.start_run() as run:
        thread = threading.Thread(target=lambda: found.append(ox.current_run()))
        thread.start()
        thread.join()

    assert found == [run]


def test_the_module_level_form_reads_like_other_trackers(recording, read):
    """init, log, log_params, set_tag and finish work on the current run."""
    ox.init("project", name="fluent", config={"lr": 0.1}, tags=["a"], notes="why")
    ox.log({"loss": 1.0})
    ox.log({"loss": 0.5}, step=10)
    ox.log_params({"extra": True})
    ox.set_tag("b", "c")
    ox.finish()

    stored = read("fluent")
    assert (stored.experiment, stored.note) == ("project", "why")
    assert (stored.params.flat, stored.tags) == ({"lr": 0.1, "extra": True}, {"a": "", "b": "c"})
    assert list(stored.metrics["loss"].points().steps) == [0.0, 10.0]
    with pytest.raises(NoActiveRunError):
        ox.log({"loss": 0.1})


def test_a_second_init_finishes_the_first(recording, read):
    """As in other trackers, there is one run at a time in this form."""
    ox.init(name="one")
    ox.init(name="two")
    ox.finish()

    assert [read(name).state for name in ("one", "two")] == ["succeeded", "succeeded"]


def test_switched_off_nothing_is_recorded_and_nothing_fails(configure, tmp_path):
    """enabled=False makes a no-op of every call and leaves no file."""
    configure(enabled=False)
    ox.init(name="off")
    ox.log({"loss": 1.0})
    with ox.start_run() as run, run.stage("load"):
        run.log({"a": 1.0})
    ox.finish()

    assert list(tmp_path.iterdir()) == []


def test_switched_off_the_current_run_is_found_and_its_config_read(configure, tmp_path):
    """A program that reads its config, its summary or its current run goes on where recording is off, and again after finish."""
    configure(enabled=False)
    for epochs in (3, 5):
        run = ox.init(project="p", config={"epochs": epochs, "optimizer": {"lr": 0.1}})
        assert ox.current_run() is ox.active_run() is run
        assert (ox.config.epochs, ox.config["optimizer"]["lr"]) == (epochs, 0.1)
        ox.config.update({"epochs": 7})
        ox.summary["best"] = 0.9
        assert (ox.config.epochs, run.config.epochs, ox.summary["best"]) == (7, 7, 0.9)
        ox.finish()
        assert run.state == "succeeded"
        assert ox.active_run() is None

    with ox.start_run("outer") as outer, ox.start_run("inner") as inner:
        assert ox.current_run() is inner
    ox.init(config={"lr": 1})
    ox.shutdown()
    assert outer.state == "succeeded"
    assert ox.active_run() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_by_mode", [False, True])
def test_switched_off_a_run_that_goes_on_is_a_new_one(configure, tmp_path, is_by_mode):
    """A program that resumes, forks or names a parent runs where recording is off: no run is looked for."""
    configure(enabled=is_by_mode, store=":memory:")
    if is_by_mode:
        ox.init(mode="disabled")
        ox.finish()
    for given in (
        {"resume": "long"}, {"resume": "long", "rewind_to": 3}, {"key": "job", "resume": "must"}, {"resume": True},
        {"fork_from": "base?step=3"}, {"parent": "sweep"},
    ):  # fmt: skip
        with ox.start_run("r", config={"lr": 1}, **given) as run:
            assert run.config.lr == 1
    ox.fork("base", 3).finish()
    ox.init(id="zz", resume="must", mode="disabled" if is_by_mode else None)
    ox.finish()
    assert list(tmp_path.iterdir()) == []


def test_the_sigterm_handler_is_the_users_own(configure):
    """A handler that the user has set stays; one that nobody has set is there only while we record."""
    before = signal.getsignal(signal.SIGTERM)
    configure()
    ox.shutdown()
    assert signal.getsignal(signal.SIGTERM) is before

    def mine(*_):
        """Do nothing."""

    signal.signal(signal.SIGTERM, mine)
    try:
        configure()
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"tags": 5}, "Tags are a mapping or a list of names, not int"),
        ({"group": 5}, "group=5 is of type int"),
        ({"hypothesis": ["a"]}, "hypothesis=\\['a'\\] is of type list"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
def test_arguments_of_a_wrong_type_are_refused_at_the_start(recording, wrong, text):
    """The error is ours and names the argument; no run is left behind."""
    with pytest.raises(ConfigurationError, match=text):
        ox.start_run("r", **wrong)

    assert ox.runs() == []


def test_a_direction_that_there_is_not_is_counted_and_the_metric_kept(forgiving, caplog):
    """`direction="up"` is told once; the metric is declared without one, and nothing else is lost."""
    with ox.start_run("r") as run:
        run.define_metric("acc", direction="up")
        run.log({"acc": 1.0})
        report = run.flush()

    assert report.lost == {"metric direction": 1}
    assert "has no direction 'up'" in caplog.text
    series = ox.run("r").metrics["acc"]
    assert (series.direction, series.last) == (None, 1.0)


def test_a_clock_that_goes_back_changes_no_order(configure):
    """A clock that is set back while a run is on makes times wrong, never its state, its params or its tags."""
    times = iter(range(10**18, 0, -(10**9)))
    configure(clock=lambda: next(times))
    with ox.start_run("r", config={"lr": 0.1}, tags={"stage": "draft"}) as run:
        run.log_params({"lr": 0.2})
        run.set_tag("stage", "final")
        run.pause()
        run.resume()

    stored = ox.run("r")
    assert (stored.state, stored.params.flat, stored.tags) == ("succeeded", {"lr": 0.2}, {"stage": "final"})


def test_spans_that_end_after_recording_are_told_as_such(forgiving, caplog):
    """A thread that works on while the process ends is not told that the disk is full."""
    run = ox.start_run("r")
    stage = run.stage("late")
    stage.__enter__()
    ox.shutdown()
    stage.__exit__(None, None, None)

    assert run.flush().lost == {"after the end": 1}
    assert [record.getMessage().partition(" (")[0] for record in caplog.records] == [
        "Spans are lost: recording has ended"
    ]


@pytest.mark.parametrize(
    ("has_block", "is_cut", "state"),
    [
        (True, True, "cancelled"),
        (True, False, "succeeded"),
        (False, True, "succeeded"),
        (False, False, "succeeded"),
    ],
)
def test_the_end_of_the_process_cancels_what_its_block_had_not_ended(
    recording, read, has_block, is_cut, state
):
    """A block that the end cuts off had more to do; a run without a block had whatever it has."""

    def record():
        run = ox.start_run("r")
        run = run.__enter__() if has_block else make_current(run)
        parts_of(active_runs[run.id]).life.end_unfinished("the process ended", is_cut=is_cut)

    contextvars.copy_context().run(record)

    assert read("r").state == state
    assert read("r").record.reason == (
        "the process ended before the run's block did" if state == "cancelled" else "the process ended"
    )
    ended_inside.clear()  # a process that ends has no more blocks


def test_a_run_that_stays_leaves_the_context_as_it_found_it(recording):
    """After its end the caller's context is the one of before, and nothing is remembered of the run."""
    before = context_api.get_current()
    run = make_current(ox.start_run("r"))
    inside = context_api.get_current()
    run.finish()

    assert inside is not before
    assert context_api.get_current() is before
    assert ended_inside == set()


def test_a_block_around_init_leaves_the_context_as_it_found_it(recording):
    """`with ox.init():` makes the run current once; after the block no ended run is left in which spans would go on."""
    before = context_api.get_current()

    with ox.init("p") as run, run.span("work"):
        pass

    assert context_api.get_current() is before
    with ox.init("p"):
        ox.finish()
    assert context_api.get_current() is before


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_runs_that_stay_end_in_any_order(recording, order):
    """After each end the newest run that goes on is current, and after the last end none: no span goes to an ended run."""
    before = context_api.get_current()
    runs = [ox.init("p", name=f"run {number}", reinit="create_new") for number in range(3)]
    for ended in order:
        runs[ended].finish()
        on = [run for run in runs if run.is_active]
        if runs[2] in on:  # in its context nothing changes
            assert ox.current_run() is runs[2]
        elif on:
            assert ox.current_run() is on[-1]

    assert context_api.get_current() is before
    assert ended_inside == set()


def test_a_run_that_stays_and_ends_inside_the_block_of_another_is_current_no_more(recording):
    """`init`, then a block, and the run of `init` ends in the block: after the block no run is current."""
    before = context_api.get_current()
    outer = ox.init("p")
    with ox.start_run("inner") as inner:
        outer.finish()
        assert ox.current_run() is inner

    assert context_api.get_current() is before


def test_a_run_that_stays_may_have_a_block_while_another_one_is_current(recording):
    """The block of the first run, made current again, gives back the second, and both leave nothing."""
    before = context_api.get_current()
    first = ox.init("p", name="first")
    second = ox.init("p", name="second", reinit="create_new")
    with first:
        assert ox.current_run() is first
    assert ox.current_run() is second
    second.finish()

    assert context_api.get_current() is before


def test_a_run_that_ended_in_a_span_of_its_own_is_current_no_more_after_its_block(recording):
    """The span's end brings back the run's context, and the block still ends that."""
    before = context_api.get_current()
    with ox.start_run("r") as run, run.span("work"):
        ox.finish()

    assert context_api.get_current() is before


def test_a_run_that_ended_in_a_thread_is_current_no_more_where_the_next_one_starts(recording):
    """Another thread cannot change the context of this one: the next run here, and its end, do."""
    before = context_api.get_current()
    first = ox.init("p")
    thread = threading.Thread(target=contextvars.copy_context().run, args=(first.finish,))
    thread.start()
    thread.join()
    with ox.start_run("next") as run:
        assert ox.current_run() is run

    assert context_api.get_current() is before


def test_a_run_that_stays_takes_away_no_context_of_others(recording):
    """What a library has attached since is not the run's to undo."""

    def record():
        run = make_current(ox.start_run("r"))
        context_api.attach(context_api.set_value("theirs", 1))
        theirs = context_api.get_current()
        run.finish()
        return context_api.get_current() is theirs

    assert contextvars.copy_context().run(record)
    assert ended_inside == set()


def test_a_run_that_was_finished_in_its_block_is_remembered_until_the_block_is_left(recording):
    """What comes in between is refused as coming after the end; afterwards it is any code without a run."""
    with ox.start_run("r") as run:
        run.finish()
        inside = set(ended_inside)

    assert inside == {run.id}
    assert ended_inside == set()


def test_a_nested_run_names_its_parent_wherever_its_telemetry_goes(configure):
    """The resource of the inner run has the outer run's id; the outer one's, and a lone run's, has none."""
    configure()
    with ox.start_run("outer") as outer, ox.start_run("inner") as inner:
        found = [
            run.otel_span.resource.attributes.get(attr.ML_RUN_PARENT_ID, "absent") for run in (outer, inner)
        ]

    assert found == ["absent", outer.id]
