"""The typed spans inside a run, and the decorators over them."""

import asyncio
import functools
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from opentelemetry import trace

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError, NoActiveRunError
from otel_experiments.record.spans import loops
from otel_experiments.semconv import attributes as attr
from otel_experiments.testing import SteppingClock


def tree(stored):
    """Return the span tree as nested (name, children)."""

    def shape(node):
        return (node.span.name, [shape(child) for child in node.children])

    return [shape(root) for root in stored.spans.tree()]


def test_scopes_nest_under_the_run_in_the_order_of_the_program(recording, read):
    """Each kind of work is a span under the one that is open around it."""
    with ox.start_run("r", experiment="e") as run:
        with run.stage("load", index=0):
            pass
        for epoch in run.epochs(2):
            for step in run.steps(2, spans=True):
                with run.batch(step, size=8):
                    pass
            with run.evaluation("val", dataset="digits", split="test"):
                pass
            assert epoch in (0, 1)
        with run.checkpoint("best"), run.inference("mlp"), run.trace("anything"):
            pass

    step = ("step", [("batch", [])])
    epoch = ("epoch", [step, step, ("evaluate val", [])])
    rest = ("save_checkpoint", [("infer mlp", [("anything", [])])])
    assert tree(read("r")) == [("run e", [("stage load", []), epoch, epoch, rest])]


def test_every_span_has_lane_sequence_and_cpu_time(recording, read):
    """Golden comparison rests on these three."""
    with ox.start_run("r") as run:
        with run.stage("busy"):
            sum(range(200_000))
        thread = threading.Thread(target=lambda: run.stage("other").__enter__().__exit__(None, None, None))
        thread.start()
        thread.join()

    spans = {span.name: span.attributes for span in read("r").spans}
    assert spans["stage busy"][attr.ML_SPAN_LANE] == "main"
    assert spans["stage other"][attr.ML_SPAN_LANE].startswith("thread-")
    assert spans["stage busy"][attr.ML_SPAN_CPU_TIME] > 100_000
    sequences = [spans[name][attr.ML_SPAN_SEQUENCE] for name in ("run default", "stage busy", "stage other")]
    assert sequences == sorted(sequences)


def test_an_exception_marks_the_scopes_that_it_leaves(recording, read):
    """Status, error.type and the exception event; the object is the same."""
    error = RuntimeError("boom")
    with ox.start_run("r") as run:
        with pytest.raises(RuntimeError) as caught, run.stage("outer"), run.trace("inner"):
            raise error
        with run.stage("after"):
            pass

    found = {span.name: (span.status.name, span.attributes.get(attr.ERROR_TYPE)) for span in read("r").spans}
    assert caught.value is error
    assert found["inner"] == found["stage outer"] == ("ERROR", "RuntimeError")
    assert found["stage after"] == ("UNSET", None)
    assert found["run default"][0] == "OK"


def test_a_checkpoint_tells_where_and_how_large_it_is(recording, read, tmp_path):
    """The span and the event carry path and size; a folder counts with all its files."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_bytes(b"x" * 10)
    (tmp_path / "model" / "b").write_bytes(b"x" * 5)
    with ox.start_run("r") as run, run.checkpoint("best", step=3) as checkpoint:
        checkpoint.wrote(tmp_path / "model")

    stored = read("r")
    (span,) = stored.spans.named("save_checkpoint")
    (event,) = [r for r in stored.log_records if r.event_name == "ml.checkpoint.saved"]
    assert (span.attributes[attr.ML_CHECKPOINT_SIZE], span.attributes[attr.ML_STEP_INDEX]) == (15, 3)
    assert event.attributes[attr.ML_CHECKPOINT_SIZE] == 15


def test_leaving_an_epoch_loop_early_ends_its_span(recording, read):
    """`break` and exceptions close the epoch that was open."""
    with ox.start_run("r") as run:
        for _ in run.epochs(10):
            break
        with run.stage("after"):
            pass

    assert tree(read("r")) == [("run default", [("epoch", []), ("stage after", [])])]


def test_long_runs_are_cut_into_linked_chunk_traces(recording, read, monkeypatch):
    """Beyond the limit, steps go to traces of their own, linked both ways, under the same run id."""
    monkeypatch.setattr(loops, "MAX_TRACE_SPANS", 10)
    with ox.start_run("r") as run:
        for _ in run.steps(35, spans=True):
            pass

    spans = list(read("r").spans)
    (root,) = [span for span in spans if span.name == "run default"]
    chunks = [span for span in spans if span.name == "chunk default"]
    steps = [span for span in spans if span.name == "step"]
    assert {span.run_id for span in spans} == {run.id}
    assert [s.attributes[attr.ML_STEP_INDEX] for s in steps] == list(range(35))
    assert len(chunks) == 3
    assert max(sum(s.trace_id == t for s in spans) for t in {s.trace_id for s in spans}) <= 12
    assert {link.trace_id for chunk in chunks for link in chunk.links} == {root.trace_id}
    assert {link.trace_id for link in root.links} == {chunk.trace_id for chunk in chunks}
    for chunk in chunks:
        inside = [s.attributes[attr.ML_STEP_INDEX] for s in steps if s.trace_id == chunk.trace_id]
        said = [
            chunk.attributes[key] for key in (attr.ML_TRACE_CHUNK_FIRST_STEP, attr.ML_TRACE_CHUNK_LAST_STEP)
        ]
        assert said == [inside[0], inside[-1]]


def test_a_chunk_of_batches_names_no_step(recording, read, monkeypatch):
    """Batches have numbers of their own: only steps are said to be in a chunk."""
    monkeypatch.setattr(loops, "MAX_TRACE_SPANS", 10)
    with ox.start_run("r") as run:
        for index in range(25):
            with run.batch(index):
                pass

    chunks = [span for span in read("r").spans if span.name == "chunk default"]
    assert len(chunks) == 2
    for chunk in chunks:
        assert not {attr.ML_TRACE_CHUNK_FIRST_STEP, attr.ML_TRACE_CHUNK_LAST_STEP} & set(chunk.attributes)


def test_a_chunk_trace_closes_after_an_hour(configure, monkeypatch):
    """A slow run's chunk ends long before it is full, so that a backend gets its root; its times hold its steps."""
    monkeypatch.setattr(loops, "MAX_TRACE_SPANS", 10)
    configure(clock=SteppingClock(step_ns=15 * 60 * 10**9))
    with ox.start_run("r") as run:
        for _ in run.steps(22, spans=True):
            pass

    spans = list(ox.run("r").spans)
    chunks = [span for span in spans if span.name == "chunk default"]
    assert len(chunks) > 3
    for chunk in chunks:
        inside = [span for span in spans if span.parent_span_id == chunk.span_id]
        assert 0 < len(inside) < 10
        assert chunk.start_ns <= min(span.start_ns for span in inside)
        assert max(span.end_ns for span in inside) <= chunk.end_ns
        assert chunk.end_ns - chunk.start_ns <= 2 * 3600 * 10**9


def test_a_trace_is_cut_by_its_size_too(recording, read, monkeypatch):
    """Few spans of large attributes fill a trace as well as many small ones do."""
    monkeypatch.setattr(loops, "MAX_TRACE_BYTES", 20_000)
    with ox.start_run("r") as run:
        for _ in run.steps(12, spans=True):
            with run.trace("large") as large:
                large.span.set_attribute("text", "x" * 4_000)

    large = [span for span in read("r").spans if span.name == "large"]
    by_trace = [sum(span.trace_id == trace_id for span in large) for trace_id in {s.trace_id for s in large}]
    assert len(by_trace) > 1
    assert max(by_trace) <= 6


def test_a_task_has_no_cpu_time(recording, read):
    """Tasks take turns in one thread, whose CPU time is that of all of them: neither span nor run claims it."""

    async def work():
        with ox.start_run("in a task") as run, run.stage("alone"):
            pass

    asyncio.run(work())

    spans = list(read("in a task").spans)
    assert [span.name for span in spans] == ["run default", "stage alone"]
    assert all("/task-" in span.attributes[attr.ML_SPAN_LANE] for span in spans)
    assert not any(attr.ML_SPAN_CPU_TIME in span.attributes for span in spans)


def test_two_runs_at_once_never_mix(recording, read):
    """In threads and asyncio tasks each span and point belongs to the run that was current when it started."""

    @ox.trace(name="work")
    def work(i):
        ox.log({"value": i})

    def train(name):
        with ox.start_run(name):
            for i in range(50):
                work(i)

    async def train_async(name):
        with ox.start_run(name):
            for i in range(50):
                work(i)
                await asyncio.sleep(0)

    async def both():
        await asyncio.gather(*(train_async(f"task{i}") for i in range(4)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(train, [f"thread{i}" for i in range(4)]))
    asyncio.run(both())

    for name in [*(f"thread{i}" for i in range(4)), *(f"task{i}" for i in range(4))]:
        stored = read(name)
        assert list(stored.metrics["value"].points().values) == [float(i) for i in range(50)]
        assert [span.name for span in stored.spans].count("work") == 50
        assert {span.trace_id for span in stored.spans} == {stored.id}


def test_a_span_belongs_to_the_run_at_its_start(recording, read):
    """Ended while another run is current, it still is the first run's."""
    first = ox.start_run("first")
    with first:
        span = first.tracer.start_span("long")
        second = ox.start_run("second")
        with second:
            span.end()

    assert "long" in [span.name for span in read("first").spans]
    assert "long" not in [span.name for span in read("second").spans]


class TestDecorators:
    """`@ox.run`, `@ox.stage`, `@ox.step`, `@ox.trace`."""

    def test_a_decorated_function_stays_itself(self, recording):
        """Name, docstring, signature and result are the function's own."""

        @ox.trace
        def add(a: int, b: int = 2) -> int:
            """Add."""
            return a + b

        assert (add.__name__, add.__doc__, add(1)) == ("add", "Add.", 3)
        assert str(inspect.signature(add)) == "(a: int, b: int = 2) -> int"

    def test_outside_of_a_run_it_only_calls(self, recording):
        """No run, no span, no error."""

        @ox.step
        @ox.stage
        def double(x):
            return 2 * x

        assert double(4) == 8

    def test_run_makes_each_call_a_run_with_its_arguments_as_params(self, recording, read):
        """The experiment is the function's name; defaults are params too."""

        @ox.run(name="call")
        def train(lr, *, epochs=3, data=None):
            ox.log({"loss": lr * epochs})
            return "trained"

        assert train(0.5) == "trained"
        stored = read("call")
        assert (stored.experiment, stored.params.flat) == ("train", {"lr": 0.5, "epochs": 3, "data": None})
        assert stored.metrics["loss"].last == 1.5

    def test_bare_run_decorates_too(self, recording):
        """`@ox.run` without parentheses works, and `ox.run("text")` reads."""

        @ox.run
        def train():
            return ox.current_run().id

        assert ox.run(train()).experiment == "train"

    def test_steps_are_numbered_for_each_run(self, recording, read):
        """Each run counts its calls from 0."""

        @ox.step
        def update():
            pass

        for name in ("one", "two"):
            with ox.start_run(name):
                update()
                update()

        for name in ("one", "two"):
            steps = read(name).spans.named("step")
            assert [span.attributes[attr.ML_STEP_INDEX] for span in steps] == [0, 1]

    def test_coroutines_and_methods_are_decorated(self, recording, read):
        """The span covers the await; `self` arrives."""

        class Model:
            """Something with methods."""

            @ox.trace(name="predict")
            async def predict(self, x):
                await asyncio.sleep(0)
                return (self, x)

            @ox.stage
            def fit(self):
                return self

        model = Model()
        with ox.start_run("r"):
            assert asyncio.run(model.predict(3)) == (model, 3)
            assert model.fit() is model

        assert {"predict", "stage fit"} <= {span.name for span in read("r").spans}

    def test_a_generator_is_current_only_while_it_runs(self, recording, read):
        """What the consumer does between two items is no part of the generator's span."""

        @ox.trace(name="produce")
        def produce():
            with ox.current_run().trace("inside"):
                received = yield 1
            yield received
            return "end"

        with ox.start_run("r") as run:
            generator = produce()
            first = next(generator)
            with run.stage("between"):
                pass
            second = generator.send("sent")
            with pytest.raises(StopIteration) as stop:
                next(generator)

        assert (first, second, stop.value.value) == (1, "sent", "end")
        assert tree(read("r")) == [("run default", [("produce", [("inside", [])]), ("stage between", [])])]

    def test_the_exception_of_a_decorated_function_is_its_own(self, recording):
        """Same object, and the function's own frame is the innermost of the traceback."""
        error = KeyError("k")

        @ox.stage
        def fail():
            raise error

        with ox.start_run(), pytest.raises(KeyError) as caught:
            fail()

        assert caught.value is error
        assert caught.traceback[-1].name == "fail"


def test_no_span_leaks_out_of_a_run(recording):
    """After the run the caller's context is what it was."""
    with ox.start_run() as run, run.stage("s"):
        pass

    assert trace.get_current_span() is trace.INVALID_SPAN


def test_class_and_static_methods_are_decorated(recording, read):
    """A decorator above `@classmethod` or `@staticmethod` leaves them what they are."""

    class Model:
        """Something with methods of both kinds."""

        @ox.trace(name="make")
        @classmethod
        def make(cls):
            return cls

        @ox.trace(name="add")
        @staticmethod
        def add(a, b):
            return a + b

    with ox.start_run("r"):
        assert Model.make() is Model
        assert Model().add(1, b=2) == 3

    assert {"make", "add"} <= {span.name for span in read("r").spans}


@pytest.mark.parametrize("count", [2, np.int64(2), np.uint8(2)], ids=["int", "int64", "uint8"])
def test_loops_take_the_integers_of_numpy(recording, read, count):
    """The number of epochs comes from a config as often as from the program."""
    with ox.start_run("r") as run:
        assert [list(run.steps(count)) for _ in run.epochs(count)] == [[0, 1], [0, 1]]


class Model:
    """An object that can be called."""

    def __call__(self, x):
        """Return what a model returns."""
        return 2 * x


@pytest.mark.parametrize("decorator", [ox.trace, ox.stage, ox.step])
def test_whatever_can_be_called_is_decorated(recording, read, decorator):
    """A partial is called as its function, an object as its class; both need no name of their own."""
    with ox.start_run("r"):
        assert decorator(functools.partial(pow, 2))(5) == 32
        assert decorator(Model())(4) == 8

    first, second = (s.attributes[attr.CODE_FUNCTION_NAME] for s in list(read("r").spans)[1:])
    assert (first, second.rpartition(".")[2]) == ("builtins.pow", "Model")


def test_run_decorates_an_object_that_can_be_called(recording, read):
    """The experiment is the class."""
    assert ox.run(Model())(4) == 8

    assert [run.experiment for run in ox.runs()] == ["Model"]


@pytest.mark.parametrize("decorator", [ox.trace, ox.stage, ox.step])
@pytest.mark.parametrize("wrong", [5, "load", property(lambda self: 3)], ids=["number", "name", "property"])
def test_what_cannot_be_called_is_a_clear_error(decorator, wrong):
    """`@ox.trace("load")` is what hands write first: the error says how it is written."""
    with pytest.raises(ConfigurationError, match=r"cannot be decorated: it is of type .*\n.*name=\"load\""):
        decorator(wrong)


def test_a_generator_function_cannot_be_a_run():
    """Its run would be over before its first line has run."""

    def train():
        yield 1

    async def train_async():
        yield 1

    for function in (train, train_async):
        with pytest.raises(ConfigurationError, match=rf"The generator function '{function.__name__}' cannot"):
            ox.run(function)


def test_an_async_generator_is_current_only_while_it_runs(recording, read):
    """Its span covers all its items; exceptions and closing reach it; what runs between two items is not inside."""

    @ox.trace(name="produce")
    async def produce():
        try:
            for item in range(3):
                with ox.current_run().trace("inside"):
                    await asyncio.sleep(0)
                yield item
        except KeyError:
            yield "caught"

    async def use(run):
        assert [item async for item in produce()] == [0, 1, 2]
        thrown = produce()
        assert await anext(thrown) == 0
        with run.stage("between"):
            pass
        assert await thrown.athrow(KeyError("k")) == "caught"
        await thrown.aclose()

    with ox.start_run("r") as run:
        asyncio.run(use(run))

    inside = ("inside", [])
    assert tree(read("r")) == [
        ("run default", [("produce", [inside] * 3), ("produce", [inside]), ("stage between", [])])
    ]
    assert all(span.end_ns is not None and span.status.name == "UNSET" for span in list(read("r").spans)[1:])


def test_a_span_is_opened_by_the_word_that_people_type_first(recording, read):
    """`run.span("load")` and `ox.span("load")` open a span as `run.trace` does; `run.otel_span` is the run's own."""
    with ox.start_run("words") as run:
        with run.span("by the run", rows=3) as scope:
            scope.set_attribute("bytes", 7)
            with ox.span("by the module"):
                pass
        with run.trace("by trace"):
            pass
        run.otel_span.set_attribute("own", 1)

    (root,) = read("words").spans.tree()
    outer, last = root.children
    (inner,) = outer.children
    assert (outer.span.name, outer.span.attributes["rows"], outer.span.attributes["bytes"]) == (
        "by the run",
        3,
        7,
    )
    assert (inner.span.name, last.span.name) == ("by the module", "by trace")
    assert root.span.attributes["own"] == 1
    assert outer.span.attributes[attr.ML_OPERATION_NAME] == last.span.attributes[attr.ML_OPERATION_NAME]


def test_a_span_without_a_run_is_a_mistake_in_the_code_unless_recording_is_off(configure):
    """`ox.span` asks for a run as `ox.log` does; where recording is switched off it is there and does nothing."""
    configure()
    with pytest.raises(NoActiveRunError, match=r"span\(\) needs a current run"):
        ox.span("load")

    configure(enabled=False)
    with ox.span("load", rows=3) as scope:
        scope.set_attribute("bytes", 7)
        scope.log({"loss": 1.0}, step=0)
        scope.span.set_attribute("more", 1)
    with pytest.raises(KeyError, match="mine"), ox.span("load"):
        raise KeyError("mine")
