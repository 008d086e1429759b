"""The experiment is not changed: the same numbers, the same exceptions, the same process, with us and without."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import traceback

import pytest

import otel_experiments as ox

MODES = ("without", "with", "with OTLP", "with a dead endpoint")

TRAININGS = {
    "random": """
        import random

        def train(log):
            random.seed(0)
            drawn = []
            for i in range(50):
                drawn.append(random.random())
                log(i, drawn[-1])
            return [*drawn, random.getstate()[1][:5]]
    """,
    "numpy": """
        import numpy as np

        def train(log):
            np.random.seed(0)
            generator = np.random.default_rng(0)
            x, y = generator.normal(size=(200, 5)), np.random.normal(size=200)
            weights = np.zeros(5)
            for i in range(50):
                batch = generator.permutation(200)[:32]
                error = x[batch] @ weights - y[batch]
                weights -= 0.05 * x[batch].T @ error / 32
                log(i, (error ** 2).mean())
            return [weights.tobytes().hex(), str(generator.bit_generator.state), str(np.random.get_state()[2])]
    """,
    "sklearn": """
        import numpy as np
        from sklearn.datasets import load_digits
        from sklearn.neural_network import MLPClassifier

        def train(log):
            x, y = load_digits(return_X_y=True)
            np.random.seed(0)
            model = MLPClassifier(hidden_layer_sizes=(16,), max_iter=1, random_state=None, batch_size=64)
            for i in range(5):
                model.partial_fit(x[:1000], y[:1000], classes=range(10))
                log(i, model.loss_)
            return [w.tobytes().hex() for w in model.coefs_] + [str(np.random.get_state()[2])]
    """,
    "torch": """
        import torch

        def train(log):
            torch.manual_seed(0)
            torch.use_deterministic_algorithms(True)
            model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Dropout(0.2), torch.nn.Linear(16, 1))
            optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
            data = torch.utils.data.TensorDataset(torch.randn(128, 8), torch.randn(128, 1))
            for i in range(5):
                for x, y in torch.utils.data.DataLoader(data, batch_size=16, shuffle=True):
                    optimizer.zero_grad()
                    loss = torch.nn.functional.mse_loss(model(x), y)
                    loss.backward()
                    optimizer.step()
                log(i, loss)
            state = torch.random.get_rng_state().numpy().tobytes().hex()
            return [p.detach().numpy().tobytes().hex() for p in model.parameters()] + [state]
    """,
    "jax": """
        import jax
        import jax.numpy as jnp

        def train(log):
            key = jax.random.PRNGKey(0)
            weights = jnp.zeros(4)
            for i in range(10):
                key, drawn = jax.random.split(key)
                x = jax.random.normal(drawn, (16, 4))
                weights = weights - 0.1 * jax.grad(lambda w: ((x @ w - 1.0) ** 2).mean())(weights)
                log(i, weights.sum())
            return [str(weights.tolist()), str(key)]
    """,
}
PROGRAM = """
import contextlib, json, sys

{training}

def main(mode):
    if mode == "without":
        return train(lambda i, loss: None)
    import otel_experiments as ox

    ox.configure(store="experiments.db", otlp=mode != "with", system_metrics_s=0.05, drain_s=0.01)
    with ox.start_run("r", config={{"mode": mode}}) as run:
        histogram = run.meter.create_histogram("app.loss")
        gauge = run.meter.create_gauge("app.last")

        def log(i, loss):
            with run.step(i), run.stage("inner"), run.tracer.start_as_current_span("own"):
                run.log({{"loss": loss}}, step=i)
                histogram.record(float(loss))
                gauge.set(float(loss))
                run.logger.emit(event_name="app.logged", body={{"i": i}})
            if i % 10 == 0:
                run.flush(timeout_s=0.5)

        return train(log)

print(json.dumps(main(sys.argv[1])))
"""


@pytest.mark.slow
@pytest.mark.parametrize("library", list(TRAININGS))
def test_a_training_gives_the_same_bits_with_and_without_us(tmp_path, make_collector, library):
    """Weights and the states of all random generators are equal: spans, metrics, events, system metrics, OTLP."""
    if library not in {"random", "numpy"}:
        pytest.importorskip(library, reason=f"{library} is not installed")
    program = tmp_path / "train.py"
    program.write_text(PROGRAM.format(training=textwrap.dedent(TRAININGS[library])))
    with socket.create_server(("127.0.0.1", 0)) as server:
        dead = f"http://127.0.0.1:{server.getsockname()[1]}"
    collector = make_collector()
    results = {}
    for mode in MODES:
        folder = tmp_path / mode
        folder.mkdir()
        done = subprocess.run(
            [sys.executable, str(program), mode],
            env={
                **os.environ,
                "OTEL_EXPORTER_OTLP_ENDPOINT": dead if "dead" in mode else collector.endpoint,
                "PYTHONHASHSEED": "0",
            },
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        results[mode] = json.loads(done.stdout.splitlines()[-1])

    assert [mode for mode in MODES if results[mode] != results["without"]] == []
    assert len(collector.points) > 0


def test_seeding_random_never_repeats_an_id(configure, read):
    """`random.seed(0)` before each run: run ids, trace ids and span ids differ all the same."""
    import random

    configure()
    for i in range(20):
        random.seed(0)
        with ox.start_run(f"r{i}") as run, run.stage("load"):
            pass

    spans = [span for i in range(20) for span in read(f"r{i}").spans]
    assert len({span.trace_id for span in spans}) == 20
    assert len({span.span_id for span in spans}) == 40


PROCESS = """
import atexit, json, locale, logging, os, random, signal, sys, threading, warnings

def state():
    root = logging.getLogger()
    return {
        "filters": [str(f) for f in warnings.filters],
        "showwarning": repr(warnings.showwarning),
        "root level": root.level,
        "root handlers": repr(root.handlers),
        "root filters": repr(root.filters),
        "raise": logging.raiseExceptions,
        "disable": logging.root.manager.disable,
        "ours": [logging.getLogger("otel_experiments").level, repr(logging.getLogger("otel_experiments").handlers)],
        "otel": [logging.getLogger("opentelemetry").level, repr(logging.getLogger("opentelemetry").handlers)],
        "signals": {s.name: repr(signal.getsignal(s)) for s in signal.valid_signals() if s not in {9, 19} and hasattr(s, "name")},
        "excepthook": repr(sys.excepthook),
        "threading": repr(threading.excepthook),
        "unraisable": repr(sys.unraisablehook),
        "displayhook": repr(sys.displayhook),
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "recursion": sys.getrecursionlimit(),
        "switch": sys.getswitchinterval(),
        "trace": [repr(sys.gettrace()), repr(sys.getprofile()), repr(threading.gettrace())],
        "umask": [os.umask(0o22), os.umask(0o22)][0],
        "exit": repr(os._exit),
        "stdout": [repr(sys.stdout), repr(sys.stderr)],
        "fork": repr(os.fork),
    }

warnings.simplefilter("error", BytesWarning)
warnings.filterwarnings("ignore", message="mine")
logging.basicConfig(level=logging.ERROR)
def mine(*_): pass
signal.signal(signal.SIGUSR1, mine)
sys.excepthook = lambda *a: sys.__excepthook__(*a)
before = state()

import otel_experiments as ox
imported = state()

ox.configure(store="experiments.db", otlp=True, system_metrics_s=0.05, set_global=True)
during = None
with ox.start_run("r", config={"a": 1}) as run:
    for i in run.steps(range(3)):
        run.log({"loss": 1.0 / (i + 1)})
    run.meter.create_counter("app.n").add(1)
    run.flush()
    during = state()
ox.shutdown()
after = state()
print(json.dumps([before, imported, during, after]))
"""


def test_the_process_is_as_it_was(tmp_path, collector):
    """Warnings, logging, signals, hooks, cwd, environment, locale: unchanged by import, while a run runs and after."""
    script = tmp_path / "program.py"
    script.write_text(PROCESS)
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, imported, during, after = json.loads(done.stdout)
    # SIGTERM is watched while recording, where nobody handles it: the run's state is to be right.
    assert during["signals"].pop("SIGTERM") != before["signals"]["SIGTERM"]

    assert imported == before
    assert during == {**before, "signals": {k: v for k, v in before["signals"].items() if k != "SIGTERM"}}
    assert after == before


def fail_at_depth(error, depth):
    """Raise the error, some frames down."""
    if depth:
        fail_at_depth(error, depth - 1)
    raise error


def test_an_exception_comes_out_as_it_went_in(configure):
    """The same object, cause and context, and no frame of ours between the user's own."""
    configure()
    cause = KeyError("cause")

    def train(*scopes):
        error = ValueError("mine")
        error.__cause__ = cause
        try:
            if not scopes:
                fail_at_depth(error, 3)
            with scopes[0], scopes[1], scopes[2]:
                fail_at_depth(error, 3)
        except ValueError as caught:
            return (
                caught is error,
                [frame.name for frame in traceback.extract_tb(caught.__traceback__)],
                caught.__cause__,
                caught.__context__,
                caught.args,
                getattr(caught, "__notes__", None),
            )

    plain = train()
    run = ox.start_run()
    recorded = train(run, run.stage("load"), run.step(0))

    assert recorded == plain
    assert plain[0] is True


def test_an_exception_out_of_decorated_functions_is_the_same_object(configure):
    """Decorators add their own frames above the user's function, none below, and change nothing of the error."""
    configure()
    error = ValueError("mine")

    @ox.trace
    def inner():
        fail_at_depth(error, 2)

    with pytest.raises(ValueError, match="mine") as caught, ox.start_run():
        inner()

    names = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
    assert caught.value is error
    assert names[-4:] == ["inner", "fail_at_depth", "fail_at_depth", "fail_at_depth"]
    assert caught.value.__context__ is None


def test_no_thread_of_ours_outlives_what_is_shut_down(configure, collector, monkeypatch):
    """After shutdown only threads of gRPC's own pool may be left."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    before = set(threading.enumerate())  # other tests leave artifacts whose keeping was given up
    configure(system_metrics_s=0.05)
    with ox.start_run() as run:
        run.log({"loss": 1.0})
    ox.shutdown()

    left = set(threading.enumerate()) - before
    assert [thread.name for thread in left if "otel-experiments" in thread.name] == []
