"""A small training whose numbers a test knows: one that ends well, one that fails, one of two ranks, or one that is killed.

Usage: `python training.py STORE steady|broken|ranks|killed`; the endpoint is in the environment.
"""

import contextlib
import math
import os
import signal
import sys
import time

import otel_experiments as ox

STEPS = 40


def steady():
    """Two epochs of steps, a validation after each, one NaN, a spike, and a log record of its own."""
    config = {"optimizer": {"name": "adam", "lr": 0.01}, "batch_size": 32}
    with ox.start_run(
        "steady", experiment="curves", config=config, tags={"team": "vision", "baseline": None}
    ) as run:
        for epoch in run.epochs(range(2)):
            for step in range(epoch * STEPS, (epoch + 1) * STEPS):
                with run.step(step):
                    run.log({"loss": 1 / (step + 1), "spike": 100.0 if step == 17 else 1.0}, step=step)
            run.log({"accuracy": 0.5 + epoch / 4}, step=(epoch + 1) * STEPS, phase="validation")
            # Between the epochs, and before the end, instruments are read and system metrics measured.
            time.sleep(0.3)
        run.log({"loss": math.nan}, step=2 * STEPS)
        run.log({"exact": 0.1 + 0.2}, step=0.5)
        run.log({"exact": -0.0}, step=1e20)
        run.log({"exact": 5e-324}, step=2**53)
        run.log({"exact": math.inf}, step=-3)


def broken():
    """A run that an exception ends."""
    with ox.start_run("broken", experiment="curves") as run:
        run.log({"loss": 3.0}, step=0)
        raise ValueError("no such column: label")


def ranks():
    """One of the ranks that record one run together."""
    with ox.start_run("together", experiment="curves", ranks="join") as run:
        for step in range(5):
            with run.step(step):
                run.log({"loss": float(step + 10 * int(os.environ["RANK"]))}, step=step)


def killed():
    """A run whose process is killed in its second stage: a part was sent by then."""
    with ox.start_run("killed", experiment="curves") as run:
        with run.stage("first"):
            for step in range(30):
                with run.step(step):
                    run.log({"loss": float(step)}, step=step)
        run.flush(timeout_s=30.0)
        with run.stage("second"):
            for step in range(30, 50):
                with run.step(step):
                    run.log({"loss": float(step)}, step=step)
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    ox.configure(store=sys.argv[1], system_metrics_s=0.1, capture_git=False)
    with contextlib.suppress(ValueError):
        {"steady": steady, "broken": broken, "ranks": ranks, "killed": killed}[sys.argv[2]]()
    ox.shutdown()
