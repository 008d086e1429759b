"""A store as several training jobs would have left it, made through the store's own protocol."""

import dataclasses
import math
import time

import pytest

from otel_experiments.journal.owner import current_owner
from otel_experiments.model.batch import MetricDefinition, ParamSet, TagSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Event, Span, StatusCode
from otel_experiments.semconv import attributes
from otel_experiments.store import open_store

SECOND = 10**9
WEIRD_NAME = "naïve 'q' \"d\" <b>\n\x1b[31m😀"
TRACEBACK = 'Traceback (most recent call last):\n  File "train.py", line 7, in fit\nValueError: loss is nan\n'


class Jobs:
    """The runs of the store, by short names, and the batch that holds them all.

    `now_ns` is when they were looked at; run i was made (i + 1) minutes before.
    """

    def __init__(self):
        self.now_ns = time.time_ns()
        self.batch = WriteBatch()
        self.ids = {}
        here = current_owner()
        gone = dataclasses.replace(here, start_ticks=here.start_ticks + 1)
        self._run("mlp-a", RunState.SUCCEEDED, lr=0.1, epochs=10)
        self._run("mlp-b", RunState.SUCCEEDED, lr=0.01, epochs=10, nan_at=4)
        self._run("sgd-c", RunState.FAILED, lr=10.0, epochs=3, reason="loss is nan", error_type="ValueError")
        self._run("lost-d", RunState.RUNNING, lr=0.5, epochs=2, owner=gone)
        self._run("live-e", RunState.RUNNING, lr=0.05, epochs=1, owner=here)
        self._run(WEIRD_NAME, RunState.CANCELLED, lr=None, epochs=0, experiment="mnist", reason="SIGTERM")

    def _run(self, name, state, *, lr, epochs, nan_at=None, experiment="digits", **fields):
        number = len(self.ids)
        run_id = self.ids[name] = f"{number + 10:02x}" * 16
        made_ns = self.now_ns - (number + 1) * 60 * SECOND
        ended_ns = made_ns + 30 * SECOND if state.is_terminal else None
        self.batch.runs.append(
            Run(
                run_id=run_id,
                experiment=experiment,
                name=name,
                state=state,
                created_ns=made_ns,
                started_ns=made_ns,
                ended_ns=ended_ns,
                heartbeat_ns=made_ns + 20 * SECOND,
                root_span_id=f"{number:08x}00000000",
                resource={
                    attributes.SERVICE_NAME: "vision",
                    attributes.HOST_NAME: "box",
                    attributes.PROCESS_RUNTIME_NAME: "cpython",
                    attributes.PROCESS_RUNTIME_VERSION: "3.11.7",
                    attributes.VCS_REF_HEAD_REVISION: "0123456789abcdef0123456789abcdef01234567",
                    attributes.VCS_REF_HEAD_NAME: "main",
                },
                **fields,
            )
        )
        if lr is not None:
            params = {"optim.lr": lr, "optim.name": "sgd", "layers": [64, 32], "seed": number, "flag": True}
            self.batch.params += [ParamSet(run_id, key, value, made_ns) for key, value in params.items()]
            self.batch.tags += [
                TagSet(run_id, "team", "vision", made_ns),
                TagSet(run_id, "baseline", "", made_ns),
            ]
            self.batch.metric_definitions.append(MetricDefinition(run_id, "val/*", "max"))
        self._points(run_id, made_ns, epochs, nan_at)
        self._spans(run_id, number, made_ns, ended_ns, epochs, state)

    def _points(self, run_id, made_ns, epochs, nan_at):
        if not epochs:
            return
        steps = [float(i) for i in range(epochs)]
        times = [made_ns + i * SECOND for i in range(epochs)]
        loss = [math.nan if i == nan_at else 1.0 / (i + 1) for i in range(epochs)]
        accuracy = [0.5 + 0.04 * i for i in range(epochs)]
        keys = (SeriesKey("loss"), SeriesKey("val/acc"))
        self.batch.points.append(PointBlock(run_id, keys, steps, times, (loss, accuracy)))
        validation = [value + 0.1 for value in loss]
        self.batch.points.append(
            PointBlock(run_id, (SeriesKey("loss", "validation"),), steps, times, (validation,))
        )

    def _spans(self, run_id, number, made_ns, ended_ns, epochs, state):
        failed = state is RunState.FAILED
        event = Event("exception", made_ns, {attributes.EXCEPTION_STACKTRACE: TRACEBACK})
        root = Span(
            trace_id=run_id,
            span_id=f"{number:08x}00000000",
            name="run",
            start_ns=made_ns,
            end_ns=ended_ns,
            status=StatusCode.ERROR if failed else StatusCode.UNSET,
            events=(event,) if failed else (),
            run_id=run_id,
        )
        self.batch.spans.append(root)
        for i in range(epochs):
            start = made_ns + i * SECOND
            is_open = state is RunState.RUNNING and i == epochs - 1
            epoch = dataclasses.replace(
                root,
                span_id=f"{number:08x}{i + 1:04x}0000",
                parent_span_id=root.span_id,
                name="epoch",
                start_ns=start,
                end_ns=None if is_open else start + SECOND // 2,
                status=StatusCode.UNSET,
                events=(),
                attributes={attributes.ML_EPOCH_INDEX: i, attributes.ML_PHASE: "train"},
            )
            self.batch.spans.append(epoch)
            self.batch.spans += [
                dataclasses.replace(
                    epoch,
                    span_id=f"{number:08x}{i + 1:04x}{j + 1:04x}",
                    parent_span_id=epoch.span_id,
                    name="step",
                    start_ns=start + j,
                    end_ns=start + j + (j + 1) * 1_000_000,
                    attributes={attributes.ML_STEP_INDEX: i * 5 + j},
                )
                for j in range(5)
            ]


@pytest.fixture(scope="session")
def jobs():
    """Return what the store of `jobs_path` holds."""
    return Jobs()


@pytest.fixture(scope="session")
def jobs_path(jobs, tmp_path_factory):
    """Return the path of a store with six runs; tests only read it."""
    path = tmp_path_factory.mktemp("jobs") / "experiments.db"
    with open_store(path) as store:
        store.apply(jobs.batch)
    kept = path.read_bytes()

    yield path

    assert path.read_bytes() == kept, "a test wrote to the store that all tests read"
