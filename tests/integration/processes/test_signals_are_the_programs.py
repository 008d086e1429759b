"""Exceptions that a signal handler raises leave our calls as the same object, whatever was being recorded."""

import json

import pytest

CALLS = {
    "log": "run.log({'loss': step / 3}, step=step)",
    "log without a step": "run.log({'loss': 1.0, 'accuracy': 2.0})",
    "log new keys": "run.log({f'm{step}': 1.0, f'n{step}': 2.0}, step=step)",
    "log a value that needs care": "run.log({'loss': Slow(), 'part': {'of': 1.0}}, step=step)",
    "log a value that is none": "run.log({'loss': 1.0, 'note': object()}, step=step)",
    "log with a time": "run.log({'loss': Slow()}, time=step, commit=False)",
    "summary": "run.summary['best'] = step / 3",
    "log_params": "run.log_params({'a': {'b': step, 'c': Slow()}, 'path': pathlib.Path('x')})",
    "set_tag": "run.set_tag('tag', Slow())",
    "define_metric": "run.define_metric(f'loss{step}', direction='min', summary='min', step_metric='epoch')",
    "emit": "run.emit('lib.event', {'a': [1, 2, Slow()]}, {'key': 'value'})",
    "count": "run.count(samples=1, tokens=2)",
    "stage": "with run.stage('inner'): pass",
    "stage with attributes": "with run.stage('inner', index=step) as s: s.set_attribute('key', Slow())",
    "epoch and step": "with run.epoch(step), run.step(step): pass",
    "evaluation": "with run.evaluation('e', dataset='d'): run.log({'loss': 1.0}, step=step)",
    "checkpoint": "with run.checkpoint('c') as c: c.wrote(FOLDER)",
    "log_artifact": "run.log_artifact(b'bytes %d' % (step % 7), name='kept')",
    "log an image": "run.log({'image': ox.Text('text %d' % (step % 7))}, step=step)",
    "instruments": "run.meter, run.logger.emit(body='text')",
    "trace": "with run.trace('piece'): pass",
    "decorated function": "decorated(step)",
    "decorated generator": "list(generated(3))",
    "flush": "run.log({'loss': step / 3}, step=step); run.flush(timeout_s=5)",
    "print": "print('line', step, file=sys.stderr)",
    "loops": "[list(run.steps(3, spans=True)) for _ in run.epochs(2)]",
}
RAISES = {
    "TimeoutError": "TimeoutError('too slow')",
    "an own exception": "Stopped('by the program')",
    "KeyboardInterrupt": "KeyboardInterrupt()",
    "KeyError": "KeyError('key')",
}
BODY = """
import traceback

__import__("faulthandler").dump_traceback_later(90, exit=True)
setup(drain_s=0.02, capture_output='python')
FOLDER = pathlib.Path(sys.argv[1] + ".checkpoint")
FOLDER.mkdir()
(FOLDER / "weights").write_bytes(b"w")


class Stopped(Exception):
    pass


class Slow:
    def __float__(self):
        return sum([0.5, 0.5])

    def __str__(self):
        return "-".join(str(part) for part in ("s", "l", "o", "w"))


@ox.trace
def decorated(number):
    return number


@ox.trace
def generated(count):
    yield from range(count)


raised, last, where = 0, None, ""
armed = False


def handler(number, frame):
    global raised, last, where
    if not armed:
        return
    where = "".join(traceback.format_stack(frame))
    last = {made}
    raised += 1
    raise last


signal.signal(signal.SIGALRM, handler)
received, done, step = 0, 0, 0
with ox.start_run("alarmed") as run:
    from opentelemetry import context as otel_context

    outside = otel_context.get_current()
    deadline = time.monotonic() + 60
    while raised < {count} and time.monotonic() < deadline:
        step += 1
        assert raised == received, "an exception of the handler was swallowed: " + where
        try:
            armed = True
            signal.setitimer(signal.ITIMER_REAL, 0.00001 + (step % 97) * 0.000004)
            while raised == received:
                {call}
                done += 1
        except BaseException as error:
            armed = False
            if error is not last:
                raise
            received += 1
            last = error.__traceback__ = None  # it keeps frames, and generators in them, alive
    armed = False
    assert raised == received, "the last one was swallowed: " + where
    assert otel_context.get_current() is outside, otel_context.get_current()
    if {is_logged}:
        run.log({{"loss": 1.0}}, step=0)
    report = run.flush()
    assert report.is_stored, report
    acknowledge(json.dumps([raised, received, done, report.lost]))
"""


@pytest.mark.parametrize("raises", RAISES)
@pytest.mark.parametrize("call", CALLS)
def test_an_exception_of_a_signal_handler_leaves_the_call_and_nothing_acknowledged_is_lost(
    call, raises, script, read
):
    """A timeout by alarm, a stop or Ctrl-C comes out of every call as it was raised; what was recorded stays."""
    if raises != "TimeoutError" and call not in {
        "log",
        "log new keys",
        "flush",
        "stage",
        "emit",
        "checkpoint",
    }:
        pytest.skip("the kinds of exceptions take one way; a few calls stand for all")
    body = BODY.format(
        made=RAISES[raises],
        call=CALLS[call],
        count=60,
        is_logged=call.startswith("log") and "params" not in call,
    )
    out, _ = script(body).end()

    raised, received, done, lost = json.loads(out)
    assert raised == received >= 60
    assert {reason: count for reason, count in lost.items() if reason != "metric value"} == {}
    run = read().run("alarmed")
    assert run.state == "succeeded"
    assert [span.name for span in run.spans if span.end_ns is None] == []
    if call in {"log", "flush"}:
        assert run.metrics["loss"].count >= done
    if call == "stage":
        assert sum(span.name == "stage inner" for span in run.spans) >= done


@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
def test_no_thread_of_ours_takes_a_signal_of_the_program(otlp, script, read):
    """A program that blocks a signal to wait for it later still gets it: recording's threads let it pass."""
    body = """
    setup(otlp={otlp}, exit_timeout_s=1.0)
    with ox.start_run("waiting") as run:
        run.log({{"loss": 1.0}})
        run.flush(timeout_s=5)  # by then every thread is at work
        ours = [thread.name for thread in threading.enumerate() if thread.name.startswith("otel-experiments")]
        asked = {{signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGALRM, signal.SIGCHLD}}
        signal.pthread_sigmask(signal.SIG_BLOCK, asked)
        for number in asked:
            os.kill(os.getpid(), number)
        pending = signal.sigpending()
        for number in asked:
            signal.signal(number, signal.SIG_IGN)  # which forgets what is pending
        acknowledge(json.dumps([len(ours), sorted(asked - pending)]))
    """
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"} if otlp else {}

    out, _ = script(body.format(otlp=otlp), **environ).end()

    threads, taken = json.loads(out)
    assert threads >= (3 if otlp else 2)
    assert taken == []
    assert read().run("waiting").state == "succeeded"


def test_what_a_callback_of_the_program_starts_takes_signals(script):
    """A callback of an instrument that runs in a thread of ours starts processes that SIGTERM ends."""
    body = """
    import subprocess

    seen = []

    def ask(options):
        if threading.current_thread().name == "otel-experiments-ticker" and not seen:
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            child.terminate()
            seen.append(child.wait())
            rung.set()
        return ()

    rung = threading.Event()
    setup(otlp=True, exit_timeout_s=1.0)
    with ox.start_run("asking") as run:
        run.meter.create_observable_gauge("lib.temperature", [ask])
        assert rung.wait(timeout=40)
        acknowledge(seen)
    """

    out, _ = script(
        body, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", OTEL_METRIC_EXPORT_INTERVAL="100"
    ).end()

    assert json.loads(out) == [-15]
