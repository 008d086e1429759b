"""How long it takes to compare a file of OTLP/JSON with a golden, and how much memory.

python benchmarks/golden/bench_otlp_file.py [--spans 1000000] [--text 0]

The file has the shape that the Collector's file exporter writes: a line a batch of 1,000 spans. `--text` adds an
attribute of so many characters to every span: memory must not follow it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rows import row

NAMES = ("batch.get", "forward", "backward", "optimizer")
BATCH = 1000
START_NS = 1_700_000_000_000_000_000


def spans(count):
    """Yield (id, parent, name, attributes, start, end) of a training loop with five spans a step."""
    yield 1, 0, "run", {}, 0, count + 10
    for own in range(2, count, 5):
        yield own, 1, "train.step", {"step": (own - 2) // 5}, own, own + 5
        for at, name in enumerate(NAMES, 1):
            yield own + at, own, name, {"lr": 0.001} if name == "optimizer" else {}, own + at, own + at + 1


def write_file(path, count, text):
    with path.open("w", encoding="utf-8") as stream:
        held = []
        for own, parent, name, extra, start, end in spans(count):
            attributes = {"ml.span.lane": "main", "ml.span.sequence": own, **extra}
            if text:
                attributes["prompt"] = (f"span {own} " + "lorem ipsum " * (text // 12))[:text]
            held.append(
                {
                    "traceId": "1" * 32,
                    "spanId": f"{own:016x}",
                    "parentSpanId": f"{parent:016x}" if parent else "",
                    "name": name,
                    "kind": 1,
                    "startTimeUnixNano": str(START_NS + start * 1000),
                    "endTimeUnixNano": str(START_NS + end * 1000),
                    "attributes": [{"key": key, "value": _value(value)} for key, value in attributes.items()],
                    "status": {},
                }
            )
            if len(held) == BATCH:
                _flush(stream, held)
        _flush(stream, held)


def _value(value):
    if isinstance(value, str):
        return {"stringValue": value}
    return {"intValue": str(value)} if isinstance(value, int) else {"doubleValue": value}


def _flush(stream, held):
    document = {
        "resourceSpans": [
            {"resource": {"attributes": []}, "scopeSpans": [{"scope": {"name": "bench"}, "spans": held}]}
        ]
    }
    stream.write(json.dumps(document, separators=(",", ":")) + "\n")
    held.clear()


def compare_file(path, text):
    """Compare the file with a golden of a small run of the same program; print the times."""
    from otel_experiments.capture import capture_file
    from otel_experiments.golden.baseline import make_golden
    from otel_experiments.golden.canonical.roles import Rules
    from otel_experiments.golden.comparison import compare
    from otel_experiments.golden.file import read_golden, write_golden

    started = time.perf_counter()
    (run,) = capture_file(path)
    read_s = time.perf_counter() - started
    golden = read_golden(write_golden(make_golden([run], rules=Rules(volatile=("prompt",) if text else ()))))
    started = time.perf_counter()
    (run,) = capture_file(path)
    comparison = compare(golden, [run])
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started = time.perf_counter()
    compare(golden, [run])
    in_memory_s = time.perf_counter() - started
    changed = list(run.spans)
    at = next(at for at in range(len(changed) // 2, len(changed)) if changed[at].name == "optimizer")
    changed[at] = replace(changed[at], attributes={**changed[at].attributes, "lr": 0.01})
    started = time.perf_counter()
    found = compare(golden, [replace(run, spans=changed)])
    one_s = time.perf_counter() - started
    told = [(one.code, one.key, one.count) for one in found.failures]
    what = f"{len(run.spans):,} spans" + (f", each with a text of {text:,} characters" if text else "")
    print(f"{what}: {comparison.verdict}, read {read_s:.1f} s, compared in {seconds:.1f} s, {peak:.0f} MiB")
    if len(run.spans) > 500_000:
        row(
            4, f"a file of OTLP/JSON, {what}: compared", f"{seconds:.1f} s", "< 30 s", is_reached=seconds < 30
        )
    print(f"from memory {in_memory_s:.1f} s; with another value on one span {one_s:.1f} s: {told}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--text", type=int, default=0)
    parser.add_argument("--compare", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.compare:
        compare_file(options.compare, options.text)
        return
    if options.text:
        measure(options.spans, options.text)
        return
    measure(options.spans, 0)
    few = min(options.spans, 50_000)
    peaks = [measure(few, text) for text in (5_000, 10_000)]
    more, grown = few * 5_000 / 2**20, peaks[1] - peaks[0]
    row(
        4,
        f"... with {more:.0f} MiB more text on {few:,} spans, memory grows by",
        f"{grown:.0f} MiB",
        "a line of the file",
        is_reached=grown < 0.15 * more,
    )


def measure(count, text):
    """Write a file and compare it in a process of its own; return that process's largest memory in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "spans.jsonl"
        write_file(path, count, text)
        print(f"\na file of {path.stat().st_size / 1e6:,.0f} MB", flush=True)
        done = subprocess.run(
            [sys.executable, __file__, "--compare", str(path), "--text", str(text)],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
    print(done.stdout, end="", flush=True)
    return float(done.stdout.split(" MiB")[0].rsplit(" ", 1)[1])


if __name__ == "__main__":
    main()
