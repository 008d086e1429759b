"""An import that is killed in the middle has stored what it read, and the same command makes it whole."""

import os
import subprocess
import sys

from otel_experiments._replay import export_otlp, import_otlp
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

RUN_ID = "0af7651916cd43dd8448eb211c80319c"
COMMAND = [sys.executable, "-c", "from otel_experiments.cli import main; main()"]
COUNT = 30_000
LOSS = SeriesKey("loss")


def test_an_import_that_is_killed_is_made_whole_by_running_it_again(tmp_path):
    """SIGKILL after half of a file: some points are stored, once, and a second import has all of them, once."""
    here, elsewhere, path = tmp_path / "here.db", tmp_path / "elsewhere.db", tmp_path / "run.jsonl"
    numbers = [float(number) for number in range(COUNT)]
    times_ns = [1_700_000_000_000_000_000 + number for number in range(COUNT)]
    with open_store(here) as store:
        run = Run(RUN_ID, "large", "long", RunState.SUCCEEDED, times_ns[0], times_ns[0], times_ns[-1])
        store.apply(
            WriteBatch(runs=[run], points=[PointBlock(RUN_ID, (LOSS,), numbers, times_ns, (numbers,))])
        )
    export_otlp(path, store=here)
    content = path.read_bytes()

    process = subprocess.Popen(
        [*COMMAND, "import", "-", "--store", str(elsewhere)],
        stdin=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
    )
    # What does not fit into the pipe any more has been read, and so much of it has been stored.
    process.stdin.write(content[: len(content) * 3 // 4])
    process.stdin.flush()
    process.kill()
    process.communicate()
    with open_store(elsewhere, read_only=True) as store:
        part = store.points(RUN_ID, LOSS)
        assert 0 < len(part) < COUNT
        assert list(part.values) == numbers[: len(part)]

    report = import_otlp(path, store=elsewhere)

    assert report.is_complete
    with open_store(elsewhere, read_only=True) as store, open_store(here, read_only=True) as source:
        assert list(store.points(RUN_ID, LOSS).values) == numbers
        assert store.get_run(RUN_ID) == source.get_run(RUN_ID)
