"""Two runs that are the same until a test changes one of them, written through the store's protocol."""

import dataclasses

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.model.artifact import ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import MetricDefinition, ParamSet, TagSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes, events
from otel_experiments.store import open_store

SECOND = 10**9
START = 1_700_000_000 * SECOND
PATCH = "diff --git a/train.py b/train.py\nindex 1..2 100644\n--- a/train.py\n+++ b/train.py\n@@ -1 +1,2 @@\n one\n+two\n"


@dataclasses.dataclass
class Made:
    """What a run is made of; a test changes what it is about."""

    name: str = "one"
    state: RunState = RunState.SUCCEEDED
    reason: str = ""
    error_type: str = ""
    params: dict = dataclasses.field(default_factory=lambda: {"lr": 0.1, "model.depth": 3, "seed": 1})
    tags: dict = dataclasses.field(default_factory=dict)
    loss: list = dataclasses.field(default_factory=lambda: [1.0 / (i + 1) for i in range(40)])
    directions: dict = dataclasses.field(default_factory=dict)
    commit: str = "a" * 40
    arguments: tuple = ("train.py",)
    resource: dict = dataclasses.field(default_factory=dict)
    packages: dict = dataclasses.field(default_factory=lambda: {"numpy": "2.0.1", "rich": "13.0"})
    patch: str = ""
    machine: dict = dataclasses.field(
        default_factory=lambda: {"cpu": "fast", "cpu_count": 8, "memory_bytes": 8 * 10**9}
    )
    variables: dict = dataclasses.field(default_factory=dict)
    has_snapshot: bool = True
    used: dict = dataclasses.field(default_factory=dict)
    made: dict = dataclasses.field(default_factory=dict)
    stages: dict = dataclasses.field(default_factory=lambda: {"load": (1, 100, 1), "fit": (1, 500, 490)})
    """By name of a stage: how often it comes in an epoch, its wall time and its CPU time in milliseconds."""
    has_spans: bool = True
    open_stages: int = 0
    orphans: int = 0


def batch_of(number, made):
    """Return the records of a run."""
    run_id = f"{number:02x}" * 16
    batch = WriteBatch()
    is_over = made.state.is_terminal
    resource = {
        attributes.SERVICE_NAME: "vision", attributes.SERVICE_INSTANCE_ID: f"process-{number}", attributes.PROCESS_PID: 100 + number,
        attributes.PROCESS_RUNTIME_NAME: "cpython", attributes.PROCESS_RUNTIME_VERSION: "3.11.7", attributes.HOST_NAME: "box",
        attributes.PROCESS_COMMAND_ARGS: list(made.arguments), attributes.VCS_REF_HEAD_REVISION: made.commit, **made.resource,
    }  # fmt: skip
    batch.runs.append(
        Run(
            run_id, "digits", made.name, made.state, START, started_ns=START, ended_ns=START + 10 * SECOND if is_over else None,
            reason=made.reason, error_type=made.error_type, root_span_id=f"{number:04x}" + "0" * 12,
            resource={key: value for key, value in resource.items() if value is not None},
        )
    )  # fmt: skip
    batch.params += [ParamSet(run_id, key, value, START) for key, value in made.params.items()]
    batch.tags += [TagSet(run_id, key, value, START) for key, value in made.tags.items()]
    batch.metric_definitions += [MetricDefinition(run_id, key, way) for key, way in made.directions.items()]
    if made.loss:
        steps = [float(i) for i in range(len(made.loss))]
        times = [START + i for i in range(len(made.loss))]
        batch.points.append(PointBlock(run_id, (SeriesKey("loss"),), steps, times, (made.loss,)))
    if made.has_snapshot:
        git = {
            "is_dirty": bool(made.patch),
            "patch": made.patch,
            "patch_hash": f"sha256:{hash(made.patch):x}" if made.patch else "",
        }
        body = {
            "packages": "\n".join(f"{key}=={value}" for key, value in made.packages.items()), "git": git, "machine": made.machine,
            "variables": made.variables,
        }  # fmt: skip
        record = LogRecord(START, START, event_name=events.ML_RUN_ENVIRONMENT.name, body=body, run_id=run_id)
        batch.log_records.append(record)
    for at, (name, letter) in enumerate(made.used.items()):
        batch.artifacts.append(
            ArtifactLogged("", "digits", name, f"sha256:{letter * 64}", START + at, size_bytes=5)
        )
        batch.artifact_uses.append(ArtifactUsed(run_id, f"sha256:{letter * 64}", START + at, "digits", name))
    batch.artifacts += [
        ArtifactLogged(run_id, "digits", name, f"sha256:{letter * 64}", START, size_bytes=5)
        for name, letter in made.made.items()
    ]
    if made.has_spans:
        batch.spans += spans_of(number, run_id, made)
    return batch


def spans_of(number, run_id, made):
    """Return a root, ten epochs, and in each the stages."""
    ids = iter(range(1, 10_000))

    def span(name, above, start_ns, wall_ms, cpu_ms, *, is_open=False):
        span_id = f"{number:04x}{next(ids):012x}" if above else f"{number:04x}" + "0" * 12
        held = {
            attributes.ML_SPAN_LANE: "main",
            attributes.ML_SPAN_CPU_TIME: int(cpu_ms * 1e6),
            attributes.ML_SPAN_SEQUENCE: start_ns,
        }
        end_ns = None if is_open else start_ns + int(wall_ms * 1e6)
        return Span(run_id, span_id, name, start_ns, end_ns, above, attributes=held, run_id=run_id)

    all_ms = sum(count * wall for count, wall, _ in made.stages.values())
    all_cpu = sum(count * cpu for count, _, cpu in made.stages.values())
    root = span("run digits", None, START, all_ms * 10 + 100, all_cpu * 10 + 1)
    found, now = [root], START + 1_000
    for index in range(10):
        epoch = span("epoch", root.span_id, now, all_ms + 1, all_cpu + 1)
        found.append(epoch)
        now += 100
        for name, (count, wall, cpu) in made.stages.items():
            for turn in range(count):
                jitter = 1 + 0.002 * ((index * 7 + turn * 3) % 5)
                found.append(
                    span(
                        name,
                        epoch.span_id,
                        now,
                        wall * jitter,
                        cpu * jitter,
                        is_open=index == 9 and made.open_stages > 0,
                    )
                )
                now += int(wall * jitter * 1e6) + 100
        now = epoch.end_ns + 100 if epoch.end_ns > now else now + 100
    found += [
        dataclasses.replace(span("stray", root.span_id, now + at, 1, 1), parent_span_id="f" * 16)
        for at in range(made.orphans)
    ]
    return found


@pytest.fixture
def pair(tmp_path):
    """Return a function that stores two runs and returns them as a reader has them."""
    readers = []

    def make(a=None, b=None):
        path = tmp_path / f"{len(readers)}.db"
        with open_store(path) as store:
            for number, made in ((10, a or Made()), (11, b or Made())):
                store.apply(batch_of(number, made))
        reader = open_reader(path)
        readers.append(reader)
        return reader.run("0a" * 16), reader.run("0b" * 16)

    yield make
    for reader in readers:
        reader.close()
