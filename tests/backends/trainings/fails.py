"""A training whose second epoch raises."""

import otel_experiments as ox

with ox.start_run("fails", experiment="end-to-end") as run:
    for epoch in run.epochs(3):
        with run.stage("fit"):
            run.log({"loss": 1.0 / (epoch + 1)}, step=epoch)
            if epoch == 1:
                raise ZeroDivisionError("the second epoch")
