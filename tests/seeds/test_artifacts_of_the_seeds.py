"""What the trackers that came before did with artifacts and attachments, as tests of what does it here.

The ids are those of their vectors: E of entrenar, L of LUML.
"""

import pytest

import otel_experiments as ox
from otel_experiments.errors import ArtifactNotFoundError, RunNotFoundError

HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.fixture(autouse=True)
def recording(tmp_path, monkeypatch):
    """Record into a store in the test's folder."""
    monkeypatch.chdir(tmp_path)
    ox.configure(store="experiments.db", system_metrics_s=0.0)
    yield
    ox.shutdown()


@pytest.mark.parametrize("known", ["E13"])
def test_a_run_that_there_is_not_takes_no_artifact(known):
    """An unknown run is an error before anything is kept."""
    with pytest.raises(RunNotFoundError):
        ox.start_run(resume="nonexistent")
    with pytest.raises(RunNotFoundError):
        ox.run("nonexistent").artifacts  # noqa: B018 - it is the run that is not there
    with pytest.raises(ArtifactNotFoundError):
        ox.artifact("nonexistent")
    assert ox.find_artifacts() == []


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param("sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e", id="E15 in memory"),
        pytest.param(HELLO, id="E15 in SQLite"),
        pytest.param(f"sha256:{HELLO}", id="ours"),
        pytest.param("sha256-2CF24DBA5FB0A30E26E83B2AC5B9E29E", id="capitals"),
        pytest.param(HELLO[:8], id="the beginning"),
    ],
)
def test_an_artifact_is_found_by_each_form_of_its_digest(asked):
    """`hello` has the digest that it had, and both of its forms find the bytes."""
    with ox.start_run("r") as run:
        assert run.log_artifact(b"hello", "greeting") == f"sha256:{HELLO}"
        assert run.use_artifact(asked).read_bytes() == b"hello"

    found = ox.artifact(asked)
    assert (found.name, found.read_bytes()) == ("greeting", b"hello")


@pytest.mark.parametrize(
    "data", [b"", b"hello", bytes(range(256)) * 5000], ids=["E16 empty", "E16", "E16 large"]
)
def test_the_same_bytes_twice_are_one_digest_and_one_file(tmp_path, data):
    """Content addressing takes room once."""
    with ox.start_run("r") as run:
        first, second = run.log_artifact(data, "a"), run.log_artifact(data, "b")

    assert first == second
    assert len(first.removeprefix("sha256:")) == 64
    assert (
        len([path for path in (tmp_path / "experiments.db.artifacts/sha256").rglob("*") if path.is_file()])
        == 1
    )


@pytest.mark.parametrize("store", ["experiments.db", "memory://"], ids=["E35 in SQLite", "E35 in memory"])
def test_the_whole_life_of_a_run_with_an_artifact(store):
    """Made, started, three points, an artifact, succeeded: all of it is there."""
    ox.configure(store=store, system_metrics_s=0.0)
    run = ox.start_run("r", experiment="e", pending=True)
    run.start()
    for step, loss in enumerate((0.5, 0.4, 0.3)):
        run.log({"loss": loss}, step=step)
    run.log_artifact(b"weights", "model.bin")
    run.finish("succeeded")

    stored = ox.run(run.id)
    assert (str(stored.state), stored.metrics["loss"].count) == ("succeeded", 3)
    assert stored.artifacts["model.bin"].read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("note.txt", "text ü".encode(), id="L13 text"),
        pytest.param("blob.bin", bytes(range(256)), id="L13 bytes"),
        pytest.param("a/b.txt", b"nested", id="L13 nested"),
    ],
)
def test_an_attachment_comes_back_as_it_was(name, data):
    """Text, bytes, and a name in a folder; written again, it is the new one."""
    with ox.start_run("r") as run:
        run.log_artifact(b"before", name)
        run.log_artifact(data, name)

    assert ox.run("r").artifacts[name].read_bytes() == data
    with pytest.raises(ArtifactNotFoundError):
        ox.run("r").artifacts["unknown"]


@pytest.mark.parametrize(
    "data", [7, 1.5, None, ["text"]], ids=["L13 int", "L13 float", "L13 None", "L13 list"]
)
def test_what_holds_no_bytes_is_no_attachment(data):
    """It raised there; here training goes on, and the run counts it."""
    with ox.start_run("r") as run:
        assert run.log_artifact(data, "odd") == ""

    assert [(loss.kind, loss.name) for loss in ox.run("r").losses] == [("artifact", "odd")]


@pytest.mark.parametrize(
    "name", ["../../../esc.txt", "/etc/esc.txt", "a/../../esc.txt"], ids=["L33", "L33 root", "L33 inside"]
)
def test_a_name_that_leads_out_is_refused_before_any_write(tmp_path, name):
    """There it was written outside of the store; here nothing is written anywhere."""
    with ox.start_run("r") as run:
        assert run.log_artifact(b"escape", name) == ""

    assert [(loss.kind, loss.name) for loss in ox.run("r").losses] == [("artifact", name)]
    assert not list(tmp_path.rglob("esc.txt"))
    assert not (tmp_path / "experiments.db.artifacts/sha256").exists()
