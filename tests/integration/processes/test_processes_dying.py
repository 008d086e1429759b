"""Processes that die in every way: nothing that was recorded is lost, and the next reader sees the right state."""

import signal
import time

import pytest

BODY = """
setup()


def train(run):
    with run.stage("outer"):
        for epoch in range(3):
            with run.epoch(epoch):
                for step in range(200):
                    run.log({"loss": 1 / (epoch * 200 + step + 1)}, step=epoch * 200 + step)
            acknowledge("epoch", epoch)
        with run.epoch(3):
            run.log({"loss": 0.0}, step=600)
            acknowledge("ready")
            die()
"""

DEATHS = {
    # what the script does: exit status, state, reason, error type
    "os._exit(3)": (3, "lost", "", ""),
    "os.abort()": (-6, "lost", "", ""),
    "os.kill(os.getpid(), signal.SIGKILL)": (-9, "lost", "", ""),
    "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)": (-15, "cancelled", "SIGTERM", ""),
    "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)": (
        -2, "cancelled", "KeyboardInterrupt", "KeyboardInterrupt",
    ),
    "raise ValueError('loss is nan')": (1, "failed", "loss is nan", "ValueError"),
    "sys.exit(0)": (0, "succeeded", "sys.exit(0)", ""),
    "sys.exit(3)": (3, "failed", "sys.exit(3)", "SystemExit"),
    "sys.exit('no data')": (1, "failed", "sys.exit('no data')", "SystemExit"),
    "return": (0, "succeeded", "", ""),
}  # fmt: skip


def check_content(reader, run, *, ended):
    """Check all points and spans; `ended` are the names of the spans that had the time to end."""
    points = reader.store.points(run.id, reader.store.series([run.id])[run.id][0].key)
    assert list(points.steps) == [float(step) for step in range(601)]
    assert list(points.values) == [1 / (step + 1) for step in range(600)] + [0.0]
    rows = reader.sql("select name, end_ns is not null from spans order by start_ns").rows
    names = ["run default", "stage outer", "epoch", "epoch", "epoch", "epoch"]
    assert [name for name, _ in rows] == names
    assert [name for name, is_ended in rows if is_ended] == ended
    assert reader.notes == ()


@pytest.mark.parametrize("death", DEATHS)
def test_a_run_in_a_with_block_survives_the_end_of_its_process(death, script, read):
    """All points and ended spans are there after any end, open spans stay open, state and reason are right."""
    status, state, reason, error_type = DEATHS[death]
    body = BODY + f"\ndef die():\n    {death}\n\nwith ox.start_run('dying') as run:\n    train(run)\n"
    script(body).end(status)

    reader = read()
    run = reader.run("dying")
    assert (run.state, run.reason, run.error_type) == (state, reason, error_type)
    is_unwound = state != "lost" and reason != "SIGTERM"
    epochs = ["epoch"] * 3
    check_content(
        reader, run, ended=["run default", "stage outer", *epochs, "epoch"] if is_unwound else epochs
    )


ATEXIT = {
    "os._exit(3)": (3, "lost", ""),
    "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)": (-15, "cancelled", "SIGTERM"),
    "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)": (-2, "cancelled", "KeyboardInterrupt"),
    "raise ValueError('loss is nan')": (1, "failed", "loss is nan"),
    "return": (0, "succeeded", "the process ended"),
}


@pytest.mark.parametrize("death", ATEXIT)
def test_a_run_without_a_with_block_survives_the_end_of_its_process(death, script, read):
    """A run that `init` started and nobody finished gets the state that the end of its process gives it."""
    status, state, reason = ATEXIT[death]
    body = BODY + f"\ndef die():\n    {death}\n\nox.init(name='dying')\ntrain(ox.current_run())\n"
    script(body).end(status)

    run = read().run("dying")
    assert (run.state, run.reason) == (state, reason)
    assert run.metrics["loss"].count == 601


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGABRT], ids=lambda n: n.name)
def test_everything_acknowledged_before_a_signal_is_there(number, script, read):
    """A signal at any moment loses nothing of what `log` had returned for."""
    body = """
    setup()
    with ox.start_run("dying") as run:
        for step in range(10**9):
            run.log({"a": step / 3, "b": -step}, step=step)
            with run.trace(f"piece {step}"):
                pass
            acknowledge(step)
    """
    started = script(body)
    while int(started.line()) < 500:
        pass
    started.send(number)
    out, _ = started.end(-number)
    last = int(out.splitlines()[-1]) if out.strip() and out.endswith("\n") else 500

    reader = read()
    run = reader.run("dying")
    for series in reader.store.series([run.id])[run.id]:
        steps = list(reader.store.points(run.id, series.key).steps)
        assert steps == [float(step) for step in range(len(steps))]
        assert len(steps) in {last + 1, last + 2}
    pieces = {name for (name,) in reader.sql("select name from spans where end_ns is not null").rows}
    assert {f"piece {step}" for step in range(last + 1)} <= pieces
    assert run.state == ("cancelled" if number == signal.SIGTERM else "lost")


def test_a_handler_of_the_user_for_sigterm_stays_in_charge(script, read):
    """Where the user handles SIGTERM, that handler alone runs, and the run ends as its body ends."""
    body = """
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(7))
    setup()
    with ox.start_run("handled") as run:
        run.log({"loss": 1.0})
        acknowledge("ready")
        time.sleep(30)
    """
    started = script(body)
    started.line()
    started.send(signal.SIGTERM)
    started.end(7)

    run = read().run("handled")
    assert (run.state, run.reason) == ("failed", "sys.exit(7)")


GRACEFUL_STOPS = {
    # how the program leaves its work once its own handler has seen the signal: exit status, state, reason
    "sys.exit(0)": (0, "cancelled", "SIGTERM"),
    "raise Stopped": (0, "cancelled", "SIGTERM"),
    "sys.exit(4)": (4, "cancelled", "SIGTERM"),
    "raise RuntimeError('late')": (1, "failed", "late"),
    "pass": (0, "succeeded", ""),
}


@pytest.mark.parametrize("leaves", GRACEFUL_STOPS)
@pytest.mark.parametrize("calls_before_its_own", [True, False], ids=["calls first", "calls last"])
def test_a_handler_that_calls_the_one_it_found_stops_the_program_in_its_own_way(
    leaves, calls_before_its_own, script, read
):
    """A trainer that chains its SIGTERM handler saves its checkpoint and ends by itself, as without a run."""
    status, state, reason = GRACEFUL_STOPS[leaves]
    body = f"""
    setup()
    stopping = []

    class Stopped(SystemExit):
        pass

    def graceful(number, frame):
        if {calls_before_its_own}:
            found(number, frame)
        stopping.append(number)
        if not {calls_before_its_own}:
            found(number, frame)

    with ox.start_run("graceful") as run:
        found = signal.getsignal(signal.SIGTERM)
        assert callable(found), found
        signal.signal(signal.SIGTERM, graceful)
        run.log({{"loss": 1.0}}, step=0)
        step = 1
        acknowledge("ready")
        while not stopping:
            run.log({{"loss": 1.0}}, step=step)
            step += 1
        with run.checkpoint("last"):
            acknowledge("saved", step)
        {leaves}
    """
    started = script(body)
    started.line()
    started.send(signal.SIGTERM)
    out, _ = started.end(status)

    steps = int(out.split()[1])
    run = read().run("graceful")
    assert (run.state, run.reason) == (state, reason)
    assert run.metrics["loss"].count == steps
    assert [span.name for span in run.spans if "checkpoint" in span.name]


def test_an_interrupted_log_leaves_no_gap_that_holds_up_the_rest(script, read):
    """Ctrl-C in the middle of `log`, caught by the user, keeps neither that point's frame nor later ones waiting."""
    body = """
    setup()
    inside, interrupts = False, 0

    def interrupt(number, frame):
        if inside:
            raise KeyboardInterrupt

    signal.signal(signal.SIGALRM, interrupt)
    with ox.start_run("notebook") as run:
        step = 0
        signal.setitimer(signal.ITIMER_REAL, 0.0003, 0.0003)
        while interrupts < 300:
            try:
                inside = True
                while True:
                    run.log({"loss": float(step)}, step=step)
                    step += 1
            except KeyboardInterrupt:
                inside = False
                interrupts += 1
        signal.setitimer(signal.ITIMER_REAL, 0)
        run.log({"loss": float(step)}, step=step)
        report = run.flush()
        assert report.is_stored, report
        acknowledge(step)
    """
    started = script(body)
    out, _ = started.end()

    reader = read()
    run = reader.run("notebook")
    points = reader.store.points(run.id, reader.store.series([run.id])[run.id][0].key)
    # An interrupted call may or may not have recorded, so a step may be there twice; none may be missing.
    assert sorted(set(points.steps)) == [float(step) for step in range(int(out) + 1)]
    assert reader.notes == ()


def test_threads_that_outlive_the_main_thread_lose_nothing(script, read):
    """A thread that still works when the main program is through records to its end; a daemon's points stay too."""
    body = """
    setup()
    run = ox.start_run("threads")
    with run.stage("outer"):
        pass

    def linger():
        for step in range(500):
            run.log({"slow": step}, step=step)
            time.sleep(0.0005)

    def forever():
        for step in range(10**9):
            if run.is_active:
                run.log({"daemon": step}, step=step)
                if step == 50:
                    acknowledge("daemon")
            time.sleep(0.0005)

    threading.Thread(target=linger).start()
    threading.Thread(target=forever, daemon=True).start()
    """
    out, err = script(body).end()

    run = read().run("threads")
    assert out == "daemon\n"
    assert err == ""
    assert run.state == "succeeded"
    assert run.metrics["slow"].count == 500
    assert run.metrics["daemon"].count >= 51


def test_a_stopped_process_is_not_lost(script, read, until):
    """A run whose process is suspended runs on; killed, it is lost at the next look, without any repair."""
    body = """
    setup()
    with ox.start_run("stopped") as run:
        run.log({"loss": 1.0})
        assert run.flush(timeout_s=30.0).is_stored  # a process that is stopped inside a transaction keeps its lock
        acknowledge("ready")
        time.sleep(60)
    """
    started = script(body)
    started.line()
    started.send(signal.SIGSTOP)

    assert read().run("stopped").state == "running"
    assert read().run("stopped").metrics["loss"].count == 1

    started.send(signal.SIGKILL)
    started.end(-9)
    run = read().run("stopped")
    assert run.state == "lost"
    assert [r.name for r in read().runs('state == "lost"')] == ["stopped"]


def test_a_live_run_gives_signs_of_life_and_shows_its_open_spans(script, read, until):
    """While a run works, its heartbeat moves on and its open stage can be seen from outside."""
    body = """
    ox.configure(store=sys.argv[1], capture_git=False, system_metrics_s=0, drain_s=0.05, heartbeat_s=0.1)
    with ox.start_run("living") as run, run.stage("outer"):
        acknowledge("ready")
        time.sleep(60)
    """
    started = script(body)
    started.line()
    first = read().run("living").record.heartbeat_ns

    until(lambda: read().run("living").record.heartbeat_ns > first)

    rows = read().sql("select name, end_ns from spans order by start_ns").rows
    assert rows == [("run default", None), ("stage outer", None)]
    assert read().run("living").state == "running"


@pytest.mark.parametrize("gap_s", [0.0, 0.02])
def test_an_impatient_ctrl_c_ends_the_process_as_one_does(script, read, until, gap_s):
    """The second Ctrl-C comes while the run is being ended: exit status, points and state are those of the first."""
    body = """
    setup()
    run = ox.init("impatient", name="impatient")
    for step in range(10**9):
        run.log({"loss": step}, step=step)
        if step == 500:
            acknowledge("ready")
    """
    started = script(body)
    started.line()
    started.send(signal.SIGINT)
    time.sleep(gap_s)
    if started.process.poll() is None:
        started.send(signal.SIGINT)
    started.end(-2)

    run = read().run("impatient")
    assert run.metrics["loss"].count > 500
    assert run.state in (
        "cancelled",
        "lost",
    )  # lost where the second one came before the run's end was written
