"""Give a run its shape: stages, epochs, steps, an evaluation, a checkpoint; then print its span tree.

Prints the tree, equal siblings folded:

    run examples
      stage load
      epoch x3
        step x5
        evaluate held-out
      save_checkpoint
"""

from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

import otel_experiments as ox


@ox.stage
def load() -> list[float]:
    """Return the data."""
    return [float(x) for x in range(50)]


@ox.trace
def forward(weight: float, batch: list[float]) -> float:
    """Return the mean error of a batch."""
    return sum(abs(weight - x) for x in batch) / len(batch)


with TemporaryDirectory() as folder, ox.start_run("shaped", experiment="examples") as run:
    data = load()
    weight = 0.0
    for epoch in run.epochs(3):
        for step in run.steps(range(0, 50, 10), spans=True):
            weight += 0.1 * forward(weight, data[step : step + 10])
            run.log({"train/error": weight}, epoch=epoch)
        with run.evaluation("held-out", dataset="toy", split="test"):
            run.log({"val/error": forward(weight, data)}, step=epoch, phase="validation")
    with run.checkpoint("last") as checkpoint:
        path = Path(folder) / "weights.txt"
        path.write_text(str(weight), encoding="utf-8")
        checkpoint.wrote(path)

for root in ox.run("shaped").spans.tree():
    print(root.span.name)
    for name, group in groupby(root.children, key=lambda node: node.span.name):
        nodes = list(group)
        print(f"  {name} x{len(nodes)}" if len(nodes) > 1 else f"  {name}")
        for inner, inside in groupby(nodes[0].children, key=lambda node: node.span.name):
            count = len(list(inside))
            print(f"    {inner} x{count}" if count > 1 else f"    {inner}")
