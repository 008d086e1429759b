"""A training that is killed in its second stage, after what it had recorded was sent."""

import os
import signal

import otel_experiments as ox

with ox.start_run("killed", experiment="end-to-end") as run:
    with run.stage("load"):
        run.log({"loss": 0.5}, step=0)
    with run.stage("fit"):
        for step in run.steps(range(20), spans=True):
            run.log({"loss": 0.25 + step}, step=step + 1)
        run.flush()
        os.kill(os.getpid(), signal.SIGKILL)
