"""Logging handlers and warnings filters of the application that raise never come out of recording."""

import logging
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest

import otel_experiments as ox


class Raising(logging.Handler):
    """A handler whose own mistake reaches whoever logs."""

    def emit(self, record):
        """Raise."""
        raise RuntimeError("the handler is broken")


@pytest.fixture
def raising_handler():
    """Let the application's logging raise."""
    handler = Raising(level=logging.DEBUG)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    logging.getLogger("otel_experiments").addHandler(handler)
    yield
    root.removeHandler(handler)
    root.setLevel(level)
    logging.getLogger("otel_experiments").removeHandler(handler)


class Bad:
    def __float__(self):
        raise ValueError("no number")

    def __str__(self):
        raise ValueError("no text")


CALLS = {
    "log a text": lambda run: run.log({"loss": 0.5, "note": "text", "last": 1.0}),
    "log a bad value": lambda run: run.log({"loss": 0.5, "bad": Bad(), "last": 1.0}),
    "log a bad step": lambda run: run.log({"loss": 0.5, "last": 1.0}, step=float("nan")),
    "log a bad name": lambda run: run.log({"loss": 0.5, "": 1.0, "last": 1.0}),
    "set_tag": lambda run: (run.set_tag("", 1), run.log({"loss": 0.5, "last": 1.0})),
    "log_params": lambda run: (run.log_params({"": 1, "a": Bad()}), run.log({"loss": 0.5, "last": 1.0})),
    "log_params of none": lambda run: (run.log_params(3), run.log({"loss": 0.5, "last": 1.0})),
    "define_metric": lambda run: (
        run.define_metric("m", direction="up"),
        run.log({"loss": 0.5, "last": 1.0}),
    ),
    "a span that has ended": lambda run: (_use_late(run), run.log({"loss": 0.5, "last": 1.0})),
    "a checkpoint without a path": lambda run: (_wrong_path(run), run.log({"loss": 0.5, "last": 1.0})),
    "emit": lambda run: (run.emit("e", Bad(), {"a": Bad(), "": 1}), run.log({"loss": 0.5, "last": 1.0})),
}


def _use_late(run):
    with run.stage("s") as stage:
        pass
    stage.set_attribute("late", 1)
    stage.span.end()


def _wrong_path(run):
    with run.checkpoint("c") as checkpoint:
        checkpoint.wrote(3)


@pytest.mark.parametrize("call", CALLS)
def test_a_logging_handler_that_raises_loses_no_values(call, raising_handler, store_path, capfd):
    """What the application's logging does with our warnings changes nothing about what is recorded."""
    ox.configure(store=store_path, system_metrics_s=0, capture_git=False)
    try:
        with ox.start_run("hostile") as run:
            CALLS[call](run)
            run_id = run.id
        run.log({"after": 1.0})
        ox.shutdown()
        stored = ox.run(run_id, store=store_path)
        assert stored.metrics["loss"].last == 0.5
        assert stored.metrics["last"].last == 1.0
    finally:
        ox.shutdown()
    assert "otel_experiments: " in capfd.readouterr().err


class Warns:
    def __float__(self):
        warnings.warn("about the value", UserWarning, stacklevel=2)
        return 0.25


def test_a_warnings_filter_that_raises_loses_no_values(store_path):
    """With `-W error`, and with a `showwarning` that raises, values that make their library warn are recorded."""
    ox.configure(store=store_path, system_metrics_s=0, capture_git=False)
    try:
        with ox.start_run("strict") as run, warnings.catch_warnings():
            warnings.simplefilter("error")
            run.log({"warns": Warns(), "array": np.array([0.5])}, step=0)
            warnings.simplefilter("always")

            def refuse(*_, **__):
                raise RuntimeError("no warnings here")

            warnings.showwarning = refuse
            run.log({"warns": Warns(), "array": np.array([0.5])}, step=1)
            run_id = run.id
        ox.shutdown()
        stored = ox.run(run_id, store=store_path)
        assert [stored.metrics["warns"].count, stored.metrics["array"].count] == [2, 2]
    finally:
        ox.shutdown()


def test_a_program_that_makes_errors_of_all_warnings_records(tmp_path):
    """`python -W error` runs a program with everything that is recorded in it, and none of our imports warns."""
    script = tmp_path / "strict.py"
    script.write_text(
        textwrap.dedent(
            """
            import sys
            import otel_experiments as ox

            ox.configure(store=sys.argv[1], system_metrics_s=0, capture_git=False, on_error="raise")
            with ox.start_run("strict", config={"a": 1}, tags={"b": "c"}) as run:
                with run.stage("s"), run.epoch(0), run.step(0):
                    run.log({"loss": 1.0}, step=0)
                    run.emit("lib.event", {"body": 1}, {"key": "value"})
                run.count(samples=1)
                with run.checkpoint("c") as checkpoint:
                    checkpoint.wrote(__file__)
            assert ox.shutdown().lost == {}
            """
        )
    )
    command = [sys.executable, "-W", "error", str(script), str(tmp_path / "strict.db")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
