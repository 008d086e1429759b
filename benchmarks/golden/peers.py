"""What other ways of comparing traces make of the generated pairs of `generate.py`.

    python benchmarks/golden/peers.py --pairs 1000

Ports of their rules onto our spans, given every help: ids, times and volatile attributes are taken away first. Each
sees the first golden run and the candidate; a peer that scores is asked at its own threshold.
"""

from __future__ import annotations

import argparse
import collections
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from generate import EXPECTED, make_golden, make_runs, read_golden, write_golden, write_stats

from otel_experiments.golden.canonical.normalize import normalize_text
from otel_experiments.golden.canonical.roles import Role, Roles
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.score.equivalence import compare_traces
from otel_experiments.golden.score.literal import OBSERVABLE, SystemCall
from otel_experiments.model.tree import build_forest

ROLES = Roles()


def jaeger_paths(run):
    """Jaeger's trace comparison: how often each path of ancestors occurs, with a mark for leaves."""
    counts = collections.Counter()
    stack = [(node, ()) for node in build_forest(run.spans)]
    while stack:
        node, above = stack.pop()
        path = (*above, node.span.name)
        counts[path, not node.children] += 1
        stack += [(child, path) for child in node.children]
    return counts


def name_counts(run):
    """Holistic Trace Analysis: how often each operator ran."""
    return collections.Counter(span.name for span in run.spans)


def name_set(run):
    """clnrm: which spans there are."""
    return {span.name for span in run.spans}


def snapshot_text(run):
    """A snapshot test: the tree as text, siblings by start, floats rounded, volatile attributes out."""
    lines = []
    stack = [(node, 0) for node in reversed(build_forest(run.spans))]
    while stack:
        node, depth = stack.pop()
        kept = []
        for key, value in sorted(node.span.attributes.items()):
            if ROLES.role_of(key, type(value)) is Role.VOLATILE:
                continue
            shown = normalize_text(value)[0] if isinstance(value, str) else value
            kept.append(f"{key}={round(shown, 6) if isinstance(shown, float) else shown!r}")
        events = [event.name for event in node.span.events]
        lines.append(f"{'  ' * depth}{node.span.name} {node.span.kind} {node.span.status} {kept} {events}")
        stack += [(child, depth + 1) for child in reversed(node.children)]
    return lines


def seed_is_equal(golden, candidate):
    """renacer's verdict, its score at 0.85: every span counts as one of its 34 observable calls."""
    names = sorted({span.name for run in (golden, candidate) for span in run.spans})
    stand_in = dict(zip(names, sorted(OBSERVABLE), strict=False))
    calls = [
        [
            SystemCall(stand_in.get(span.name, span.name), int(span.status), span.end_ns - span.start_ns)
            for span in sorted(run.spans, key=lambda span: span.start_ns)
        ]
        for run in (golden, candidate)
    ]
    return compare_traces(*calls, mode="seed").is_equivalent()


PEERS = {
    "renacer score (port)": lambda golden, candidate, _: seed_is_equal(golden, candidate),
    "Jaeger path counts (port)": lambda golden, candidate, _: jaeger_paths(golden) == jaeger_paths(candidate),
    "HTA name counts (port)": lambda golden, candidate, _: name_counts(golden) == name_counts(candidate),
    "clnrm name set (port)": lambda golden, candidate, _: name_set(golden) == name_set(candidate),
    "snapshot text": lambda golden, candidate, _: snapshot_text(golden) == snapshot_text(candidate),
    "otel-experiments": lambda _, candidate, golden: compare(golden, [candidate]).verdict == "pass",
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=500)
    parser.add_argument("--seed", default="peers")
    options = parser.parse_args()
    alarms, missed, seconds = collections.Counter(), collections.Counter(), collections.Counter()
    by_operator = {name: collections.Counter() for name in PEERS}
    operators = collections.Counter()
    for changed in (False, True):
        for number in range(options.pairs):
            runs, candidate, operator = make_runs(f"{options.seed}/{number}", changed=changed)
            golden = make_golden(runs)
            golden = read_golden(write_golden(golden), stats=write_stats(golden))
            operators[operator] += 1
            for name, is_equal in PEERS.items():
                started = time.perf_counter()
                equal = is_equal(runs[0], candidate, golden)
                seconds[name] += time.perf_counter() - started
                if changed and equal:
                    missed[name] += 1
                    by_operator[name][operator] += 1
                elif not changed and not equal:
                    alarms[name] += 1
    print(
        f"| {options.pairs} equal and {options.pairs} changed pairs | false alarms | missed | missed by operator |"
    )
    print("|---|---|---|---|")
    for name in PEERS:
        worst = ", ".join(
            f"{operator} {count}/{operators[operator]}"
            for operator, count in by_operator[name].most_common(6)
        )
        print(
            f"| {name} | {alarms[name]} ({alarms[name] / options.pairs:.1%}) | {missed[name]} ({missed[name] / options.pairs:.1%}) | {worst or '-'} |"
        )
    spent = ", ".join(f"{name} {value:.0f}" for name, value in seconds.items())
    print(f"\n{len(EXPECTED)} operators; seconds: {spent}")


if __name__ == "__main__":
    main()
