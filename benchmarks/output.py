"""What copying standard output costs a printed line, and how much the lines take in the store."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator

from measure import Figure, Options, alternate, each_call_us, folder, main, percentile

import otel_experiments as ox

_LINE = "epoch {} step 1200: loss=0.1234 acc=0.9876 lr=0.0010"
_LINES = 50_000


def figures(options: Options) -> Iterator[Figure]:
    rounds, burst = (9, 400) if options.is_quick else (25, 1_000)
    kept, plain, copied = sys.stdout, open(os.devnull, "w"), open(os.devnull, "w")  # noqa: SIM115, PTH123 - streams
    with folder() as path:
        ox.configure(store=path / "x.db", capture_environment=False, capture_output="python")
        sys.stdout = copied
        with ox.start_run("lines") as run:

            def ours() -> float:
                run.flush()
                return percentile(each_call_us(lambda n: print(_LINE.format(n), file=copied), burst), 0.5)

            def theirs() -> float:
                return percentile(each_call_us(lambda n: print(_LINE.format(n), file=plain), burst), 0.5)

            found, bare = alternate(rounds, ours, theirs)
        sys.stdout = kept
        ox.shutdown()
    cost = [whole - call for whole, call in zip(found, bare, strict=True)]
    yield Figure(
        "a printed line that is copied into the run, beyond print itself, p50", "us", cost,
        limits={"print to /dev/null": statistics.median(bare)},
        target="<= 5 us", is_reached=statistics.median(cost) <= 5,
    )  # fmt: skip
    with folder() as path:
        ox.configure(
            store=path / "y.db", capture_environment=False, capture_output="python", system_metrics_s=0
        )
        sys.stdout = copied
        with ox.start_run("many"):
            for number in range(_LINES):
                print(_LINE.format(number))
        sys.stdout = kept
        ox.shutdown()
        size = (path / "y.db").stat().st_size
    yield Figure(
        "bytes of a line in the store, 50,000 lines", "B", [size / (_LINES)], note="52 characters each"
    )


if __name__ == "__main__":
    main(figures)
