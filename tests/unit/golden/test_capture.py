"""Captured runs from every source: this process, commands, stores, files, exporters; and what is refused."""

import gc
import gzip
import json
import subprocess
import sys
import weakref

import pytest
from google.protobuf.json_format import MessageToDict
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import otel_experiments as ox
from otel_experiments.capture import (
    capture_command,
    capture_exported,
    capture_file,
    capture_store,
    record_here,
)
from otel_experiments.capture.grouping import group_spans
from otel_experiments.errors import (
    CommandFailedError,
    EmptyTraceError,
    GoldenRuleError,
    IncompleteTraceError,
    TelemetryDecodeError,
)
from otel_experiments.exporters.golden import GoldenSpanExporter
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.policy import Policy
from otel_experiments.model.span import Span

PROGRAM = """
import sys
import otel_experiments as ox

for name in sys.argv[1:]:
    with ox.start_run(name) as run:
        with run.stage("fit"):
            run.log({"loss": 0.5}, step=3)
"""


def train(name="mlp"):
    """Record a run of two spans and one point."""
    with ox.start_run(name) as run, run.stage("fit"):
        run.log({"loss": 0.5}, step=3)


def names(run):
    """Return the span names of a captured run in the order of their start."""
    return [span.name for span in sorted(run.spans, key=lambda span: span.start_ns)]


@pytest.fixture
def program(tmp_path):
    """Return the command of a training script."""
    path = tmp_path / "train.py"
    path.write_text(PROGRAM)
    return [sys.executable, str(path)]


def test_this_process_is_captured_without_leaving_a_trace(tmp_path):
    """A block's run comes with spans, points and surroundings; no store is left and no file written."""
    with record_here() as capture:
        train()

    run = capture.captured
    assert (run.name, names(run)) == ("mlp", ["run default", "stage fit"])
    assert run.metrics == [MetricSeries("loss", [3.0], [0.5])]
    assert run.environment["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert list(tmp_path.iterdir()) == []


def test_child_runs_go_with_their_parent():
    """Runs inside a run are captured with it, their metrics under their names."""
    with record_here() as capture, ox.start_run("sweep") as run:
        run.log({"best": 1.0}, step=0)
        train("trial")

    assert sorted(series.name for series in capture.captured.metrics) == ["best", "trial:loss"]
    assert names(capture.captured).count("run default") == 2


def test_child_runs_are_told_apart_whatever_their_names():
    """Trials of one name, and trials that nobody named, have metrics of their own, under the same names each time."""

    def sweep():
        with record_here() as capture, ox.start_run("sweep"):
            for value in (0.5, 0.25):
                for name in ("trial", None):
                    with ox.start_run(name) as run:
                        run.log({"loss": value}, step=0)
        return capture.captured

    first, second = sweep(), sweep()

    assert sorted((one.name, one.values[0]) for one in first.metrics) == [
        ("run#2:loss", 0.25), ("run:loss", 0.5), ("trial#2:loss", 0.25), ("trial:loss", 0.5),
    ]  # fmt: skip
    assert compare(make_golden([first]), [second], policy=Policy(timing="off")).findings == ()


def test_spans_of_other_libraries_belong_to_the_run_whose_trace_they_are_in():
    """A span without a run's id goes with the run of its trace, wherever it comes; one of no run's trace stays alone."""

    def made(trace, own, run_id, start):
        return Span(trace * 32, own * 16, "work", start, start + 1, run_id=run_id)

    mine, other = made("a", "1", "a" * 32, 20), made("b", "2", "d" * 32, 30)  # the other in a chunk trace
    early, late, alone = made("a", "3", None, 10), made("b", "4", None, 40), made("c", "5", None, 50)

    assert group_spans([early, mine, other, late, alone]) == [[early, mine], [other, late], [alone]]


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, ", ...")])
def test_many_runs_of_a_store_are_not_all_named(tmp_path, count, more):
    """Five names tell which runs there are; beyond them it is said that there are more."""
    ox.configure(store=tmp_path / "runs.db", system_metrics_s=0, capture_git=False)
    for number in range(count):
        train(f"r{number}")
    ox.shutdown()

    with pytest.raises(GoldenRuleError) as caught:
        capture_store(tmp_path / "runs.db")

    assert f"{count} were recorded: 'r0', 'r1', 'r2', 'r3', 'r4'{more}.\n" in str(caught.value)


def test_spans_of_a_given_provider_are_captured():
    """A program that records no run but plain OpenTelemetry spans is captured through its provider."""
    with record_here() as capture, capture.tracer_provider.get_tracer("lib").start_as_current_span("work"):
        pass

    assert names(capture.captured) == ["work"]


def test_garbage_of_before_is_collected_before(tmp_path):
    """A block starts without garbage, what lives then is left out of collections, and the block's end undoes that."""

    class Cycle:
        def __init__(self):
            self.own = self

    gone = []
    weakref.finalize(Cycle(), gone.append, "collected")
    with record_here(), ox.start_run("mlp"):
        assert gone == ["collected"]
        assert gc.get_freeze_count() > 0
    assert gc.get_freeze_count() == 0
    with pytest.raises(KeyError), record_here():
        raise KeyError
    assert gc.get_freeze_count() == 0


def test_what_the_program_froze_stays_frozen():
    """Whoever has frozen objects before, as servers do before they fork, finds them frozen afterwards."""
    gc.freeze()
    frozen = gc.get_freeze_count()
    try:
        with record_here(), ox.start_run("mlp"):
            assert gc.get_freeze_count() > frozen / 2  # some of them die, and are not counted then
        assert gc.get_freeze_count() > frozen / 2
    finally:
        gc.unfreeze()


def test_an_exception_passes_and_nothing_is_captured():
    """The body's exception is the caller's; a half run is no run."""
    error = ValueError("boom")

    with pytest.raises(ValueError, match="boom") as raised, record_here() as capture:
        raise error

    assert raised.value is error
    with pytest.raises(EmptyTraceError):
        _ = capture.captured


def test_several_runs_are_refused_and_one_is_chosen_by_name():
    """A golden is made from one run: two are refused with their names, or one is selected."""
    capture = record_here()
    capture.__enter__()
    train("a")
    train("b")
    with pytest.raises(GoldenRuleError, match=r"2 were recorded: 'a', 'b'"):
        capture.__exit__(None, None, None)

    with record_here(select="b") as capture:
        train("a")
        train("b")

    assert capture.captured.name == "b"


def test_a_command_is_captured_several_times(program, capfd):
    """Each execution gives one run; nothing is left in the working directory."""
    runs = capture_command([*program, "mlp"], runs=2)

    assert [names(run) for run in runs] == [["run default", "stage fit"]] * 2
    assert runs[0].spans[0].trace_id != runs[1].spans[0].trace_id


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        (["-c", "raise SystemExit(3)"], CommandFailedError, "ended with exit code 3"),
        (["-c", "import os; os.kill(os.getpid(), 9)"], CommandFailedError, "was ended by signal 9"),
        (["-c", "pass"], EmptyTraceError, "no spans"),
    ],
)
def test_a_command_that_gives_nothing_is_refused(arguments, error, text):
    """A command that fails, or records nothing, never becomes a golden."""
    with pytest.raises(error, match=text):
        capture_command([sys.executable, *arguments])


def test_a_stored_run_is_what_was_recorded(program, tmp_path):
    """From a store comes the run with its spans and points, chosen by name."""
    ox.configure(store=tmp_path / "a.db")
    train("first")
    train("second")
    ox.shutdown()

    run = capture_store(tmp_path / "a.db", select="second")

    assert (run.name, names(run), run.metrics) == (
        "second", ["run default", "stage fit"], [MetricSeries("loss", [3.0], [0.5])],
    )  # fmt: skip


def test_a_run_that_was_killed_is_refused_with_the_counts(tmp_path):
    """Spans that never ended make a trace incomplete."""
    script = (
        "import os, otel_experiments as ox\nrun = ox.start_run('x')\n"
        "with run.stage('a'): pass\nrun.stage('b').__enter__()\nrun.flush(timeout_s=5)\nos._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)

    with pytest.raises(IncompleteTraceError, match="2 spans have not ended"):
        capture_store(tmp_path / "experiments.db")


@pytest.fixture
def sdk_spans():
    """Return a trace of four spans as the SDK exports them."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("lib")
    with tracer.start_as_current_span("job"):
        for number in range(3):
            with tracer.start_as_current_span("part", attributes={"number": number}):
                pass
    return exporter.get_finished_spans()


def write_collector_proto(path, batches):
    """Write batches each behind its length, as the Collector's file exporter does."""
    path.write_bytes(b"".join(len(one).to_bytes(4, "big") + one for one in batches))


@pytest.mark.parametrize("form", ["pb", "collector", "json", "jsonl", "pretty", "gzip"])
def test_otlp_files_of_every_form_give_the_same_run(form, sdk_spans, tmp_path):
    """Protobuf, the Collector's framed protobuf, JSON, JSON Lines, indented JSON and gzip say the same."""
    path = tmp_path / "spans"
    batches = [encode_spans(sdk_spans[:2]), encode_spans(sdk_spans[2:])]
    documents = [json.dumps(MessageToDict(batch)) for batch in batches]
    match form:
        case "pb":
            path.write_bytes(b"".join(batch.SerializeToString() for batch in batches))
        case "collector":
            write_collector_proto(path, [batch.SerializeToString() for batch in batches])
        case "json":
            path.write_text(json.dumps(MessageToDict(encode_spans(sdk_spans))))
        case "jsonl":
            path.write_text("\n".join(documents) + "\n")
        case "pretty":
            path.write_text(json.dumps(MessageToDict(encode_spans(sdk_spans)), indent=2))
        case "gzip":
            path.write_bytes(gzip.compress("\n".join(documents).encode()))

    (run,) = capture_file(path)

    assert names(run) == ["job", "part", "part", "part"]
    assert [span.attributes.get("number") for span in sorted(run.spans, key=lambda s: s.start_ns)] == [
        None,
        0,
        1,
        2,
    ]


def test_a_minus_zero_that_a_collector_wrote_keeps_its_sign(sdk_spans, tmp_path):
    """Programs in Go write -0.0 as -0, which is read as the float that it was."""
    document = MessageToDict(encode_spans(sdk_spans))
    for span in document["resourceSpans"][0]["scopeSpans"][0]["spans"]:
        span["attributes"] = [{"key": "slope", "value": {"doubleValue": -0.5}}]
    path = tmp_path / "spans.json"
    path.write_text(json.dumps(document).replace("-0.5", "-0"))

    (run,) = capture_file(path)

    assert {repr(span.attributes["slope"]) for span in run.spans} == {"-0.0"}


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b'{"resourceSpans": [', "is it cut"),
        (b'{"resourceSpans": []}\n{"resource\n', "is it cut"),
        (b'{"spans": []}', "its keys: spans"),
        (b"[1]", "a int where an object should be"),
        (b"some text that is no OTLP", "no TracesData|ids of"),
        (gzip.compress(b'{"resourceSpans": []}' * 50, mtime=0)[:-20], "cut or damaged"),
    ],
)
def test_files_that_are_no_otlp_are_refused_by_name(content, text, tmp_path):
    """The error names the file and what was found; cut files are not read as short ones."""
    path = tmp_path / "candidate.json"
    path.write_bytes(content)

    with pytest.raises(TelemetryDecodeError, match=text) as raised:
        capture_file(path)

    assert str(raised.value).startswith("candidate.json")


def test_a_file_without_its_root_is_refused(sdk_spans, tmp_path):
    """A file that lacks the spans exported last is incomplete, not different."""
    path = tmp_path / "spans.pb"
    path.write_bytes(encode_spans(sdk_spans[:-1]).SerializeToString())

    with pytest.raises(IncompleteTraceError, match="the root span is missing"):
        capture_file(path)


def test_the_exporter_collects_in_memory_and_in_a_file(tmp_path):
    """Spans go through a batch processor into memory and into a file that every OTLP tool reads."""
    exporter = GoldenSpanExporter(tmp_path / "spans.pb")
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_export_batch_size=2))
    tracer = provider.get_tracer("lib")
    with tracer.start_as_current_span("job"):
        for _ in range(5):
            with tracer.start_as_current_span("part"):
                pass
    provider.shutdown()

    (run,) = capture_file(tmp_path / "spans.pb")

    assert names(capture_exported(exporter)) == names(run) == ["job", *["part"] * 5]


def test_spans_that_come_after_shutdown_make_a_capture_incomplete(sdk_spans):
    """What the exporter had to refuse is counted, so that a loss is never taken for a change."""
    exporter = GoldenSpanExporter()
    exporter.export(sdk_spans[1:])
    exporter.shutdown()

    assert exporter.export(sdk_spans[:1]) is SpanExportResult.FAILURE

    with pytest.raises(IncompleteTraceError, match="1 of 4 spans were dropped"):
        capture_exported(exporter)
