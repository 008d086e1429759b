"""Kill a training process in the middle and see that nothing of it is lost.

A child process records a point a step and is killed with SIGKILL; this process then reads its run:

    the child said that it had recorded step 499
    stored: 500 points, the last at step 499
    the run is lost, its open spans: run examples, stage train
"""

import os
import signal
import subprocess
import sys

import otel_experiments as ox

CHILD = """
import time
import otel_experiments as ox

run = ox.start_run("killed", experiment="examples")
with run.stage("train"):
    for step in range(500):
        run.log({"loss": 1 / (step + 1)}, step=step)
    print(step, flush=True)
    time.sleep(60)
"""

with subprocess.Popen([sys.executable, "-c", CHILD], stdout=subprocess.PIPE, text=True) as child:
    print("the child said that it had recorded step", child.stdout.readline().strip())
    os.kill(child.pid, signal.SIGKILL)

stored = ox.run("killed")
points = stored.metrics["loss"].points()
print(f"stored: {len(points)} points, the last at step {points.steps[-1]:.0f}")
still_open = [span.name for span in stored.spans if span.end_ns is None]
print(f"the run is {stored.state}, its open spans: {', '.join(still_open)}")
