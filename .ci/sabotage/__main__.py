"""Break the product on purpose, one line at a time, and see whether the tests notice.

`python .ci/sabotage` changes lines of a change (against --base; without it, against the commit at which this branch left the main one,
on the main one the newest commits) or of whole modules (--within), in a copy of the tree, runs the tests that reach
the line, and prints what was caught and what survived. It fails when more mutants survived than --most, those that
tests/sabotage_explained.txt explains left out.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from change import (
    PACKAGE,
    ChangeError,
    branch_point,
    changed_lines,
    earlier,
    git,
    modules_within,
)
from explained import ExplainedError, read_explained, stale_entries
from mutant import Mutant, read_mutants
from nearness import Nearness
from reach import Reach, ReachError, measure_reach
from trial import Copy, Outcome

EXPLAINED = "tests/sabotage_explained.txt"
MAP_SHARE = 0.5
"""How much of the time goes at most into finding out which tests reach which line."""
MOST_TESTS_S = 20.0
"""How long the tests of one mutant take at most, by their last run; the nearest and quickest are taken."""
MOST_COMMITS = 30


@dataclass(slots=True)
class Report:
    """What was found, printed as it comes."""

    counts: Counter[Outcome] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, mutant: Mutant, outcome: Outcome, tests: int) -> None:
        """Print one mutant."""
        with self.lock:
            self.counts[outcome] += 1
            print(f"{outcome.value:9} {mutant.path}:{mutant.line}  {mutant.operator}, {tests} tests")
            if outcome is Outcome.SURVIVED:
                print(f"          - {mutant.before}\n          + {mutant.after}\n          {mutant.key}")
            sys.stdout.flush()


def candidates(root: Path, options: argparse.Namespace) -> tuple[str, list[Mutant]]:
    """Return the mutants to draw from and, in words, where they are."""
    if options.within:
        paths = [path for place in options.within for path in modules_within(root, place)]
        return ", ".join(options.within), [
            mutant for path in paths for mutant in read_mutants(root, path, None)
        ]
    base = options.base or branch_point(root)
    if base:
        return f"the lines since {base[:12]}", mutants_since(root, base)
    found: list[Mutant] = []
    for commits in range(1, MOST_COMMITS + 1):
        base = earlier(root, commits)
        found = mutants_since(root, base)
        if len(found) >= options.sample:
            break
    return f"the lines of the newest {commits} commits", found


def mutants_since(root: Path, base: str) -> list[Mutant]:
    """Return the mutants of the lines that are not in `base`."""
    return [
        each for path, lines in changed_lines(root, base).items() for each in read_mutants(root, path, lines)
    ]


def drawn(mutants: list[Mutant], most: int, chance: random.Random) -> list[Mutant]:
    """Return at most so many mutants in random order, second ones of a line only when there is room for them."""
    shuffled = chance.sample(mutants, len(mutants))
    seen: Counter[tuple[PurePosixPath, int]] = Counter()
    rounds = []
    for mutant in shuffled:
        seen[mutant.path, mutant.line] += 1
        rounds.append((seen[mutant.path, mutant.line], mutant))
    return [mutant for _, mutant in sorted(rounds, key=lambda pair: pair[0])][:most]


def chosen_tests(mutant: Mutant, reach: Reach, nearness: Nearness) -> list[str]:
    """Return the tests to run on a mutant: the nearest and quickest first, as many as the time allows.

    Those are the ones that reach its line, and the module's tests that reach it in none but other processes.
    """

    def distance(test: str) -> int:
        return nearness.distance(PurePosixPath(test.partition("::")[0]), mutant.path)

    reaching = reach.tests_of(mutant.path, mutant.line)
    elsewhere = {test for test in reach.elsewhere(mutant.path) if distance(test) == 0}
    taken: list[str] = []
    total_s = 0.0
    for test in sorted(
        reaching | elsewhere, key=lambda test: (test in elsewhere, distance(test), reach.seconds.get(test, 0))
    ):
        total_s += reach.seconds.get(test, 0)
        if taken and total_s > MOST_TESTS_S:
            break
        taken.append(test)
    return taken


def try_all(
    copies: list[Copy], mutants: list[Mutant], reach: Reach, nearness: Nearness, end: float
) -> Report:
    """Try the mutants in order, one a copy at a time, until all are done or the time is over."""
    report = Report()
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for mutant in mutants:
        waiting.put(mutant)

    def work(copy: Copy) -> None:
        while time.monotonic() < end:
            try:
                mutant = waiting.get_nowait()
            except queue.Empty:
                return
            tests = chosen_tests(mutant, reach, nearness)
            expected_s = sum(reach.seconds.get(test, 0) for test in tests)
            outcome = copy.tried(mutant, tests, expected_s=expected_s) if tests else Outcome.UNREACHED
            report.add(mutant, outcome, len(tests))

    threads = [threading.Thread(target=work, args=(copy,)) for copy in copies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return report


def sabotage(root: Path, options: argparse.Namespace) -> int:
    """Try the mutants that the options ask for, print what became of them, and return the exit code."""
    begin = time.monotonic()
    reasons = read_explained(root / options.explained)
    if stale := stale_entries(root, reasons):
        print(
            f"{options.explained} explains changes of code that is gone; delete these entries:",
            *stale,
            sep="\n  ",
        )
        return 1
    where, found = candidates(root, options)
    unexplained = [mutant for mutant in found if mutant.key not in reasons]
    seed = options.seed or git(root, "rev-parse", "HEAD").strip()
    mutants = drawn(unexplained, options.sample, random.Random(seed))
    print(
        f"{len(mutants)} of {len(found)} mutants of {where}, {len(found) - len(unexplained)} explained, seed {seed}"
    )
    if not mutants:
        return 0
    modules = sorted({mutant.path for mutant in mutants})
    nearness = Nearness(root, tuple(options.tests), PACKAGE)
    with tempfile.TemporaryDirectory(prefix="sabotage-") as work:
        Path(work).chmod(0o755)  # tests that give up root's rights still read their copy
        copies = [Copy.of(root, Path(work, str(number))) for number in range(options.jobs)]
        reach = measure_reach(copies, modules, nearness.near(modules), limit_s=MAP_SHARE * options.budget_s)
        print(
            f"{len(reach.seconds)} tests near {len(modules)} modules in {time.monotonic() - begin:.0f} s",
            flush=True,
        )
        if reach.is_cut:
            print(
                "the time was over before all of these tests had run: one of the others may catch a survivor"
            )
        if reach.failed:
            print("left out, since they fail without a change:", *sorted(reach.failed), sep="\n  ")
        report = try_all(copies, mutants, reach, nearness, begin + options.budget_s)
    survived, tried = report.counts[Outcome.SURVIVED], report.counts.total()
    print(
        f"{report.counts[Outcome.CAUGHT]} caught, {survived} survived (at most {options.most}), "
        f"{report.counts[Outcome.UNREACHED]} on lines that no test near them reaches, "
        f"{len(mutants) - tried} not tried, {time.monotonic() - begin:.0f} s"
    )
    if survived > options.most:
        print(
            f"Write a test that fails without the line, or explain the key, the last line of each, in {options.explained}."
        )
        return 1
    return 0


def main() -> int:
    """Read the options and run."""
    parser = argparse.ArgumentParser(prog="python .ci/sabotage", description=__doc__.split("\n\n")[0])
    parser.add_argument("--base", help="a revision; lines that it has are left alone")
    parser.add_argument(
        "--within", action="append", help="a module or folder, all of whose lines are taken (repeatable)"
    )
    parser.add_argument("--sample", type=int, default=40, help="how many mutants are drawn at most")
    parser.add_argument("--seed", help="what draws them; the commit if left out")
    parser.add_argument("--budget-s", type=float, default=240, help="how long all of it may take")
    parser.add_argument("--most", type=int, default=0, help="how many may survive")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4), help="how many at a time")
    parser.add_argument(
        "--tests",
        nargs="+",
        default=["tests/unit", "tests/property", "tests/integration"],
        help="folders of tests",
    )
    parser.add_argument("--explained", default=EXPLAINED, help="the file of mutants that do no harm")
    try:
        return sabotage(Path(__file__).resolve().parents[2], parser.parse_args())
    except (ChangeError, ExplainedError, ReachError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
