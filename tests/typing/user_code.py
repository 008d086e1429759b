"""Code as users write it, checked by `mypy --strict` and never run.

A line with a comment `# error: [code]` has to be refused with that code; every other line has to pass.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

import otel_experiments as ox
from otel_experiments.capture import capture_exported, capture_run, record_here
from otel_experiments.exporters import GoldenSpanExporter, StoreSpanExporter
from otel_experiments.figures import Axis, Curves, Figure, Line
from otel_experiments.golden import compare_traces
from otel_experiments.goldens import find_pending, load_golden
from otel_experiments.query import (
    ArtifactsView,
    ArtifactView,
    Heatmap,
    Lineage,
    LineageNode,
    MediaItem,
    MediaView,
    OutputLine,
    OutputView,
    Reader,
    RunList,
    RunView,
    SpansView,
)
from otel_experiments.record import FlushReport, Scope
from otel_experiments.store import Store, open_store
from otel_experiments.testing import LiveCheck, LiveCheckSpanProcessor, SteppingClock, assert_trace


@ox.run
def train(lr: float, *, epochs: int = 3) -> dict[str, float]:
    """A decorated function keeps its parameters and its result."""
    return {"lr": lr * epochs}


@ox.run(experiment="mnist", tags=["baseline"])
def train_with_options(lr: float) -> float:
    """So it does where the decorator has arguments."""
    return lr


assert_type(train(0.1, epochs=5), dict[str, float])
assert_type(train_with_options(0.1), float)
train("0.1")  # error: [arg-type]
train(0.1, epoch=5)  # error: [call-arg]
train_with_options()  # error: [call-arg]


@ox.stage
def load(path: str) -> list[int]:
    """A stage."""
    return [len(path)]


@ox.step
def update(batch: list[int]) -> float:
    """A step."""
    return sum(batch) / 2


@ox.trace(name="forward", layer=3)
def forward(x: float) -> float:
    """A traced function."""
    return x


@ox.trace
async def fetch(url: str) -> bytes:
    """A coroutine function stays one."""
    return url.encode()


@ox.trace
def batches(count: int) -> Iterator[list[int]]:
    """A generator function stays one."""
    yield from ([i] for i in range(count))


@ox.trace
async def stream(count: int) -> AsyncIterator[int]:
    """An asynchronous generator function stays one."""
    for i in range(count):
        yield i


class Trainer:
    """Methods are decorated as functions are."""

    @ox.stage
    def fit(self, epochs: int) -> "Trainer":
        """A stage that is a method."""
        return self


async def use_async() -> None:
    """What decorated coroutines and generators give is typed."""
    assert_type(await fetch("a"), bytes)
    async for item in stream(3):
        assert_type(item, int)
    fetch(3)  # error: [arg-type, unused-coroutine]


assert_type(load("a"), list[int])
assert_type(update([1]), float)
assert_type(forward(1.0), float)
assert_type(Trainer().fit(3), Trainer)
for batch in batches(3):
    assert_type(batch, list[int])
load(3)  # error: [arg-type]
Trainer().fit("3")  # error: [arg-type]


with ox.start_run("baseline", experiment="digits", config={"lr": 0.1, "optim": {"name": "sgd"}}) as run:
    assert_type(run, ox.Run)
    run.define_metric("loss", direction="min")
    run.define_metric("loss", direction="down")  # error: [arg-type]
    for epoch in run.epochs(3):
        assert_type(epoch, int)
        for name in run.steps(["a", "b"]):
            assert_type(name, str)
            run.log({"loss": 0.5, "exact": 3}, step=epoch, phase="train")
        with run.evaluation("held-out"), run.stage("report"):
            run.log({"val/acc": 0.9}, epoch=epoch)
            kept: str = run.log_artifact(
                "model.pt", "model", "model", ["best"], step=epoch, metadata={"acc": 0.9}
            )
            handle = run.log_artifact(b"bytes", "later", wait=False)
            size: int = handle.result(timeout_s=5).size_bytes
            run.log_artifact("model.pt", link="symbolic")  # error: [call-overload]
            text: str = run.use_artifact("model:best").read_text()
            digest: str = run.link_model("model.pt", aliases=["released"])
            print(kept, size, text, digest, ox.run_of("model.pt").name, ox.log_artifact("model.pt").is_folder)
        with run.span("load", rows=3) as load_span, ox.span("read") as read_span:
            load_span.set_attribute("bytes", 7)
            assert_type(load_span, Scope)
            assert_type(read_span, Scope)
        run.otel_span.add_event("checked", {"rows": 3})
        run.span.add_event("checked")  # error: [attr-defined]
    run.log({"loss": 0.5}, steps=3)  # error: [arg-type]
    run.set_tag("team", "vision")
    assert_type(run.state, ox.RunState)

ox.init("digits", config={"lr": 0.1})
ox.log({"loss": 0.5}, step=1)
ox.finish("failed", reason="loss is nan")
assert_type(ox.current_run(), ox.Run)

stored = ox.run("baseline")
assert_type(stored, RunView)
assert_type(stored.metrics["loss"].last, float)
assert_type(ox.runs("params.lr < 1", limit=3), RunList)
assert_type(ox.runs()[0], RunView)
assert_type(ox.runs()[:2], RunList)
assert_type(stored.metrics["loss"].plot(x="relative", log=True), Figure)
assert_type(stored.metrics.plot("loss", "val/*").save("loss.svg"), Path)
assert_type(ox.runs().plot("loss", phase="val", x="wall"), Figure)
stored.metrics["loss"].plot(x="epoch")  # error: [arg-type]
Figure(Curves("loss", (Line("a", [0, 1], [1.0, 0.5]),), y=Axis(scale="log"))).svg(width=800)
Line("a", "x", [1.0])  # error: [arg-type]
ox.runs(limit="3")  # error: [arg-type]
ox.configure(store="runs.db", on_error="raise", exit_timeout_s=2)
ox.configure(otlp="http://localhost:4317")
ox.configure(
    otlp=ox.Otlp(
        endpoint="http://localhost:4318", protocol="http/protobuf", headers={"a": "b"}, signals=["logs"]
    )
)
ox.strat_run()  # error: [attr-defined]

assert_type(ox.open_reader("runs.db"), Reader)
assert_type(ox.open("runs.oxb"), Reader)
assert_type(ox.bundle(["baseline"], "runs.oxb").size_bytes, int)
assert_type(ox.bundle(ox.runs("params.lr < 1"), "runs.oxb").run_ids, tuple[str, ...])
assert_type(ox.import_store("runs.oxb", store="runs.db").new_run_ids, list[str])
assert_type(ox.run("3f2a").media, MediaView)
assert_type(ox.run("3f2a").output, OutputView)
assert_type(ox.run("3f2a").output.lines("stderr"), list[OutputLine])
assert_type(ox.run("3f2a").output.tail(5), str)
assert_type(ox.run("3f2a").media["img"].at(3, index=1), MediaItem)
assert_type(ox.run("3f2a").media["weights"].heatmap(bins=20), Heatmap)
assert_type(ox.run("3f2a").media["roc"].last.plot(), Figure)
ox.log(
    {"img": ox.Image([[0, 1]], caption="c"), "t": ox.Table(["a"], [[1]]), "h": ox.Histogram([1.0])}, step=3
)
assert_type(ox.confusion_matrix([0, 1], [1, 1], class_names=["a", "b"]), ox.Plot)
ox.Audio([0.0], sample_rate="fast")  # error: [arg-type]
assert_type(ox.spans("duration > 1", order="-duration").first(10), SpansView)
assert_type(ox.run("3f2a").spans.where("duration > 1").ordered("name"), SpansView)
assert_type(ox.traces("errors > 0")[0].duration_s, float | None)
ox.traces(where=3)  # error: [arg-type]
assert_type(ox.artifact("model:best"), ArtifactView)
assert_type(ox.find_artifacts(type="model"), list[ArtifactView])
assert_type(ox.artifact("model").read_bytes(), bytes)
assert_type(ox.run("3f2a").artifacts, ArtifactsView)
assert_type(ox.run("3f2a").artifacts.get("model"), ArtifactView | None)
assert_type(ox.run("3f2a").used_artifacts, list[ArtifactView])
assert_type(ox.lineage("model:best"), Lineage)
assert_type(ox.set_alias("model:v3", "best").is_done, bool)
assert_type(ox.remove_alias("model", "best").before, str | None)
assert_type(ox.lineage("model:best").nodes, dict[str, LineageNode])
assert_type(open_store("memory://"), Store)
assert_type(run.finish(), FlushReport)
assert_type(SteppingClock()(), int)
SteppingClock(start="now")  # error: [call-arg]
LiveCheckSpanProcessor(LiveCheck())
LiveCheckSpanProcessor("strict")  # error: [arg-type]
StoreSpanExporter("runs.db")
exporter = GoldenSpanExporter("spans.pb")
capture_exported("spans.pb")  # error: [arg-type]
with record_here() as capture:
    pass
assert_trace(capture, "run")
assert_trace(capture_run(stored), 3)  # error: [arg-type]
assert_type(find_pending([Path()]), list[Path])
load_golden("train.otg")  # error: [arg-type]
compare_traces([], [], mode="seeds")  # error: [call-overload]
