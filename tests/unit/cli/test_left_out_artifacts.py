"""A store that imported a bundle without the bytes of artifacts says that they were left out, and not that they are missing."""

import json
import shutil

import pytest

import otel_experiments as ox
from otel_experiments.artifacts.place import artifacts_directory, blobs_for
from otel_experiments.errors import ArtifactMissingError
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

RUN = "0af7651916cd43dd8448eb211c80319c"
WEIGHTS = b"weights" * 100
FOUND = "they were left out of the bundle that was imported."


@pytest.fixture
def stores(tmp_path):
    """Return the folder of `a.db`, whose run logged a model; of `x.oxb`, made without its bytes; and of `whole.oxb`."""
    path = tmp_path / "a.db"
    with blobs_for(StoreLocation.parse(path)).adding() as adding, open_store(path) as store:
        put = adding.put_bytes(WEIGHTS)
        run = Run(RUN, "digits", "one", RunState.SUCCEEDED, created_ns=1)
        store.apply(
            WriteBatch(
                runs=[run],
                artifacts=[ArtifactLogged(RUN, "digits", "model", put.digest, 1, size_bytes=put.size_bytes)],
            )
        )
    ox.bundle(None, tmp_path / "x.oxb", store=path, max_artifact_bytes=10)
    ox.bundle(None, tmp_path / "whole.oxb", store=path)
    return tmp_path


def look(terminal, store):
    """Return what `verify` and the doctor say of the artifacts of a store."""
    verified = terminal.run("artifacts", "verify", "--store", store, "--json")
    doctor = terminal.run("doctor", "--store", store, "--json").stdout
    said = [
        (one["level"], one["text"]) for one in json.loads(doctor)["findings"] if one["subject"] == "artifacts"
    ]
    return verified.exit_code, json.loads(verified.stdout), said


def test_what_was_left_out_is_not_missing(terminal, stores):
    """Verify ends well and lists it apart, the doctor has a note, and reading it says what happened, as does its page."""
    ox.import_store(stores / "x.oxb", store=stores / "b.db")

    code, verified, said = look(terminal, stores / "b.db")

    assert (code, verified) == (
        0,
        {"verified": 0, "damaged": [], "missing": [], "left_out": ["digits/model:v0"]},
    )
    assert [level for level, _ in said] == ["ok", "note"]
    assert said[1][1].startswith("The bytes of 1 were left out of bundles that were imported: sha256:")
    text = terminal.text("artifacts", "verify", "--store", stores / "b.db")
    assert text.endswith("The bytes of 1 were left out of a bundle: digits/model:v0.\n")
    model = ox.artifact("model", store=stores / "b.db")
    assert model.why_left_out == "too large"
    with pytest.raises(ArtifactMissingError) as raised:
        model.read_bytes()
    assert str(raised.value) == (
        f"The bytes of artifact {model.digest} are not in '{stores / 'b.db'}.artifacts': {FOUND}\n"
        "  Import a bundle that has them, or log the same bytes again."
    )
    assert FOUND in terminal.json("artifacts", "show", "model", "--store", stores / "b.db")["problem"]


def test_it_travels_with_merges_and_bundles(terminal, stores):
    """A store that imports such a store, and a bundle that is made of it, know why the bytes are not there."""
    ox.import_store(stores / "x.oxb", store=stores / "b.db")
    again = ox.import_store(stores / "x.oxb", store=stores / "b.db")
    merged = ox.import_store(stores / "b.db", store=stores / "c.db")
    bundled = ox.bundle(None, stores / "y.oxb", store=stores / "c.db")

    assert [len(report.left_out) for report in (again, merged)] == [1, 1]
    assert (merged.is_complete, [one.why for one in bundled.left_out]) == (True, ["too large"])
    assert merged.left_out == [
        f"{stores / 'b.db'} has imported bundles that were made without the bytes of 1 artifact, as asked"
    ]
    assert look(terminal, stores / "c.db")[1]["left_out"] == ["digits/model:v0"]


@pytest.mark.parametrize("how", ["import", "log"])
def test_bytes_that_come_later_are_there(terminal, stores, how):
    """A bundle that has them, or a run that logs them, brings them; if they are lost after that, they are missing."""
    place = artifacts_directory(stores / "b.db")
    ox.import_store(stores / "x.oxb", store=stores / "b.db")
    if how == "import":
        ox.import_store(stores / "whole.oxb", store=stores / "b.db")
    else:
        with blobs_for(StoreLocation.parse(stores / "b.db")).adding() as adding:
            adding.put_bytes(WEIGHTS)

    assert look(terminal, stores / "b.db")[:2] == (
        0,
        {"verified": 1, "damaged": [], "missing": [], "left_out": []},
    )
    shutil.rmtree(place / "sha256")
    assert look(terminal, stores / "b.db")[:2] == (
        3,
        {"verified": 0, "damaged": [], "missing": ["digits/model:v0"], "left_out": []},
    )


def test_what_a_store_has_lost_stays_missing(terminal, stores):
    """The import of a bundle without bytes does not excuse a store that had them, and lost them."""
    ox.import_store(stores / "whole.oxb", store=stores / "b.db")
    shutil.rmtree(artifacts_directory(stores / "b.db") / "sha256")

    ox.import_store(stores / "x.oxb", store=stores / "b.db")

    assert look(terminal, stores / "b.db")[1]["missing"] == ["digits/model:v0"]


def test_notes_of_what_nothing_names_are_swept(stores):
    """`gc` forgets what was left out once no run names it, and keeps it as long as one does."""
    ox.import_store(stores / "x.oxb", store=stores / "b.db")
    blobs = blobs_for(StoreLocation.parse(stores / "b.db"))
    digest = ox.artifact("model", store=stores / "b.db").digest

    blobs.sweep(lambda: [digest])
    assert blobs.why_left_out(digest) == "too large"
    blobs.sweep(list, dry_run=True)
    assert blobs.why_left_out(digest) == "too large"
    blobs.sweep(list)
    assert blobs.why_left_out(digest) is None


def test_notes_that_are_written_beside_a_sweep_stay(stores):
    """What an import notes while a sweep reads which bytes are named is as it was for the sweep no more, and stays."""
    ox.import_store(stores / "x.oxb", store=stores / "b.db")
    location = StoreLocation.parse(stores / "b.db")
    digest = ox.artifact("model", store=stores / "b.db").digest

    def import_meanwhile():
        with blobs_for(location).adding():
            blobs_for(location).note_left_out(digest, "too large")
        return []

    blobs_for(location).sweep(import_meanwhile)

    assert blobs_for(location).why_left_out(digest) == "too large"


def test_many_are_counted(terminal, stores):
    """Of more than three that were left out, `verify` names three, and says how many others there are."""
    with (
        blobs_for(StoreLocation.parse(stores / "a.db")).adding() as adding,
        open_store(stores / "a.db") as store,
    ):
        logged = [
            ArtifactLogged(RUN, "digits", name, adding.put_bytes(name.encode()).digest, 2) for name in "pqrs"
        ]
        store.apply(WriteBatch(artifacts=logged))
    ox.bundle(None, stores / "none.oxb", store=stores / "a.db", artifacts=False)
    ox.import_store(stores / "none.oxb", store=stores / "b.db")

    text = terminal.text("artifacts", "verify", "--store", stores / "b.db")

    assert "The bytes of 5 were left out of a bundle: " in text
    assert text.endswith(" and 2 more.\n")
