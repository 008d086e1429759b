"""The words that other trackers have for artifacts: taken where they mean something here, else told; training goes on."""

import pytest

import otel_experiments as ox


def losses(run):
    """Return {(kind, name): count} of what a stored run lost."""
    return {(one.kind, one.name): one.count for one in ox.run(run.id).losses}


def test_the_type_that_an_artifact_should_have_is_checked(forgiving, caplog):
    """A type that fits says nothing; another one is told, and the artifact is there."""
    with ox.start_run("r") as run:
        run.log_artifact(b"x", "data", type="dataset")
        assert run.use_artifact("data", type="dataset").read_bytes() == b"x"
        assert caplog.messages == []
        assert run.use_artifact("data:latest", "model").read_bytes() == b"x"

    assert caplog.messages == ["run.use_artifact('data:latest'): its type is 'dataset', not 'model'."]
    assert losses(run) == {}


def test_unknown_words_are_told_and_end_nothing(forgiving, tmp_path):
    """Arguments that nobody has are counted under their names, those of other trackers are not; bytes are kept and read."""
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv").write_text("1")
    (tmp_path / "m.pt").write_bytes(b"m")
    with ox.start_run("r") as run:
        assert run.log_artifact(b"x", "data", tags=["t"])
        assert run.log_artifacts(tmp_path / "set", ttl=1)
        assert run.link_model(tmp_path / "m.pt", registered_model_name="n")
        assert run.use_artifact("data", use_as="training").read_bytes() == b"x"

    assert losses(run) == {("unknown argument", "ttl"): 1}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"artifact_path": "models/v1"}, "models/v1/m.pt"),
        ({"artifact_path": "/models/"}, "models/m.pt"),
        ({"artifact_path": ""}, "m.pt"),
        ({"artifact_path": None}, "m.pt"),
        ({"artifact_path": "models", "name": "best"}, "best"),
    ],
)
def test_the_folder_of_an_artifact_is_part_of_its_name(forgiving, tmp_path, given, named):
    """What another tracker puts into a folder of a run has that folder in its name."""
    (tmp_path / "m.pt").write_bytes(b"m")
    with ox.start_run("r") as run:
        assert run.log_artifact(tmp_path / "m.pt", **given).name == named

    assert losses(run) == {}


def test_bytes_without_a_name_ask_for_one(forgiving, caplog):
    """Bytes have no file name, so the message says which argument is needed."""
    with ox.start_run("r") as run:
        assert not run.log_artifact(b"x")

    (told,) = [text for text in caplog.messages if "name" in text]
    assert "what is kept has no file name, and no name was given" in told
    assert 'run.log_artifact(data, name="NAME")' in told
