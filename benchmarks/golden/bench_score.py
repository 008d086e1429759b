"""How long the score takes: the longest common subsequence, and whole traces.

python benchmarks/golden/bench_score.py [--repeat 3]
"""

from __future__ import annotations

import argparse
import random
import statistics
import time

from otel_experiments.golden.score.equivalence import compare_traces
from otel_experiments.golden.score.lcs import lcs_length
from otel_experiments.golden.score.literal import SystemCall
from otel_experiments.model.span import Span

STEP = ["batch.get", "forward", "backward", "optimizer", "log", "all_reduce", "eval"]


def median_s(work, repeat):
    times = []
    for _ in range(repeat):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def edit(draw, items, share):
    edited = list(items)
    for _ in range(int(len(items) * share)):
        at = draw.randrange(len(edited))
        if draw.random() < 0.5:
            del edited[at]
        else:
            edited.insert(at, draw.choice(STEP))
    return edited


def make_trace(names):
    root = Span("t", "root", "run", 0, 10 * len(names) + 10)
    return [
        root,
        *(
            Span("t", str(at), name, 10 * at, 10 * at + 9, parent_span_id="root")
            for at, name in enumerate(names)
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    draw = random.Random(1)
    print("| sequences | 5k | 100k |")
    print("|---|---|---|")
    cases = {
        "loop of 7 names, equal": lambda n: ((a := [STEP[at % 7] for at in range(n)]), list(a)),
        "loop of 7 names, 1 % edits": lambda n: (
            (a := [STEP[at % 7] for at in range(n)]),
            edit(draw, a, 0.01),
        ),
        "loop of 7 names, 10 % edits": lambda n: (
            (a := [STEP[at % 7] for at in range(n)]),
            edit(draw, a, 0.1),
        ),
        "200 names, unrelated": lambda n: (
            [draw.randrange(200) for _ in range(n)],
            [draw.randrange(200) for _ in range(n)],
        ),
        "all names distinct, shuffled": lambda n: ((a := list(range(n))), draw.sample(a, n)),
    }
    for name, make in cases.items():
        cells = []
        for count in (5_000, 100_000):
            a, b = make(count)
            cells.append(
                f"{median_s(lambda a=a, b=b: lcs_length(a, b), repeat if count < 10_000 else 1):.3f} s"
            )
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    print("\n| compare_traces, 1 % edits | 5k | 100k |")
    print("|---|---|---|")
    rows = {"spans": [], "seed": []}
    for count in (5_000, 100_000):
        names = [STEP[at % 7] for at in range(count)]
        edited = edit(draw, names, 0.01)
        spans = make_trace(names), make_trace(edited)
        calls = [SystemCall(name, 0, 10) for name in names], [SystemCall(name, 0, 10) for name in edited]
        rows["spans"].append(median_s(lambda pair=spans: compare_traces(*pair), repeat))
        rows["seed"].append(median_s(lambda pair=calls: compare_traces(*pair, mode="seed"), repeat))
    for mode, times in rows.items():
        print(f'| mode="{mode}" | {" | ".join(f"{spent:.3f} s" for spent in times)} |')


if __name__ == "__main__":
    main()
