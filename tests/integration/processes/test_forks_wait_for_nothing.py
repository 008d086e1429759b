"""A forked child waits for nothing that a thread of its parent held when the process forked, whatever either was doing."""

import json

import pytest

FEATURES = {
    # each is done for the first time, or with something new, by a thread of the parent while the process forks
    "log new keys": "run.log({f'{key}': 1.0, f'{key}.other': 2.0})",
    "log a bad value": "run.log({f'{key}': object()})",
    "log_params": "run.log_params({key: {'a': 1}, 'b': [1, 2]})",
    "set_tag": "run.set_tag(key, 'value')",
    "emit": "run.emit('lib.event', {'key': key}, {'more': [1, 2]})",
    "count": "run.count(samples=1, tokens=2)",
    "meter": "run.meter.create_counter(key.replace(' ', '_')).add(1)",
    "logger": "run.logger.emit(event_name='app.event', body=key)",
    "stage": "exec('with run.stage(key): pass')",
    "failing stage": "exec('try:\\n  with run.stage(key): raise ValueError(key)\\nexcept ValueError: pass')",
    "epoch and step": "exec('with run.epoch(0), run.step(1): pass')",
    "evaluation": "exec('with run.evaluation(key): pass')",
    "checkpoint": "exec('with run.checkpoint(key) as c: c.wrote(__file__)')",
    "inference and trace": "exec('with run.inference(key), run.trace(key): pass')",
    "decorator": "ox.trace(lambda: None)(), ox.stage(name=key)(len)(key)",
    "span of the run's tracer": "exec('with run.tracer.start_as_current_span(key): pass')",
    "environment": "run.environment()",
    "start_run": "ox.start_run(key, parent=run, config={'a': 1}).finish()",
}

BODY = """
import faulthandler, itertools

FEATURES = {features}
MINE = {feature!r}
OTLP = {otlp}

if OTLP:
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:9"
    os.environ["GRPC_VERBOSITY"] = "NONE"


def use(feature, run, key):
    exec(FEATURES[feature], dict(globals(), run=run, key=key))


def child(run, number):
    faulthandler.dump_traceback_later(60, exit=True)
    for feature in FEATURES:
        use(feature, run, f"child {{number}} {{feature}}")
    run.log({{"child": number}}, step=number)
    os._exit(0)


setup(otlp=OTLP, exit_timeout_s=1.0)
logging = __import__("logging")
logging.getLogger("otel_experiments").addHandler(logging.StreamHandler(open(os.devnull, "w")))
sys.setswitchinterval(1e-5)
stopping, going = False, threading.Event()
with ox.start_run("forking") as run:
    def work():
        for number in itertools.count():
            going.set()
            if stopping:
                return
            try:
                use(MINE, run, f"thread {{number}} {{MINE}}")
            except Exception as error:
                acknowledge("thread", repr(error))
                raise

    thread = threading.Thread(target=work)
    statuses = []
    for number in range({forks}):
        if number == 0:
            thread.start()  # its first use of all, and its imports, meet the first fork
        pid = os.fork()
        if pid == 0:
            child(run, number)
        statuses.append(os.waitpid(pid, 0)[1])
    stopping = True
    thread.join()
acknowledge(json.dumps(statuses))
"""
FORKS = 6


@pytest.mark.parametrize("otlp", [False, True], ids=["store", "store and OTLP"])
@pytest.mark.parametrize("feature", FEATURES)
def test_a_child_waits_for_nothing_that_a_thread_of_its_parent_held(feature, otlp, script, read):
    """Whatever another thread does first at the moment of a fork, the child records everything and ends."""
    body = BODY.format(features=FEATURES, feature=feature, otlp=otlp, forks=FORKS)
    out, err = script(body).end()

    hang = err[err.find("Timeout (") :] if "Timeout (" in err else err[-2000:]
    assert json.loads(out.splitlines()[-1]) == [0] * FORKS, hang
    run = read().run("forking")
    assert sorted(run.metrics["child"].values) == [float(number) for number in range(FORKS)]
