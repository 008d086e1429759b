"""What events say of artifacts becomes, elsewhere, what the store of the run has."""

from dataclasses import replace

import pytest

import otel_experiments as ox
from otel_experiments.codec.otlp.logs import log_records_to_request
from otel_experiments.importers.otlp import unpack
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.span import Resource
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events

RUN = "0af7651916cd43dd8448eb211c80319c"
ONE = f"sha256:{'1' * 64}"
RESOURCE = Resource({attr.ML_RUN_ID: RUN, attr.ML_EXPERIMENT_NAME: "digits"})


def received(records):
    """What a receiver makes of log records that were sent to it."""
    request = ReceivedRequest("logs", "protobuf", log_records_to_request(records), 1)
    batch = WriteBatch(received=[request])
    assert unpack(batch, store=None) == []
    return batch


def an_event(definition, body=None, **changes):
    """An event of the run, with attributes by their constants' names."""
    attributes = {getattr(attr, name): value for name, value in changes.items() if value is not None}
    return LogRecord(
        5, 5, definition.name, body=body, attributes=attributes, resource=RESOURCE, run_id=RUN, trace_id=RUN,
        span_id="c" * 16,
    )  # fmt: skip


@pytest.fixture
def sent(tmp_path):
    """Return a function that writes with a run's own events and gives what a receiver makes of them."""

    def write(action):
        with ox.Recorder(store=tmp_path / "e.db", system_metrics_s=0.0, capture_git=False) as recorder:
            with recorder.start_run("r", experiment="digits") as run:
                action(run._core.pipeline.run_events, run)
            records = ox.open_reader(tmp_path / "e.db").run(run.id).log_records
        return run, received(records)

    return write


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"is_folder": True, "file_count": 3, "size_bytes": 77, "place": "s3://bucket/x"},
        {"role": "media", "type": "image", "media_type": "image/png", "step": 2.5, "index": 4, "rank": 1},
        {
            "caption": "c" * 5000,
            "metadata": {"f1": 0.5, "names": ["a", "b"], "none": None},
            "file_name": "m.pt",
        },
        {"step": 0.0, "rank": 0},
    ],
)
def test_an_artifact_arrives_as_it_was_logged(sent, changes):
    """Name, digest, sizes, step, caption of any length and metadata: the receiver's record is the run's own."""
    logged = ArtifactLogged("", "digits", "model", ONE, 10, span_id="d" * 16)

    def write(run_events, run):
        run_events.write_artifact(replace(logged, run_id=run.id, **changes))

    run, batch = sent(write)

    assert batch.artifacts == [replace(logged, run_id=run.id, **changes)]


def test_uses_and_aliases_arrive_as_they_were_recorded(sent):
    """Also those of another experiment's artifact, and an alias that is taken away."""
    uses = [ArtifactUsed("", ONE, 7, "letters", "data"), ArtifactUsed("", ONE, 8)]
    aliases = [AliasSet("digits", "model", "best", ONE, 9), AliasSet("digits", "model", "old", None, 10)]

    def write(run_events, run):
        for used in uses:
            run_events.write_artifact_use(replace(used, run_id=run.id))
        for alias in aliases:
            run_events.write_artifact_alias(replace(alias, run_id=run.id), run.id)

    run, batch = sent(write)

    assert batch.artifact_uses == [replace(used, run_id=run.id) for used in uses]
    assert batch.artifact_aliases == [replace(alias, run_id=run.id) for alias in aliases]


@pytest.mark.parametrize(
    "changes",
    [
        {"ARTIFACT_HASH": None},
        {"ARTIFACT_HASH": "sha256:123"},
        {"ARTIFACT_HASH": "sha256:12345678"},
        {"ARTIFACT_HASH": 7},
        {"ML_ARTIFACT_NAME": None},
        {"ML_ARTIFACT_NAME": ""},
        {"ML_ARTIFACT_NAME": "../../etc/passwd"},
        {"ML_ARTIFACT_NAME": "n" * 10_000},
    ],
)
def test_an_event_without_a_usable_name_and_digest_names_nothing(changes):
    """What another program sends is kept as an event, and no artifact is made of it that nobody could ask for."""
    given = {"ML_ARTIFACT_NAME": "model", "ARTIFACT_HASH": ONE} | changes
    batch = received([an_event(events.ML_ARTIFACT_LOGGED, **given)])

    assert batch.artifacts == []
    assert len(batch.log_records) == 1


def test_numbers_that_are_none_are_left_out():
    """Sizes, steps and ranks of other types, or beyond what is stored, become what stands for nothing."""
    event = an_event(
        events.ML_ARTIFACT_LOGGED, ML_ARTIFACT_NAME="model", ARTIFACT_HASH=ONE[7:], ML_ARTIFACT_SIZE="many",
        ML_ARTIFACT_STEP="late", ML_ARTIFACT_INDEX=-1, ML_DISTRIBUTED_RANK=2**40, body="no map",
    )  # fmt: skip

    (found,) = received([event]).artifacts

    assert (found.size_bytes, found.step, found.index, found.rank) == (0, None, 0, None)
    assert (found.digest, found.experiment, found.type, found.metadata) == (ONE, "digits", "file", {})


@pytest.mark.parametrize(
    "changes",
    [
        {"ML_ARTIFACT_ALIAS": "latest"},
        {"ML_ARTIFACT_ALIAS": "v3"},
        {"ML_ARTIFACT_ALIAS": "a/b"},
        {"ML_ARTIFACT_ALIAS": None},
        {"ARTIFACT_HASH": "damaged"},
    ],
)
def test_an_alias_that_cannot_be_set_is_not_set(changes):
    """`latest` and versions move by themselves; a digest that cannot be read takes no alias away."""
    given = {"ML_ARTIFACT_NAME": "model", "ARTIFACT_HASH": ONE, "ML_ARTIFACT_ALIAS": "best"} | changes

    assert received([an_event(events.ML_ARTIFACT_ALIAS, **given)]).artifact_aliases == []
