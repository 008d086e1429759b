"""A saved model and its run find each other: by a file beside the model, and by the model's bytes."""

import json
import os
import shutil
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.codec.model_link import NoLinkError, dump_link, link_path, load_link
from otel_experiments.errors import ModelRunNotFoundError
from otel_experiments.model.artifact import ArtifactQuery


@pytest.fixture
def linked(recording, tmp_path):
    """Return the id of a run that has linked `model.pt`."""
    (tmp_path / "model.pt").write_bytes(b"weights")
    with ox.start_run("r", experiment="e", config={"lr": 0.1, "api_key": "abc"}, tags=["t"]) as run:
        run.log({"loss": 0.5, "acc": float("nan")}, step=3)
        assert run.link_model("model.pt", aliases=["best"])
    return run.id


def test_what_the_run_knows_goes_with_the_model(linked):
    """The file beside the model has the run, its params without secrets, tags, summaries, and the digest of the model."""
    link = load_link(Path("model.pt.otel-experiments.json").read_text())

    assert (link.run_id, link.run["name"], link.run["experiment"]) == (linked, "r", "e")
    assert link.run["params"] == {"lr": 0.1, "api_key": "<redacted>"}
    assert link.run["tags"] == {"t": ""}
    assert {one["name"]: (one["last"], one["last_step"]) for one in link.run["metrics"]} == {
        "acc": ("NaN", 3),
        "loss": (0.5, 3),
    }
    assert (link.name, link.size_bytes) == ("model.pt", 7)
    assert link.store == str(Path("experiments.db").resolve())
    (stored,) = active_store().artifacts(ArtifactQuery(digest=link.digest))
    assert (stored.logged.type, "best" in stored.aliases) == ("model", True)


def test_the_model_itself_is_not_changed(linked):
    """Whatever the format, the bytes are those that were saved; nothing else is left in the folder."""
    assert Path("model.pt").read_bytes() == b"weights"
    assert sorted(path.name for path in Path().glob("*model*")) == [
        "model.pt",
        "model.pt.otel-experiments.json",
    ]
    assert not list(Path().glob(".model*"))


def test_a_model_finds_its_run_by_the_file_beside_it(linked, tmp_path):
    """The model was moved with the file, and shares its digest with nothing."""
    (tmp_path / "there").mkdir()
    for name in ("model.pt", "model.pt.otel-experiments.json"):
        shutil.move(name, tmp_path / "there")

    assert ox.run_of(tmp_path / "there" / "model.pt").id == linked


@pytest.mark.parametrize("what", ["gone", "damaged", "newer", "of another model", "not UTF-8", "a folder"])
def test_without_that_file_the_bytes_find_the_run(linked, what):
    """A file that is gone, damaged or left of an earlier model is not believed; the digest is."""
    path = Path("model.pt.otel-experiments.json")
    whole = json.loads(path.read_text())
    path.unlink()
    if what == "damaged":
        path.write_text('{"type": "otel-exp')
    elif what == "newer":
        path.write_text(json.dumps(whole | {"version": 99}))
    elif what == "of another model":
        whole["artifact"]["size_bytes"], whole["run"]["run_id"] = 8, "0" * 31 + "1"
        path.write_text(json.dumps(whole))
    elif what == "not UTF-8":
        path.write_bytes(b"\xff\xfe")
    elif what == "a folder":
        path.mkdir()
    Path("model.pt").rename("renamed.pt") if what == "gone" else None

    assert ox.run_of("renamed.pt" if what == "gone" else "model.pt").id == linked


def test_a_folder_is_a_model_too(recording, tmp_path):
    """What `save_pretrained` writes is a folder; the file is beside it, so its digest stays."""
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("{}")
    with ox.start_run("r") as run:
        first = run.link_model("bert/")
        assert run.link_model("bert") == first

    assert (tmp_path / "bert.otel-experiments.json").is_file()
    assert ox.run_of("bert").id == run.id
    (tmp_path / "bert.otel-experiments.json").unlink()
    assert ox.run_of("bert/").id == run.id


def test_the_newest_run_of_equal_bytes_is_the_one(recording, tmp_path):
    """Two runs that saved the same bytes: the later one, where no file says otherwise."""
    (tmp_path / "m").write_bytes(b"same")
    for name in ("first", "second"):
        with ox.start_run(name) as run:
            run.link_model("m")
    Path("m.otel-experiments.json").unlink()

    assert ox.run_of("m").name == "second"


def test_a_model_is_found_in_the_store_that_its_file_names(linked, configure):
    """Another program, with another store, finds the run where it was recorded, if that is on this machine."""
    ox.shutdown()
    configure(store="another.db")
    with ox.start_run("other"):
        pass

    assert ox.run_of("model.pt").id == linked
    with pytest.raises(ModelRunNotFoundError):
        ox.run_of("model.pt", store="another.db")


def test_a_model_of_no_run_says_what_to_do(linked, tmp_path):
    """The error names model and store, and what was looked for."""
    (tmp_path / "other.pt").write_bytes(b"other")
    with pytest.raises(ModelRunNotFoundError) as caught:
        ox.run_of("other.pt")
    assert "made the model 'other.pt': other.pt.otel-experiments.json is not there" in str(caught.value)
    assert "has no artifact with these bytes" in str(caught.value)
    with pytest.raises(ModelRunNotFoundError, match="there is no such file"):
        ox.run_of("nothing.pt")


def test_a_model_that_cannot_be_linked_costs_no_training(forgiving, tmp_path, caplog):
    """A model that is not there, and a folder that takes no file, are told and counted."""
    (tmp_path / "model.pt").write_bytes(b"weights")
    (tmp_path / "model.pt.otel-experiments.json").mkdir()
    with ox.start_run("r") as run:
        assert run.link_model("missing.pt") == ""
        assert run.link_model("model.pt")

    assert {(one.kind, one.name) for one in ox.run(run.id).losses} == {
        ("artifact", "missing.pt"),
        ("model link", "model.pt"),
    }
    assert not list(tmp_path.glob(".model*"))


def test_without_a_store_the_file_says_what_is_known(configure, tmp_path):
    """Bytes are kept where the setting says; the run itself leaves by OTLP."""
    configure(store="none", artifacts="kept", otlp=False)
    (tmp_path / "m").write_bytes(b"m")
    with ox.start_run("r", experiment="e") as run:
        assert run.link_model("m")

    link = load_link(Path("m.otel-experiments.json").read_text())
    assert (link.run_id, link.run["experiment"], link.store) == (run.id, "e", "none")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"type": "otel-experiments.model"}',
        "[" * 100_000,
        '{"type": "otel-experiments.model", "version": 1}',
    ],
)
def test_a_text_that_is_no_link_is_refused(text):
    """Whatever lies beside a model, looking for its run never ends in another error."""
    with pytest.raises(NoLinkError):
        load_link(text)


def test_a_link_comes_back_as_it_was_written(linked):
    """Reading and writing are the inverse of each other."""
    link = load_link(link_path("model.pt").read_text())

    assert load_link(dump_link(link)) == link
    assert link_path(os.fspath("a/b/")).name == "b.otel-experiments.json"


def test_the_artifacts_that_a_run_used_are_in_the_file(recording, tmp_path):
    """Data that the model was trained on is named by its digest."""
    (tmp_path / "m").write_bytes(b"m")
    with ox.start_run("r", experiment="e") as run:
        digest = run.log_artifact(b"rows", "data")
        run.use_artifact("data")
        run.link_model("m")

    link = load_link(Path("m.otel-experiments.json").read_text())
    assert link.used == ({"experiment": "e", "name": "data", "digest": str(digest)},)
