"""Checkpoints whose bytes are known: span and event have the digest, and the bytes are kept where that is asked for."""

import hashlib
import os
import threading

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.artifacts.digest import digest_of
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.record.run import checkpoints
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_CHECKPOINT_SAVED


def digest(data):
    """Return the digest of bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def told(run):
    """Return the attributes of the events of saved checkpoints, and those of the spans."""
    stored = ox.run(run.id)
    return (
        [dict(event.attributes) for event in stored.events(ML_CHECKPOINT_SAVED.name)],
        [dict(span.attributes) for span in stored.spans.named("save_checkpoint")],
    )


def kept():
    """Return what the store has of artifacts."""
    return [one.logged for one in active_store().artifacts(ArtifactQuery())]


@pytest.fixture
def small_is_large(monkeypatch):
    """Have three bytes be a large checkpoint."""
    monkeypatch.setattr(checkpoints, "HASHED_AT_ONCE_BYTES", 2)


def test_a_checkpoint_has_the_digest_of_its_bytes_step_and_epoch(recording, tmp_path):
    """Whoever finds the file later knows which checkpoint it is."""
    with ox.start_run("r") as run:
        for _ in run.epochs(1):
            with run.checkpoint("last", step=7) as checkpoint:
                (tmp_path / "last.pt").write_bytes(b"weights")
                checkpoint.wrote("last.pt")

    (event,), (span,) = told(run)
    assert event[attr.ARTIFACT_HASH] == span[attr.ARTIFACT_HASH] == digest(b"weights")
    assert (event[attr.ML_STEP_INDEX], event[attr.ML_EPOCH_INDEX]) == (7, 0)
    assert event[attr.ML_CHECKPOINT_SIZE] == 7
    assert kept() == []


def test_a_folder_has_a_digest_too(recording, tmp_path):
    """Sharded checkpoints are folders."""
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "0").write_bytes(b"zero")
    with ox.start_run("r") as run, run.checkpoint("last") as checkpoint:
        checkpoint.wrote("shards")

    (event,), (span,) = told(run)
    assert event[attr.ARTIFACT_HASH] == span[attr.ARTIFACT_HASH] == digest_of(tmp_path / "shards")


@pytest.mark.parametrize("is_large", [False, True])
def test_a_checkpoint_is_kept_where_that_is_asked_for(recording, tmp_path, monkeypatch, is_large):
    """`keep=True` makes it an artifact of type checkpoint, with step and epoch, under the checkpoint's name."""
    if is_large:
        monkeypatch.setattr(checkpoints, "HASHED_AT_ONCE_BYTES", 2)
    with ox.start_run("r", experiment="e") as run:
        for epoch in run.epochs(2):
            with run.checkpoint("last", step=epoch * 10) as checkpoint:
                (tmp_path / f"{epoch}.pt").write_bytes(b"weights %d" % epoch)
                checkpoint.wrote(f"{epoch}.pt", keep=True)

    found = sorted(kept(), key=lambda one: one.time_ns)
    assert [(one.name, one.type, one.step, one.metadata) for one in found] == [
        ("last", "checkpoint", 0.0, {"epoch": 0}),
        ("last", "checkpoint", 10.0, {"epoch": 1}),
    ]
    wanted = [digest(b"weights 0"), digest(b"weights 1")]
    assert [one.digest for one in found] == wanted
    assert [event[attr.ARTIFACT_HASH] for event in told(run)[0]] == wanted


def test_a_large_checkpoint_does_not_hold_up_training(recording, tmp_path, small_is_large):
    """Its event comes when it is hashed, with the time, step and place of its scope."""
    gate = threading.Event()
    (tmp_path / "last.pt").write_bytes(b"weights")
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        with run.epoch(4), run.checkpoint("last") as checkpoint:
            checkpoint.wrote("last.pt")
        assert told(run)[0] == []
        gate.set()
        run.flush()
        (event,), (span,) = told(run)

    assert event[attr.ARTIFACT_HASH] == digest(b"weights")
    assert event[attr.ML_EPOCH_INDEX] == 4
    assert attr.ARTIFACT_HASH not in span
    stored = ox.run(run.id)
    (record,) = stored.events(ML_CHECKPOINT_SAVED.name)
    (saved,) = stored.spans.named("save_checkpoint")
    assert record.span_id == saved.parent_span_id
    assert saved.start_ns <= record.time_ns <= saved.end_ns


def test_the_digest_is_waited_for_or_left_out_where_that_is_said(recording, tmp_path, small_is_large):
    """`hash=True` gives a large checkpoint's span its digest; `hash=False` reads nothing."""
    (tmp_path / "last.pt").write_bytes(b"weights")
    with ox.start_run("r") as run:
        with run.checkpoint("waited") as checkpoint:
            checkpoint.wrote("last.pt", hash=True)
        with run.checkpoint("without") as checkpoint:
            checkpoint.wrote("last.pt", hash=False)

    events, spans = told(run)
    assert {event[attr.ML_CHECKPOINT_NAME]: event.get(attr.ARTIFACT_HASH) for event in events} == {
        "waited": digest(b"weights"),
        "without": None,
    }
    assert {span[attr.ML_CHECKPOINT_NAME]: span.get(attr.ARTIFACT_HASH) for span in spans} == {
        "waited": digest(b"weights"),
        "without": None,
    }


def test_a_checkpoint_that_is_overwritten_before_it_is_hashed_gets_no_wrong_digest(
    forgiving, tmp_path, small_is_large
):
    """The event is there without a digest, and the loss says why."""
    gate = threading.Event()
    (tmp_path / "last.pt").write_bytes(b"weights")
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        with run.checkpoint("last") as checkpoint:
            checkpoint.wrote("last.pt")
        (tmp_path / "last.pt").write_bytes(b"other weights")
        gate.set()

    ((event,), _) = told(run)
    assert attr.ARTIFACT_HASH not in event
    assert [(loss.kind, loss.name) for loss in ox.run(run.id).losses] == [("checkpoint digest", "last")]


def test_a_checkpoint_that_nobody_wrote_has_an_event_without_a_digest(forgiving):
    """A scope that was given a path at which nothing is says so."""
    with ox.start_run("r") as run, run.checkpoint("last") as checkpoint:
        checkpoint.wrote("nothing.pt", keep=True)

    ((event,), _) = told(run)
    assert event[attr.ML_CHECKPOINT_URI] == "nothing.pt"
    assert attr.ARTIFACT_HASH not in event
    assert [(loss.kind, loss.name) for loss in ox.run(run.id).losses] == [("artifact", "last")]


def test_a_checkpoint_whose_scope_failed_is_not_kept(recording, tmp_path):
    """What was not written to its end has no digest and no event."""
    (tmp_path / "last.pt").write_bytes(b"half")

    def save(run):
        with run.checkpoint("last") as checkpoint:
            checkpoint.wrote("last.pt", keep=True)
            raise OSError("full")

    with ox.start_run("r") as run, pytest.raises(OSError, match="full"):
        save(run)

    assert told(run)[0] == []
    assert kept() == []


def test_loading_a_checkpoint_hashes_nothing(recording, tmp_path):
    """A large file is not read twice for its loading."""
    (tmp_path / "last.pt").write_bytes(b"weights")
    with ox.start_run("r") as run, run.checkpoint("last", load=True) as checkpoint:
        checkpoint.wrote("last.pt", keep=True)

    assert told(run)[0] == []
    assert kept() == []


def test_what_the_exit_cannot_wait_for_has_its_event(configure, tmp_path, small_is_large):
    """The checkpoint is recorded without a digest when the process has to end."""
    configure(on_error="log", exit_timeout_s=0.2)
    gate = threading.Event()
    (tmp_path / "last.pt").write_bytes(b"weights")
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        with run.checkpoint("last") as checkpoint:
            checkpoint.wrote("last.pt")
    ox.shutdown()
    gate.set()

    (event,) = ox.run(run.id, store=os.fspath(tmp_path / "experiments.db")).events(ML_CHECKPOINT_SAVED.name)
    assert attr.ARTIFACT_HASH not in event.attributes
