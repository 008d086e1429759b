"""Time, memory and file of golden comparison on large traces, each side in a process of its own.

    python benchmarks/golden/bench_large.py [--spans 1000000]

A regular training trace: 100 epochs of steps of four spans each. One process writes the golden from one run; others
read it and compare a run of theirs, whose spans are in memory already: equal, one attribute of one span changed, one
name changed everywhere. `inside` canonicalises two runs and matches them. Seconds are of CPU.
"""

from __future__ import annotations

import argparse
import difflib
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parent))

from programs import Conditions, run_program, training
from rows import row

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden, write_stats
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms

EPOCHS = 100
CHANGES = ("equal", "one attribute", "one name")


def made(count, seed):
    """Return a run of about so many spans."""
    return run_program(training(epochs=EPOCHS, steps=max(1, count // (5 * EPOCHS))), Conditions(seed=seed))


def renamed(spans):
    """Return the spans with one name changed everywhere."""
    return [replace(span, name="bwd") if span.name == "backward" else span for span in spans]


def changed(spans, change):
    """Return the spans with a change."""
    if change == "one name":
        return renamed(spans)
    spans = list(spans)
    if change == "one attribute":
        at = next(at for at, span in enumerate(spans) if span.name == "optimizer" and at > len(spans) // 2)
        spans[at] = replace(spans[at], attributes={**spans[at].attributes, "lr": 0.5})
    return spans


def write(count, folder):
    """Make the golden; print what its file is like, and how many of its lines a rename changes."""
    run = made(count, 1)
    golden = make_golden([run])
    text, stats = write_golden(golden), write_stats(golden)
    (folder / "large.otg").write_text(text)
    (folder / "large.otg.stats").write_text(stats)
    twin = write_golden(make_golden([CapturedRun(renamed(run.spans))]))
    tree, other = (one[: one.index("\ncurve")].splitlines() for one in (text, twin))
    diff = [line for line in difflib.unified_diff(tree, other, n=0, lineterm="") if line[0] in "+-"][2:]
    return {
        "spans": len(run.spans),
        "lines": len(tree),
        "kb": sum(len(line) + 1 for line in tree) / 1000,
        "all_kb": len(text) / 1000,
        "changed": sum(line[0] == "+" and "bwd" in line for line in diff),
        "is_stable": write_golden(read_golden(text, stats=stats)) == text
        and write_golden(make_golden([run])) == text,
    }


def check(count, folder, change):
    """Read the golden and compare a run with it."""
    run = CapturedRun(changed(made(count, 2).spans, change))
    before = peak_gb()
    started = time.process_time()
    golden = read_golden((folder / "large.otg").read_text(), stats=(folder / "large.otg.stats").read_text())
    comparison = compare(golden, [run])
    return {
        "s": time.process_time() - started,
        "found": [[one.code, one.path, one.count] for one in comparison.failures],
        "before_gb": before,
        "peak_gb": peak_gb(),
    }


def inside(count):
    """Canonicalise two runs and match them."""
    runs = [made(count, seed) for seed in (1, 2)]
    started = time.process_time()
    forms = [canonicalize(run) for run in runs]
    middle = time.process_time()
    ledger = Ledger()
    match_forms(forms[0], forms[1], ledger)
    return {"canonical_s": middle - started, "match_s": time.process_time() - middle}


def peak_gb():
    """Return the largest resident memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def child(*arguments):
    """Do one part in a process of its own and return what it found."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def measure(count):
    """Print all of it."""
    with TemporaryDirectory() as folder:
        file = child("--spans", count, "--part", "write", "--folder", folder)
        found = [child("--spans", count, "--part", change, "--folder", folder) for change in CHANGES]
        both = child("--spans", count, "--part", "inside")
    size = f"{file['spans']:,} spans"
    whole = both["canonical_s"] + both["match_s"]
    limit = 5.0 if count > 500_000 else 0.5
    row(
        3,
        f"{size}: both sides canonicalised and matched",
        f"{whole:.2f} s",
        f"< {limit:g} s",
        is_reached=whole < limit,
    )
    worst, peak = max(one["s"] for one in found), max(one["peak_gb"] for one in found)
    if count > 500_000:
        row(
            3,
            f"{size}: golden read and compared, numbers and times included",
            f"{worst:.2f} s",
            "< 10 s",
            is_reached=worst < 10,
        )
        row(
            3,
            "... largest memory of the process, its spans included",
            f"{peak:.2f} GB",
            "< 1.5 GB",
            is_reached=peak < 1.5,
        )
        shape = f"{file['lines']} lines, {file['kb']:.1f} kB"
        row(
            5,
            f"golden of {size}, curves left out",
            shape,
            "< 200 lines, < 50 kB",
            is_reached=file["lines"] < 200 and file["kb"] < 50,
        )
        row(
            5,
            "... lines that one renamed span changes",
            str(file["changed"]),
            "<= 2",
            is_reached=0 < file["changed"] <= 2,
        )
        row(
            5,
            "... written twice, and written again as it was read",
            "identical" if file["is_stable"] else "differs",
            "byte-identical",
            is_reached=file["is_stable"],
        )
    print(
        f"{size}; canonicalise both {both['canonical_s']:.2f} s, match {both['match_s']:.2f} s; file with curves {file['all_kb']:.1f} kB\n"
    )
    print("| change | golden read and compared | findings | memory before, at most |\n|---|---|---|---|")
    for change, one in zip(CHANGES, found, strict=True):
        codes = ", ".join(f"`{code}` {path} x{times:,}" for code, path, times in one["found"]) or "none"
        print(f"| {change} | {one['s']:.2f} s | {codes} | {one['before_gb']:.2f}, {one['peak_gb']:.2f} GB |")
    expected = [[], ["attr"], ["renamed"]]
    assert [[code for code, _, _ in one["found"]] for one in found] == expected, found


def main():
    """Measure, or do one part for the process that does."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=0, help="by default 100,000 and 1,000,000")
    parser.add_argument("--part", choices=("write", "inside", *CHANGES))
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.part == "write":
        print(json.dumps(write(given.spans, given.folder)))
    elif given.part == "inside":
        print(json.dumps(inside(given.spans)))
    elif given.part:
        print(json.dumps(check(given.spans, given.folder, given.part)))
    else:
        for count in [given.spans] if given.spans else [100_000, 1_000_000]:
            measure(count)


if __name__ == "__main__":
    main()
