"""What `show` prints of the artifacts that a run logged and used."""

import pytest

from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

TRAIN, OTHER = "a" * 32, "b" * 32
DATA, MODEL = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.fixture
def path(empty_terminal):
    """A store with a run that used data of another experiment and logged models."""
    path = empty_terminal.store
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[
                    Run(TRAIN, "digits", "train", RunState.SUCCEEDED, 1, 1, 2),
                    Run(OTHER, "data", "prepare", RunState.SUCCEEDED, 1, 1, 2),
                ],
                artifacts=[
                    ArtifactLogged(
                        OTHER, "data", "train-set", DATA, 5, type="dataset", is_folder=True, size_bytes=2_500_000,
                        file_count=1_200,
                    ),
                    ArtifactLogged(
                        TRAIN, "digits", "model", MODEL, 6, type="model", size_bytes=1234, step=3.0,
                        metadata={"f1": float("nan")}, file_name="m.pt",
                    ),
                ],
                artifact_uses=[ArtifactUsed(TRAIN, DATA, 5, "data", "train-set")],
                artifact_aliases=[AliasSet("digits", "model", "best", MODEL, 7)],
            )
        )  # fmt: skip
    return path


def test_show_lists_what_a_run_logged_and_used(path, empty_terminal):
    """Names with their versions, aliases, type, sizes, step and the first digits; of another experiment with its name."""
    lines = [" ".join(line.split()) for line in empty_terminal.text("show", "train").splitlines()]

    at = lines.index("── artifacts")
    assert lines[at + 1] == "artifact aliases type size step digest"
    assert lines[at + 3] == "model:v0 latest, best model 1.23 kB 3 sha256:22222222"
    used = lines.index("── used")
    assert lines[used + 3] == "data/train-set:v0 latest dataset 1,200 2.5 MB sha256:11111111"


def test_show_of_a_run_without_artifacts_has_no_section_of_them(path, empty_terminal):
    """A run that used none has no heading for it."""
    shown = empty_terminal.text("show", "prepare")

    assert "artifacts" in shown
    assert "used" not in shown


def test_show_as_json_has_the_artifacts(path, empty_terminal):
    """Everything that is known of them but the bytes."""
    page = empty_terminal.json("show", "train")

    (model,), (data,) = page["artifacts"], page["used_artifacts"]
    assert (model["ref"], model["version"], model["aliases"]) == ("digits/model:v0", 0, ["latest", "best"])
    assert (model["size_bytes"], model["step"], model["metadata"]) == (1234, 3, {"f1": "NaN"})
    assert (model["run_id"], model["digest"], model["file_name"]) == (TRAIN, MODEL, "m.pt")
    assert (data["ref"], data["is_folder"], data["file_count"]) == ("data/train-set:v0", True, 1200)


def test_an_artifact_that_is_unknown_here_is_shown_by_its_digest(path, empty_terminal):
    """A run whose data was made elsewhere shows the name that it asked by."""
    with open_store(path) as store:
        store.apply(
            WriteBatch(artifact_uses=[ArtifactUsed(OTHER, f"sha256:{'9' * 64}", 5, "digits", "lost")])
        )

    shown = empty_terminal.text("show", "prepare")
    assert "lost" in shown
    assert "sha256:99999999" in shown
    assert empty_terminal.json("show", "prepare")["used_artifacts"][0]["run_id"] is None
