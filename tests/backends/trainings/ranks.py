"""One of the four processes of a training."""

import os

import otel_experiments as ox

rank = int(os.environ["RANK"])
with ox.start_run("ranks", experiment="end-to-end", ranks="join") as run, run.stage("fit"):
    for step in run.steps(range(10), spans=True):
        run.log({"loss": rank + step / 10}, step=step)
