"""Recording inside of recording: in a signal handler, in `__del__`, in a logging handler, at exit. Nothing deadlocks."""

import json

import pytest

BODY = """
import faulthandler, gc, logging

faulthandler.dump_traceback_later(100, exit=True)
OTLP, INSIDE = {otlp}, {inside!r}
HERE = __file__  # a handler may run when the module's names are gone
if OTLP:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["GRPC_VERBOSITY"] = "NONE"
setup(otlp=OTLP, exit_timeout_s=1.0, drain_s=0.01)
inner = [0]
is_inside = False


def everything(run, kind):
    number = inner[0] if kind == "inner" else outer
    run.log({{kind: float(number)}}, step=number)
    run.log({{f"{{kind}}.{{number}}": 1.0, "note": object()}})
    run.set_tag(f"{{kind}}.tag", number)
    run.log_params({{f"{{kind}}.param": number}})
    run.emit("lib.event", {{"kind": kind}}, {{"number": number}})
    run.count(samples=1)
    with run.stage(kind), run.epoch(number), run.step(number):
        pass
    with run.checkpoint(kind) as checkpoint:
        checkpoint.wrote(HERE)
    if number % 10 == 0:
        run.flush(timeout_s=0.5)
        run.meter
        run.logger.emit(event_name="app.event", body=number)
    if number % 25 == 0:
        ox.start_run(f"{{kind}} {{number}}", parent=run).finish()
        ox.runs()


def inside():
    global is_inside
    if is_inside or inner[0] >= COUNT:
        return
    is_inside = True
    try:
        everything(run, "inner")
        inner[0] += 1
    finally:
        is_inside = False


class Dying:
    def __init__(self):
        self.me = self  # only the garbage collector ends it

    def __del__(self):
        inside()


class Logging(logging.Handler):
    def emit(self, record):
        inside()


COUNT, outer = 60, 0
run = ox.start_run("again").__enter__()
if INSIDE == "signal handler":
    signal.signal(signal.SIGALRM, lambda number, frame: inside())
    signal.setitimer(signal.ITIMER_REAL, 0.0007, 0.0007)
if INSIDE == "__del__":
    gc.set_threshold(7, 3, 3)
if INSIDE == "logging handler":
    logging.getLogger("otel_experiments").addHandler(Logging())
deadline = time.monotonic() + 60
try:
    while inner[0] < COUNT and time.monotonic() < deadline:
        everything(run, "outer")
        outer += 1
        if INSIDE == "__del__":
            Dying()
        if INSIDE == "logging handler":
            run.log({{f"bad.{{outer}}": object()}})
finally:  # a failure shows itself, and is not followed by others
    signal.setitimer(signal.ITIMER_REAL, 0)
    gc.disable()
run.__exit__(None, None, None)
acknowledge(json.dumps([outer, inner[0]]))
"""


@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
@pytest.mark.parametrize("inside", ["signal handler", "__del__", "logging handler"])
def test_whatever_records_while_it_interrupts_recording_is_recorded(inside, otlp, script, read):
    """A handler of signals or of log records and a finaliser may record, whatever they interrupt; nothing waits."""
    out, err = script(BODY.format(inside=inside, otlp=otlp)).end()

    outer, inner = json.loads(out.splitlines()[-1])
    assert inner == 60, err[-3000:]
    run = read().run("again")
    assert run.metrics["outer"].count == outer
    assert run.metrics["inner"].count == inner
    assert sum(span.name == "stage inner" for span in run.spans) == inner
    assert sum(span.name == "stage outer" for span in run.spans) == outer
    assert run.state == "succeeded"


AT_EACH_PLACE = """
import faulthandler
from opentelemetry.trace import StatusCode


def watch():
    faulthandler.dump_traceback_later(30, exit=True)  # each time anew: what hangs does so in one place


watch()
OTLP = {otlp}
if OTLP:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["GRPC_VERBOSITY"] = "NONE"
os.environ["OTEL_SPAN_EVENT_COUNT_LIMIT"] = "many"  # the SDK would raise: it is taken out for it
setup(otlp=OTLP, exit_timeout_s=1.0)
FOLDERS = tuple(
    str(pathlib.Path(sys.modules[name].__path__[0])) for name in ("otel_experiments", "opentelemetry.sdk")
)
AT_STARTS = ("_configure.py", "_recorder.py", "sound_environment.py", "adoption.py")
seen, inner, is_inside, is_measuring = set(), 0, False, False


def emit_much(run):
    run.emit("lib.large", {{"text": "x" * 60_000}})  # a few of them, and the journal goes on in another file


def everything(run, kind, number):
    run.log({{kind: float(number)}}, step=number)
    run.log({{f"{{kind}}.{{number}}": float("nan"), "note": object()}})
    run.set_tag(f"{{kind}}.tag", number)
    run.log_params({{f"{{kind}}.param": number}})
    run.emit("lib.event", {{"kind": kind}}, {{"number": number}})
    run.count(samples=1)
    with run.stage(kind) as stage, run.epoch(number), run.step(number):
        span = stage.span
        span.set_attribute("app.number", number)
        span.set_attributes({{"app.kind": kind}})
        span.add_event("app.event", {{"app.number": number}})
        span.record_exception(ValueError("app"))
        span.add_link(run.otel_span.get_span_context())
        span.set_status(StatusCode.OK)
    run.meter.create_counter(f"lib.{{kind}}.{{number % 20}}").add(1)
    if kind == "outer" or number % 20 == 0 or is_measuring:
        run.logger.emit(event_name="app.event", body=number)
        run.flush(timeout_s=0.05)
    if kind == "outer":
        for _ in range(20):
            emit_much(run)
    if kind == "outer" or number % 50 == 0:
        ox.start_run(f"{{kind}} {{number}}", parent=run).finish()
        ox.runs()


def interrupt(frame, event, called):
    global inner, is_inside, is_measuring
    if is_inside or event not in {{"call", "c_return"}} or not frame.f_code.co_filename.startswith(FOLDERS):
        return
    place = (frame.f_code, frame.f_lasti, event)
    if place not in seen:
        seen.add(place)
        is_inside = True
        is_measuring = "_view_instrument_match" in frame.f_back.f_code.co_filename  # under its lock, as collections
        watch()
        try:
            if frame.f_code.co_filename.endswith("journal/writer.py"):
                emit_much(run)
            if frame.f_code.co_filename.endswith(AT_STARTS):
                ox.start_run("at a start", parent=run).finish()
            everything(run, "inner", inner)
            inner += 1
        finally:
            is_inside = False


run = ox.start_run("again").__enter__()
for outer in range(2):
    sys.setprofile(interrupt)
    try:
        everything(run, "outer", outer)
    finally:
        sys.setprofile(None)
run.__exit__(None, None, None)
acknowledge(json.dumps([len(seen), inner]))
"""


@pytest.mark.timeout(600)  # two thousand places; each has 30 s of its own
@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
def test_wherever_recording_is_interrupted_what_interrupts_it_may_record(otlp, script, read):
    """At each place where Python handles signals, once: a lock that its thread cannot take twice would hang there."""
    out, err = script(AT_EACH_PLACE.format(otlp=otlp)).end()

    places, inner = json.loads(out.splitlines()[-1])
    assert places == inner > 800, err[-3000:]
    run = read().run("again")
    assert run.metrics["outer"].count == 2
    assert run.metrics["inner"].count == inner
    assert sum(span.name == "stage inner" for span in run.spans) == inner
    assert run.state == "succeeded"


def test_what_is_recorded_at_exit_is_kept_or_told(script, read):
    """Functions that run at exit, registered before and after the first run, may record without a deadlock."""
    body = """
    import atexit

    __import__("faulthandler").dump_traceback_later(60, exit=True)
    atexit.register(lambda: run.log({"late": 2.0}))
    setup()
    run = ox.start_run("leaving")
    run.log({"loss": 1.0})
    atexit.register(lambda: run.log({"early": 1.0}))
    """
    script(body).end()

    run = read().run("leaving")
    assert run.metrics["loss"].count == run.metrics["early"].count == 1
    assert run.state == "succeeded"
