"""Try many configs: a grid, then values that are drawn, and go on from the best run.

Prints what came of them, and the curve of a fork of the best:

    9 trials, 3 failed: ValueError('too deep')
    best of the grid: {'lr': 0.1, 'depth': 2}
    best of 8 drawn: depth 1
    10 points, those up to step 2 from grid-004
"""

import otel_experiments as ox


def train(run, config):
    """Fit nothing, quickly: the loss is best at a learning rate of 0.1."""
    for epoch in run.epochs(5):
        run.log({"val/loss": abs(config["lr"] - 0.1) + 1 / (config["depth"] + epoch)}, step=epoch)
    if config["depth"] == 3:
        raise ValueError("too deep")


if __name__ == "__main__":
    ox.configure(experiment="sweeps")
    grid = ox.sweep(train, {"lr": [0.01, 0.1, 1.0], "depth": [1, 2, 3]}, name="grid")
    print(f"{len(grid)} trials, {len(grid.failed)} failed: {grid.failed[0].error!r}")
    best = grid.best("val/loss")
    print(f"best of the grid: {best.config}")

    drawn = ox.sweep(
        train, {"lr": ox.loguniform(1e-3, 1), "depth": ox.randint(1, 2)}, n=8, seed=7, name="drawn"
    )
    print(f"best of {len(drawn)} drawn: depth {drawn.best('val/loss').config['depth']}")

    with ox.fork(best.run_id, step=2, name="longer") as run:
        for step in range(3, 10):
            run.log({"val/loss": 1 / (step + 3)}, step=step)
    loss = ox.run("longer").metrics["val/loss"]
    print(
        f"{loss.count} points, those up to step {loss.inherited_until:g} from {ox.run('longer').forked_from.name}"
    )
