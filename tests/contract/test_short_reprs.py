"""No repr of a public object prints pages or reads a store: each fits on a few lines, however much the object holds."""

import importlib
import inspect
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments import capture, figures, golden, search, testing
from otel_experiments._short_repr import fields_repr, mapping_repr, short
from otel_experiments.analysis import Price, PriceTable
from otel_experiments.figures import Area, Axis, Bars, Curves, Figure, Heat, Histogram, Line, Mark
from otel_experiments.model.search import SpanQuery
from otel_experiments.query import SpansView
from otel_experiments.query.output_view import OutputLine

LIMIT = 600
LONG = "n" * 10_000
NAMES = Path(__file__).parent / "public_names.txt"
OF_A_CLASS_WITHOUT_CONTENT = {
    "exporters", "receiver", "errors",
}  # fmt: skip
"""Packages whose classes hold settings or one message, and are not made here."""


@pytest.fixture(scope="module")
def objects(tmp_path_factory):
    """Return an object of each public class that holds recorded data, a run with much in it behind them."""
    store = tmp_path_factory.mktemp("store") / "runs.db"
    ox.configure(store=store, quiet=True)
    config = {LONG[:200]: LONG, **{f"p{number}": [number] * 1_000 for number in range(1_000)}}
    try:
        with ox.start_run("job", config=config, tags={"t": LONG}) as run:
            for name in range(200):
                run.log({f"m{name}": 1.0}, step=1)
            for step in range(2_000):
                run.log({"loss": float(step)}, step=step)
            for number in range(200):
                with run.span(f"s{number}", note=LONG[:500]) as scope:
                    pass
            for step in range(99):
                run.log(
                    {"w": ox.Histogram(np_histogram=([1.0] * 99, range(100))), LONG[:200]: ox.Text("x")},
                    step=step,
                )
            run.summary.update({"note": LONG, **{f"s{number}": LONG for number in range(300)}})
            digest = run.log_artifact(b"x", name="a" * 100, metadata={"note": LONG})
            handle = run.log_artifact(b"y", name="b", wait=False)
            report = run.flush()
            with run.checkpoint("c") as saved:
                pass
        view = ox.run("job")
        captured = capture.capture_run(view)
        made = golden.make_golden([captured], name="job")
        series = view.metrics["loss"]
        with ox.start_run(LONG, config={LONG[:200]: 1}):
            pass
        diff = ox.diff("job", "latest")
        yield {
            "run": run, "config": run.config, "run summary": run.summary, "summary": view.summary,
            "param change": view.params.history(LONG[:200])[0], "scope": scope, "checkpoint": saved, "report": report, "runs": ox.runs(),
            "view": view, "params": view.params, "metrics": view.metrics, "series": series, "points": series.points(),
            "band": series.band(), "numpy": series.numpy(), "spans": view.spans, "traces": ox.traces(), "tree": view.spans.tree(),
            "reader": ox.open_reader(), "store": ox.open_reader().store, "table": ox.sql("select * from spans"),
            "experiments": ox.experiments(), "captured": captured, "golden": made,
            "comparison": golden.compare(made, [captured]), "otlp": ox.Otlp(), "state": view.state, "figure": series.plot(), "image": ox.Image([[0] * 9] * 9, caption=LONG), "audio": ox.Audio("a.wav"),
            "video": ox.Video("a.mp4"), "html": ox.Html(LONG), "text": ox.Text(LONG), "histogram": ox.Histogram([1.0] * 999),
            "rows": ox.Table(rows=[[1] * 500] * 9), "media": view.media, "media series": view.media["w"], "media item": view.media["w"].last,
            "output": view.output, "output line": OutputLine(time_ns=1, stream="stdout", text=LONG, pid=1),
            "heat map": view.media["w"].heatmap(), "digest": digest, "handle": handle, "artifacts": view.artifacts,
            "diff": diff, "side": diff.b, "difference": diff.differences[0], "path": next(iter(diff.paths_a.values())),
            "table of runs": (table := ox.compare("job", "latest")), "row": table.rows[0],
            "A/B test": (tested := ox.ab_test("duration", by="name")), "group": tested.groups[1], "sample test": tested.groups[1].test,
            "analysis": (analysis := view.analysis(prices={f"{LONG}{at}": (1, 1) for at in range(99)})), "latency": analysis.latency,
            "reliability": analysis.reliability, "level": analysis.reliability.levels[0], "tokens": analysis.tokens, "cost": analysis.cost,
            "prices": PriceTable({f"{LONG}{at}": (1, 1) for at in range(99)}), "price": Price(1, 2), "window": view.spans.last(99),
            "artifact": view.artifacts["a" * 100], "lineage": ox.open_reader().lineage("b"),
            "curves": series.plot().spec, "policy": golden.Policy(), "rules": golden.Rules(),
            "condition": search.Param(LONG) < 1, "calculated": search.Metric(LONG) + 1, "searched artifact": search.Artifact(LONG),
            "searched metric": search.Metric(LONG), "searched param": search.Param(LONG), "tag": search.Tag(LONG), "summary value": search.Summary(LONG), "searched span": search.Span(LONG), "searched run": search.Run("name"),
            "curve settings": golden.CurveSettings(), "clock": testing.SteppingClock(), "ids": testing.SequentialIds(),
        }  # fmt: skip
    finally:
        ox.shutdown()


def test_each_repr_is_short(objects):
    """Of a run with a thousand params, two hundred metrics and spans, and long texts, everything fits on a few lines."""
    too_long = {name: len(repr(value)) for name, value in objects.items() if len(repr(value)) > LIMIT}

    assert too_long == {}
    assert [name for name, value in objects.items() if "\n" in repr(value)] == []


def test_each_repr_says_what_the_object_is(objects):
    """It begins with the class, so that a person knows what they have."""
    silent = [
        name
        for name, value in objects.items()
        if not isinstance(value, list | str) and type(value).__name__ not in repr(value)[:80]
    ]

    assert silent == []


def test_every_public_class_of_data_is_looked_at(objects):
    """Who adds a public class adds an object of it here, or its package to those whose classes hold no data."""
    seen = {cls.__name__ for value in objects.values() for cls in type(value).__mro__}
    values = (
        Line("a", [1], [1]), Area("a", [1], low=[1], high=[1]), Mark(1, "a"), Axis(), Histogram("a", [0, 1], [1]),
        Bars("a", ("b",), [1]), Heat("a", [[1]], columns=("b",), rows=("c",)), Curves("a"), Figure(Curves("a")),
    )  # fmt: skip
    seen |= {type(value).__name__ for value in values}
    missing = []
    package = ""
    for line in NAMES.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            package = line
        elif not line.startswith("     "):
            value = getattr(importlib.import_module(package), line.strip())
            if inspect.isclass(value) and package.rpartition(".")[2] not in OF_A_CLASS_WITHOUT_CONTENT:
                missing.append(value.__name__)

    assert sorted(set(missing) - seen - HOLD_LITTLE) == []


HOLD_LITTLE = {
    "Advice", "Code", "EquivalenceScore", "ExperimentMetadata", "ExperimentSpan", "Finding", "IgnoreRule", "Level", "LiveCapture",
    "LineageNode", "LiveCheck", "LiveCheckLogProcessor", "LiveCheckMetricExporter", "LiveCheckSpanProcessor", "Recorder", "Plot", "SpanType", "Store",
    "JSONLMetrics", "MetricsSink", "ReadingStore", "StoreBase", "StoreContract", "WritingStore",
    "SystemCall", "CodeFacts",
}  # fmt: skip
"""Public classes that hold a few fields, or no data of a run."""


def test_a_repr_reads_nothing():
    """Spans that were never looked at say which they are without a store behind them."""
    assert repr(SpansView(None, SpanQuery(run_id="a" * 32))) == f"SpansView(run_id={'a' * 32!r})"


@pytest.mark.parametrize(
    "value",
    [
        Line("a" * 999, range(10_000), [1.0] * 10_000),
        Curves(LONG, tuple(Line(str(number), range(10), range(10)) for number in range(100))),
        Heat("h", [[1.0] * 100] * 100, columns=tuple(map(str, range(100))), rows=tuple(map(str, range(100)))),
        Bars("b", tuple(map(str, range(100))), range(100)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_columns_are_counted(value):
    """A column of ten thousand values is its number in the repr."""
    assert len(repr(value)) < LIMIT
    assert " values>" in repr(value)


def test_mappings_and_values_are_cut():
    """The first items are written out, the others counted; a value is cut in its middle; NumPy is not needed."""
    told = mapping_repr("Config", {f"k{number}": number for number in range(100)})

    assert (
        told
        == "Config({'k0': 0, 'k1': 1, 'k2': 2, 'k3': 3, 'k4': 4, 'k5': 5, 'k6': 6, 'k7': 7, and 92 more})"
    )
    assert len(short(LONG)) <= 120
    assert fields_repr(Axis()) == "Axis()"
    assert figures.__all__
