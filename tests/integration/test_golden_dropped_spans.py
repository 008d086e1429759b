"""X4: a real batch processor whose queue is full drops spans, and what is left is not compared."""

import threading

import pytest
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_experiments as ox
from otel_experiments.capture import capture_exported
from otel_experiments.errors import IncompleteTraceError
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare


class SlowExporter(GoldenSpanExporter):
    """An exporter whose first batch takes until `released` is set, as a collector does that is away."""

    def __init__(self):
        super().__init__()
        self.released = threading.Event()

    def export(self, spans):
        """Wait, then collect."""
        self.released.wait(timeout=30)
        return super().export(spans)


def record(configure, *, queue):
    """Return the exporter that was given a run of 41 spans through a queue of this size."""
    exporter = SlowExporter()
    processor = BatchSpanProcessor(
        exporter, max_queue_size=queue, max_export_batch_size=4, schedule_delay_millis=10
    )
    configure(span_processors=[processor])
    if queue > 100:
        exporter.released.set()
    with ox.start_run("train") as run:
        for number in range(40):
            with run.stage(f"part {number}"):
                pass
    exporter.released.set()
    processor.force_flush()
    return exporter


def test_a_full_queue_makes_the_candidate_incomplete(configure):
    """The capture is refused with the numbers, and a comparison of what is left is error 4 and never `removed`."""
    golden = make_golden([capture_exported(record(configure, queue=1000))])
    exporter = record(configure, queue=8)
    kept = len(exporter.spans)

    with pytest.raises(IncompleteTraceError) as raised:
        capture_exported(exporter)
    comparison = compare(golden, [CapturedRun(exporter.spans)])

    assert kept < 41
    assert f"{41 - kept} of 41 spans were dropped" in str(raised.value)
    assert (comparison.verdict, comparison.exit_code) == ("error", 4)
    assert [(one.code, one.count) for one in comparison.findings] == [("incomplete-trace", 41 - kept)]
