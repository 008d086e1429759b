"""Track one training run and read it back.

Fits a line by gradient descent, in plain Python. Prints the run's state, its best loss with the step it was
reached at, and what to type to see it:

    fit-a-line succeeded
    best loss 0.0095 at step 199
    w = 3.01, b = 0.46
    next: otel-experiments show fit-a-line
"""

import random

import otel_experiments as ox

data_source = random.Random(7)
points = [(x / 10, 3 * x / 10 + 0.5 + data_source.choice((-0.1, 0.1))) for x in range(100)]

with ox.start_run("fit-a-line", experiment="examples", config={"lr": 0.02, "steps": 200}) as run:
    run.define_metric("loss", direction="min")
    w, b = 0.0, 0.0
    for step in run.steps(run.config.steps):
        errors = [w * x + b - y for x, y in points]
        run.log({"loss": sum(e * e for e in errors) / len(points)}, step=step)
        w -= run.config.lr * 2 * sum(e * x for e, (x, _) in zip(errors, points, strict=True)) / len(points)
        b -= run.config.lr * 2 * sum(errors) / len(points)

stored = ox.run("fit-a-line")
loss = stored.metrics["loss"]
print(stored.name, stored.state)
print(f"best loss {loss.best:.4f} at step {loss.best_step:.0f}")
print(f"w = {w:.2f}, b = {b:.2f}")
print("next: otel-experiments show fit-a-line")
