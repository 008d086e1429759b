"""However a program ends, and in whatever form it uses its run: the stored state is what happened."""

import subprocess

import pytest

SHAPES = {
    # how a program uses a run; `end` is put where its work is
    "with": """
with ox.start_run("r") as run:
    run.log({"loss": 1.0})
    end()
""",
    "init": """
ox.init(name="r")
ox.log({"loss": 1.0})
end()
""",
    "object": """
run = ox.start_run("r")
run.log({"loss": 1.0})
end()
""",
    "decorator": """
@ox.run(name="r")
def train():
    ox.log({"loss": 1.0})
    end()

train()
""",
    "resumed": """
with ox.start_run("r") as first:
    pass
with ox.start_run(resume=first.id) as run:
    run.log({"loss": 1.0})
    end()
""",
}
BLOCKS = ("with", "decorator", "resumed")
INTERRUPTED = ("cancelled", "KeyboardInterrupt", "KeyboardInterrupt")
ENDINGS = {
    # what the work does last: exit status, then state, reason and error type (of a run with a block, of one without)
    "pass": (0, ("succeeded", "", ""), ("succeeded", "the process ended", "")),
    "raise ValueError('loss is nan')": (1, ("failed", "loss is nan", "ValueError"), None),
    "raise KeyboardInterrupt": (-2, INTERRUPTED, None),
    "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)": (-2, INTERRUPTED, None),
    "asyncio.run(interrupted())": (-2, INTERRUPTED, None),
    "raise BaseExceptionGroup('both', [KeyboardInterrupt()])": (1, INTERRUPTED, None),
    "asyncio.run(cancelled())": (1, ("cancelled", "CancelledError", "asyncio.exceptions.CancelledError"), None),
    "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)": (-15, ("cancelled", "SIGTERM", ""), None),
    "sys.exit(0)": (0, ("succeeded", "sys.exit(0)", ""), ("succeeded", "the process ended", "")),
    # A limit: without a block, nothing tells of the exit status.
    "sys.exit(3)": (3, ("failed", "sys.exit(3)", "SystemExit"), ("succeeded", "the process ended", "")),
    "os._exit(3)": (3, ("lost", "", ""), None),
}  # fmt: skip
WORK = """
import asyncio
setup()

async def interrupted():
    os.kill(os.getpid(), signal.SIGINT)
    await asyncio.sleep(60)

async def cancelled():
    asyncio.current_task().cancel()
    await asyncio.sleep(60)

def end():
    {ending}
"""


def ended(run):
    """Return how a run ended."""
    return str(run.state), run.reason, run.error_type


def root_ends(run):
    """Return whether each root span of the run has an end."""
    return [span.end_ns is not None for span in run.spans if span.name.startswith("run ")]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_state_is_what_happened(ending, shape, script, read):
    """Whatever ends the program, the run has the state, the reason and the error type of that."""
    status, with_block, without = ENDINGS[ending]
    script(WORK.format(ending=ending) + SHAPES[shape]).end(status)

    run = read().run("r")
    expected = with_block if shape in BLOCKS or without is None else without
    assert ended(run) == expected
    is_open = expected[0] == "lost" or expected[1] == "SIGTERM"
    assert root_ends(run) == ([True] if shape == "resumed" else []) + [not is_open]
    assert run.metrics["loss"].count == 1


ASYNC_SHAPES = {
    "with": "with ox.start_run('r'):\n        await end()",
    "decorator": "await ox.run(end, name='r')()",
    "task group": """
    async with asyncio.TaskGroup() as group:
        group.create_task(work())""",
}


@pytest.mark.parametrize("shape", ASYNC_SHAPES)
@pytest.mark.parametrize("ending", ["interrupt", "cancel"])
def test_ctrl_c_in_an_event_loop_is_told_from_a_task_that_is_cancelled(ending, shape, script, read):
    """`asyncio.run` turns Ctrl-C into a cancelled task: the run is cancelled by KeyboardInterrupt all the same."""
    acts = {
        "interrupt": "os.kill(os.getpid(), signal.SIGINT)",
        "cancel": "main_task.cancel()",
    }
    body = f"""
import asyncio
setup()

async def end():
    {acts[ending]}
    await asyncio.sleep(60)

async def work():
    with ox.start_run('r'):
        await end()

async def main():
    global main_task
    main_task = asyncio.current_task()
    {ASYNC_SHAPES[shape]}

asyncio.run(main())
"""
    script(body).end(-2 if ending == "interrupt" else 1)

    assert ended(read().run("r")) == (
        INTERRUPTED
        if ending == "interrupt"
        else ("cancelled", "CancelledError", "asyncio.exceptions.CancelledError")
    )


@pytest.mark.parametrize("way", ["with", "finish", "fail"])
def test_ctrl_c_at_any_moment_of_the_end_leaves_a_run_that_has_ended(way, script, read):
    """An interrupt at each call that the end of a run makes passes on to the program; the run ends all the same."""
    leave = {"with": "pass", "finish": "run.finish()", "fail": "run.fail('by hand')"}[way]
    body = f"""
    setup(drain_s=30.0)
    ox.start_run("warm").finish()

    def interrupt_at(moment):
        passed = 0

        def look(frame, event, argument):
            nonlocal passed
            if not run.is_active:
                sys.setprofile(None)
            passed += event in ("call", "c_return")  # where the interpreter looks for signals
            if passed == moment and run.is_active:
                sys.setprofile(None)
                reached.append(moment)
                raise KeyboardInterrupt

        return look

    reached, left_open, moment = [], [], 0
    while len(reached) == moment and moment < 900:
        moment += 1
        try:
            with ox.start_run(f"moment {{moment}}") as run:
                run.log({{"loss": 1.0}})
                look = interrupt_at(moment)  # held: CPython goes on to use one that is dropped while the collector runs
                sys.setprofile(look)
                {leave}
        except KeyboardInterrupt:
            pass
        finally:
            sys.setprofile(None)
        left_open += [moment] if run.is_active else []
    acknowledge(moment, len(left_open))
    """
    out, _ = script(body).end()

    moments, left_open = map(int, out.split())
    runs = [run for run in read().runs() if run.name.startswith("moment")]
    assert len(runs) == moments > 150
    assert left_open <= 1  # the first call is the way into __exit__, before anything of ours
    expected = {"failed" if way == "fail" else "succeeded", "cancelled"}
    assert {str(run.state) for run in runs} <= expected
    assert [run.name for run in runs if root_ends(run) != [True]] == []


@pytest.mark.parametrize("pending", [False, True])
def test_an_alarm_at_any_moment_of_a_start_leaves_no_run_pending(pending, script, read):
    """A timeout at each call that `start_run` makes passes on to the program; what is known of the run has failed."""
    body = f"""
    setup(drain_s=30.0)
    ox.start_run("warm").finish()
    error = TimeoutError("too slow")

    def handler(number, frame):
        raise error

    signal.signal(signal.SIGALRM, handler)

    def interrupt_at(moment):
        passed = 0

        def look(frame, event, argument):
            nonlocal passed
            passed += event in ("call", "c_return")  # where the interpreter looks for signals
            if passed == moment:
                sys.setprofile(None)
                reached.append(moment)
                signal.raise_signal(signal.SIGALRM)

        return look

    moment, reached, kept = 0, [], []
    while len(reached) == moment and moment < 3000:
        moment += 1
        look = interrupt_at(moment)  # held, as above
        sys.setprofile(look)
        try:
            ox.start_run(f"moment {{moment}}", config={{"lr": 0.1}}, tags=["a"], pending={pending})
            sys.setprofile(None)
            kept.append(moment)
        except TimeoutError as raised:
            assert raised is error
            error.__traceback__ = None
    acknowledge(moment, *kept)
    """
    out, _ = script(body).end()

    _, *kept = map(int, out.split())
    names = {f"moment {moment}" for moment in kept}
    states = {run.name: str(run.state) for run in read().runs() if run.name not in names | {"warm"}}
    assert len(states) > 10
    assert {name: state for name, state in states.items() if state != "failed"} == {}


CHILDREN = {
    # what a child of multiprocessing does after `init`: state, reason, error type
    "pass": ("succeeded", "the process ended", ""),
    "raise ValueError('loss is nan')": ("failed", "loss is nan", "ValueError"),
    "sys.exit(3)": ("failed", "sys.exit(3)", "SystemExit"),
    "raise KeyboardInterrupt": INTERRUPTED,
    "ox.finish()": ("succeeded", "", ""),
    "ox.finish('cancelled', reason='enough')": ("cancelled", "enough", ""),
}


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_run_of_a_multiprocessing_child_ends_with_the_child(method, script, read):
    """Such a child never comes to the interpreter's exit: its run has its real end all the same, finished or not."""
    body = f"""
    ENDINGS = {list(CHILDREN)!r}

    def work(number, shape):
        setup()
        if shape == "init":
            ox.init(name=f"init {{number}}")
        else:
            ox.start_run(f"object {{number}}")
        ox.log({{"loss": 1.0}})
        exec(ENDINGS[number])

    if __name__ == "__main__":
        context = multiprocessing.get_context({method!r})
        for shape in ("init", "object"):
            children = [context.Process(target=work, args=(n, shape)) for n in range(len(ENDINGS))]
            for child in children:
                child.start()
            for child in children:
                child.join()
    """
    script(body).end()

    reader = read()
    for shape in ("init", "object"):
        for number, expected in enumerate(CHILDREN.values()):
            run = reader.run(f"{shape} {number}")
            assert ended(run) == expected
            assert root_ends(run) == [True]
            assert run.metrics["loss"].count == 1


DAEMONS = {
    # how a daemon uses its run, and how it ends: state, reason
    "init": ("ox.init(name='r'); run = ox.current_run()", "pass", ("succeeded", "the process ended", "")),
    "with": ("with ox.start_run('r') as run:", "pass", ("succeeded", "", "")),
    "with error": (
        "with ox.start_run('r') as run:",
        "raise ValueError('loss is nan')",
        ("failed", "loss is nan", "ValueError"),
    ),
    "object": ("run = ox.start_run('r')", "run.finish('cancelled')", ("cancelled", "", "")),
    "killed": ("run = ox.start_run('r')", "os.kill(os.getpid(), signal.SIGKILL)", ("lost", "", "")),
}


@pytest.mark.parametrize("leaves", ["os._exit(0)", "sys.exit(0)"])
@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_run_goes_on_in_the_daemon_that_its_program_becomes(daemon, leaves, script, read, until):
    """After a double fork the run is the grandchild's: running while that lives, then what became of it."""
    opens, ends, expected = DAEMONS[daemon]
    indent = "    " if opens.endswith(":") else ""
    work = f"""
run.log({{"loss": 1.0}})
if os.fork():
    {leaves}
os.setsid()
if os.fork():
    os._exit(0)
while os.path.exists(f"/proc/{{started}}/fd"):
    time.sleep(0.01)
run.log({{"loss": 2.0}})
pathlib.Path("daemon").touch()
while not os.path.exists("end"):
    time.sleep(0.01)
{ends}
""".replace("\n", f"\n{indent}")
    started = script(f"setup()\nstarted = os.getpid()\n{opens}\n{work}")
    folder = started.path.parent
    started.process.wait(timeout=60)
    until((folder / "daemon").exists)

    alive = read().run("r")
    assert (alive.state, alive.metrics["loss"].count) == ("running", 2)

    (folder / "end").touch()
    until(lambda: read().run("r").state != "running")
    run = read().run("r")
    assert ended(run) == expected
    assert root_ends(run) == [expected[0] != "lost"] or leaves == "sys.exit(0)"


def test_a_worker_whose_parent_was_killed_does_not_end_its_run(script, read, until):
    """A forked worker that notices that its parent is gone, and leaves, says nothing of the parent's run: it is lost."""
    body = """
    setup()
    run = ox.init(name="r")
    parent = os.getpid()
    if os.fork():
        os.kill(parent, signal.SIGKILL)
    while os.path.exists(f"/proc/{parent}/fd"):
        time.sleep(0.01)
    run.log({"loss": 1.0})
    pathlib.Path("left").touch()
    """
    started = script(body)
    started.process.wait(timeout=60)
    until((started.path.parent / "left").exists)
    started.end(-9)

    run = read().run("r")
    assert (run.state, run.metrics["loss"].count) == ("lost", 1)


def test_a_program_that_executes_another_is_running_as_long_as_that_is(script, read):
    """`exec` replaces the program in its process: the run is neither lost nor ended while the process lives."""
    body = """
    setup()
    run = ox.init(name="r")
    run.log({"loss": 1.0})
    os.execv(sys.executable, [sys.executable, "-c", "print('executed', flush=True); input()"])
    """
    started = script(body)
    assert started.line() == "executed"
    assert read().run("r").state == "running"

    started.tell("go on")
    started.end()
    run = read().run("r")
    assert (run.state, run.metrics["loss"].count) == ("lost", 1)


def test_a_block_that_is_cut_off_by_the_end_of_the_process_is_cancelled(script, read):
    """The run of a daemon thread whose block was still on when the program ended has not succeeded."""
    body = """
    setup()
    started = threading.Event()

    def work():
        with ox.start_run("r"):
            started.set()
            time.sleep(60)

    threading.Thread(target=work, daemon=True).start()
    started.wait()
    """
    script(body).end()

    assert ended(read().run("r")) == ("cancelled", "the process ended before the run's block did", "")


def test_a_generator_that_is_closed_early_has_not_failed(script, read):
    """A loop that takes as many items as it wants of a generator with a run ends that run well."""
    body = """
    setup()

    def train():
        with ox.start_run("r") as run:
            for epoch in run.epochs(100):
                yield epoch

    for epoch in train():
        if epoch == 3:
            break
    """
    script(body).end()

    assert ended(read().run("r")) == ("succeeded", "the generator was closed", "")


def can_make_namespaces():
    """Return whether this machine lets us be process 1 of a namespace."""
    try:
        return subprocess.run(["unshare", "-Urpf", "--mount-proc", "true"], check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(not can_make_namespaces(), reason="no unprivileged PID namespaces here")
@pytest.mark.parametrize("ending", ["pass", "raise ValueError('loss is nan')", "os._exit(3)"])
def test_process_one_of_a_container_lives_on_after_sigterm(ending, script, read):
    """The kernel spares process 1 a SIGTERM that it does not handle: what ends the run then is its end."""
    body = f"""
    import subprocess
    if os.getpid() != 1:
        arguments = ["unshare", "-Urpf", "--mount-proc", sys.executable, __file__, *sys.argv[1:]]
        sys.exit(subprocess.run(arguments, start_new_session=True).returncode)
    setup()
    with ox.start_run("r") as run:
        os.kill(os.getpid(), signal.SIGTERM)
        run.log({{"loss": 1.0}})
        {ending}
    """
    started = script(body)
    started.process.wait(timeout=60)
    started.end(started.process.returncode)

    run = read().run("r")
    expected = {
        "pass": ("succeeded", "", ""),
        "raise ValueError('loss is nan')": ("failed", "loss is nan", "ValueError"),
        "os._exit(3)": ("cancelled", "SIGTERM", ""),
    }[ending]
    assert ended(run) == expected
    assert run.metrics["loss"].count == 1


def test_an_impatient_ctrl_c_at_the_exit_still_ends_the_run(script, read):
    """Ctrl-C while the interpreter ends the runs that nobody finished: each has an end afterwards."""
    body = """
    setup()
    runs = [ox.start_run(f"r{number}") for number in range(3)]

    class Interrupting(ValueError):
        def __str__(self):
            if not done:
                done.append(None)
                os.kill(os.getpid(), signal.SIGINT)
            return "loss is nan"

    done = [None]
    sys.excepthook = lambda *_: done.clear()
    raise Interrupting
    """
    started = script(body)
    started.process.wait(timeout=60)
    started.end(started.process.returncode)

    for number in range(3):
        run = read().run(f"r{number}")
        assert str(run.state) in {"failed", "cancelled"}
        assert root_ends(run) == [True]
