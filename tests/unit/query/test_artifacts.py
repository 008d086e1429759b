"""What a reader says of artifacts: found by name, version, alias and digest, read, downloaded, and where they come from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.artifacts.place import artifacts_directory, blobs_for
from otel_experiments.errors import (
    AmbiguousArtifactError,
    ArtifactDamagedError,
    ArtifactMissingError,
    ArtifactNotFoundError,
    ArtifactPlaceError,
)
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunField
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store

PREPARE, TRAIN, EVALUATE = (digit * 32 for digit in "abc")
NOWHERE = f"sha256:{'9' * 64}"


@pytest.fixture
def path(tmp_path):
    """A store in which one run made data, a second one two models of it, and a third one looked at the second model."""
    folder = tmp_path / "source"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.txt").write_text("hi")
    (folder / "sub" / "run.sh").write_text("x")
    (folder / "sub" / "run.sh").chmod(0o755)
    path = tmp_path / "experiments.db"
    with blobs_for(StoreLocation.parse(path)).adding() as adding:
        data, first, second = (
            adding.put_folder(folder), adding.put_bytes(b"model 0"), adding.put_bytes(b"model 1")
        )  # fmt: skip
        plot = adding.put_bytes(b"a plot")
    runs = [
        Run(run_id, "digits", name, RunState.SUCCEEDED, number, number, number + 1)
        for number, (run_id, name) in enumerate([(PREPARE, "prepare"), (TRAIN, "train"), (EVALUATE, "eval")])
    ]
    model = {"type": "model", "file_name": "m.pt", "size_bytes": 7}
    logged = [
        ArtifactLogged(
            PREPARE, "digits", "data", data.digest, 5, type="dataset", is_folder=True, size_bytes=3, file_count=2
        ),
        ArtifactLogged(TRAIN, "digits", "model", first.digest, 6, step=1.0, metadata={"f1": 0.5}, **model),
        ArtifactLogged(TRAIN, "digits", "model", second.digest, 7, **model),
        ArtifactLogged(TRAIN, "digits", "plot", plot.digest, 8, role="media", type="image"),
    ]  # fmt: skip
    uses = [ArtifactUsed(TRAIN, data.digest, 6, "digits", "data"), ArtifactUsed(EVALUATE, second.digest, 9)]
    aliases = [AliasSet("digits", "model", "best", first.digest, 10)]
    with open_store(path) as store:
        store.apply(WriteBatch(runs=runs, artifacts=logged, artifact_uses=uses, artifact_aliases=aliases))
    return path


@pytest.fixture
def reader(path):
    """A reader over that store."""
    with open_reader(path) as opened:
        yield opened


def add(path, *logged, uses=()):
    """Store more of what runs logged and used."""
    with open_store(path) as store:
        store.apply(WriteBatch(artifacts=list(logged), artifact_uses=list(uses)))


@pytest.mark.parametrize(
    ("wanted", "ref"),
    [
        ("model", "digits/model:v1"),
        ("model:latest", "digits/model:v1"),
        ("model:best", "digits/model:v0"),
        ("model:v0", "digits/model:v0"),
        ("digits/model:v1", "digits/model:v1"),
        ("digits/data", "digits/data:v0"),
    ],
)
def test_an_artifact_is_found_by_name_alias_version_and_experiment(reader, wanted, ref):
    """Without more than a name it is the latest version."""
    assert reader.artifact(wanted).ref == ref


def test_an_artifact_is_found_by_its_digest_in_every_spelling(reader):
    """Whole or in part, with `sha256:`, with the dash of older releases, or as digits alone; media as well."""
    digest = reader.artifact("model:best").digest
    digits = digest.removeprefix("sha256:")

    for text in (
        digest,
        digits,
        digits[:8],
        digits[:12].upper(),
        f"sha256:{digits[:8]}",
        f"sha256-{digits[:32]}",
    ):
        assert reader.artifact(text).ref == "digits/model:v0"
    (plot,) = reader.store.artifacts(ArtifactQuery(role="media"))
    assert reader.artifact(plot.logged.digest).read_bytes() == b"a plot"


def test_what_is_known_of_an_artifact_is_there_without_its_bytes(path, reader):
    """Name, version, aliases, type, sizes, step, metadata, run and time."""
    shutil.rmtree(artifacts_directory(path))
    found = reader.artifact("model:v0")

    assert (found.name, found.experiment, found.version, found.aliases) == ("model", "digits", 0, ("best",))
    assert (found.type, found.size_bytes, found.file_count, found.is_folder) == ("model", 7, 1, False)
    assert (found.step, found.metadata, found.run_id, found.logged_ns) == (1.0, {"f1": 0.5}, TRAIN, 6)
    assert (found.file_name, found.media_type) == ("m.pt", "")
    assert repr(found).startswith("ArtifactView('digits/model:v0', 'model', 'sha256:")


def test_bytes_are_read_from_files_and_from_folders(reader):
    """A file at once, of a folder each file by its path."""
    assert reader.artifact("model").read_bytes() == b"model 1"
    with reader.artifact("model:best").open() as opened:
        assert opened.read(5) == b"model"
    data = reader.artifact("data")
    assert [(one.path, one.size_bytes, one.is_executable) for one in data.files] == [
        ("a.txt", 2, False),
        ("sub/run.sh", 1, True),
    ]
    assert data.read_text("a.txt") == "hi"
    assert [one.path for one in reader.artifact("model").files] == ["m.pt"]


def test_a_file_of_a_folder_that_is_not_there_is_named_with_those_that_are(reader):
    """A folder has no bytes of its own, and a misspelt file is answered with the nearest."""
    with pytest.raises(
        ArtifactNotFoundError,
        match=r"^No such file in artifact .*no file of it was named; its files: a\.txt, sub/run\.sh",
    ):
        reader.artifact("data").read_bytes()
    with pytest.raises(ArtifactNotFoundError, match=r"Did you mean 'a\.txt'"):
        reader.artifact("data").read_text("a.tx")


def test_a_file_is_downloaded_into_a_folder_or_to_a_path(reader, tmp_path):
    """Into a folder under the name that it had; folders on the way are made."""
    into, to = tmp_path / "into", tmp_path / "new" / "model.bin"
    into.mkdir()

    assert reader.artifact("model").download(into) == into / "m.pt"
    assert reader.artifact("model").download(to) == to
    assert (into / "m.pt").read_bytes() == to.read_bytes() == b"model 1"


@pytest.mark.parametrize("is_there", [False, True])
def test_a_folder_is_downloaded_whole_or_not_at_all(reader, path, tmp_path, is_there):
    """Where one file is damaged, or cannot be written, the folder is as it was: without a new file, and without a rest."""
    target = tmp_path / "to" / "out"
    if is_there:
        target.mkdir(parents=True)
        (target / "a.txt").write_text("mine")
    data = reader.artifact("data")
    kept = blobs_for(StoreLocation.parse(path)).path_of(data.files[-1].digest)
    before = kept.read_bytes()
    kept.chmod(0o600)
    kept.write_text("y")

    with pytest.raises(ArtifactDamagedError):
        data.download(target, overwrite=True)

    left = {file.name: file.read_text() for file in target.iterdir()} if is_there else {}
    assert left == ({"a.txt": "mine"} if is_there else {})
    assert [one.name for one in target.parent.iterdir()] == (["out"] if is_there else [])

    kept.write_bytes(before)
    if is_there:
        (target / "sub" / "run.sh").mkdir(parents=True)
        with pytest.raises(ArtifactPlaceError, match=r"run\.sh.*it is a folder"):
            data.download(target, overwrite=True)
        assert (target / "a.txt").read_text() == "mine"
        (target / "sub" / "run.sh").rmdir()
    (tmp_path / "to" / "other").write_text("stays")
    data.download(target, overwrite=is_there)
    assert (target / "a.txt").read_text() == "hi"
    assert (target / "sub" / "run.sh").read_text() == "x"
    assert {one.name for one in target.iterdir()} == {"a.txt", "sub"}


def test_a_folder_is_downloaded_with_its_files_and_their_rights(reader, tmp_path):
    """What was a program is one again."""
    target = reader.artifact("data").download(tmp_path / "out")

    assert (target / "a.txt").read_text() == "hi"
    assert os.access(target / "sub" / "run.sh", os.X_OK)
    assert not os.access(target / "a.txt", os.X_OK)


def test_a_download_without_a_path_has_a_folder_of_its_version(reader, path, tmp_path, monkeypatch):
    """Two versions are never mixed, and nothing of the working directory is written over."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("mine")
    (tmp_path / "m.pt").write_text("mine")

    assert reader.artifact("data").download() == Path("artifacts/data-v0")
    assert reader.artifact("model").download() == Path("artifacts/model-v1/m.pt")
    assert reader.artifact("model:v0").download() == Path("artifacts/model-v0/m.pt")
    assert reader.artifact("data").download() == Path("artifacts/data-v0")
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "m.pt").read_text() == "mine"
    assert (tmp_path / "artifacts/data-v0/a.txt").read_text() == "hi"


@pytest.mark.parametrize("name", ["../up", "a/../../b", "/etc/passwd", "..", "a\\..\\..\\b"])
def test_a_folder_of_a_hostile_name_stays_below_the_working_directory(path, tmp_path, monkeypatch, name):
    """Names that came from another machine lead nowhere else."""
    with open_reader(path) as reader:
        digest = reader.artifact("model").digest
    add(path, ArtifactLogged(TRAIN, "evil", name, digest, 20, file_name="m.pt"))
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with open_reader(path) as reader:
        written = next(one for one in reader.artifacts(experiment="evil")).download()

    assert written.resolve().relative_to(here).parts[0] == "artifacts"
    assert len(written.parts) == 3


def test_a_file_of_other_content_is_replaced_when_it_is_asked(reader, tmp_path):
    """A user's file stays as it is; the same bytes are no obstacle."""
    target = tmp_path / "m.pt"
    target.write_text("mine")
    with pytest.raises(ArtifactPlaceError, match="a file of other content is there"):
        reader.artifact("model").download(tmp_path)
    assert target.read_text() == "mine"

    assert reader.artifact("model").download(target, overwrite=True) == target
    assert reader.artifact("model").download(target) == target
    assert target.read_bytes() == b"model 1"


def test_a_folder_is_not_mixed_with_what_is_there_unless_it_is_asked(reader, tmp_path):
    """Files of another version would not be told apart; with overwrite they stay, as the documentation says."""
    target = tmp_path / "data"
    (target / "sub").mkdir(parents=True)
    (target / "sub" / "old.txt").write_text("old")
    with pytest.raises(
        ArtifactPlaceError, match=r"the folder has 'sub/old\.txt', which the artifact has not"
    ):
        reader.artifact("data").download(target)
    assert sorted(one.name for one in target.rglob("*")) == ["old.txt", "sub"]

    reader.artifact("data").download(target, overwrite=True)
    assert sorted(one.name for one in target.rglob("*")) == ["a.txt", "old.txt", "run.sh", "sub"]

    (target / "sub" / "old.txt").unlink()
    (target / "a.txt").write_text("mine")
    with pytest.raises(ArtifactPlaceError, match="a file of other content is there"):
        reader.artifact("data").download(target)
    (target / "a.txt").unlink()
    assert reader.artifact("data").download(target) == target
    assert (target / "a.txt").read_text() == "hi"


@pytest.mark.parametrize(
    ("file_name", "name", "expected"),
    [
        ("../../x.pt", "model", "x.pt"),
        ("..\\x.pt", "model", "x.pt"),
        ("/", "a/..", "sha256-"),
        ("n" * 500, "model", "n" * 200),
        ("\0", "m", "m"),
        ("", "val/model", "model"),
    ],
)
def test_a_hostile_file_name_stays_in_the_folder(path, tmp_path, file_name, name, expected):
    """Names that came from another machine lead nowhere else."""
    with open_reader(path) as reader:
        digest = reader.artifact("model").digest
    add(path, ArtifactLogged(TRAIN, "evil", name, digest, 20, file_name=file_name))
    into = tmp_path / "into"
    into.mkdir()
    with open_reader(path) as reader:
        found = next(one for one in reader.artifacts(experiment="evil"))
        written = found.download(into)

    assert written.parent == into
    assert written.name.startswith(expected)


def test_a_target_that_cannot_be_written_is_named(reader, tmp_path):
    """A file where a folder has to be is an error of ours, and what was there stays."""
    (tmp_path / "file").write_text("mine")

    with pytest.raises(ArtifactPlaceError, match="file"):
        reader.artifact("data").download(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_store_that_was_copied_without_its_artifacts_says_so(path, reader):
    """What is missing is named with its digest and with what to copy."""
    shutil.rmtree(artifacts_directory(path))

    for ask in (
        lambda: reader.artifact("model").read_bytes(),
        lambda: reader.artifact("model").verify(),
        lambda: reader.artifact("data").files,
    ):
        with pytest.raises(ArtifactMissingError, match="copy the folder of its artifacts"):
            ask()


def test_damaged_bytes_are_named_and_not_served(reader, tmp_path):
    """Reading, downloading and verifying tell a blob whose bytes have changed; the target stays as it was."""
    found = reader.artifact("model")
    blob = found.path()
    blob.chmod(0o644)
    blob.write_bytes(b"model x")

    with pytest.raises(ArtifactDamagedError):
        found.read_bytes()
    with pytest.raises(ArtifactDamagedError):
        found.verify()
    with pytest.raises(ArtifactDamagedError):
        found.download(tmp_path / "m.pt")
    assert not (tmp_path / "m.pt").exists()
    reader.artifact("model:best").verify()


def test_verifying_a_folder_reads_each_of_its_files(reader):
    """A damaged file in a folder is found."""
    data = reader.artifact("data")
    data.verify()
    blob = artifacts_directory(StoreLocation.parse(reader.location).path) / "sha256"
    digits = data.files[0].digest.removeprefix("sha256:")
    (file,) = blob.rglob(digits)
    file.chmod(0o644)
    file.write_bytes(b"ho")

    with pytest.raises(ArtifactDamagedError):
        data.verify()
    assert data.path() is None


def test_bytes_are_found_after_the_working_directory_changed(path, monkeypatch, tmp_path):
    """A store that was opened by a relative path has its artifacts beside it wherever the process goes."""
    monkeypatch.chdir(path.parent)
    with open_reader(path.name) as reader:
        found = reader.artifact("model")
        monkeypatch.chdir(tmp_path / "source")
        assert found.read_bytes() == b"model 1"


def test_bytes_that_are_elsewhere_are_read_from_there(path, tmp_path):
    """An artifact whose record names a folder is read from it; what the store's own folder has comes first."""
    place = tmp_path / "shared"
    with blobs_for(StoreLocation.parse(path), str(place)).adding() as adding:
        put = adding.put_bytes(b"far")
    add(path, ArtifactLogged(TRAIN, "digits", "far", put.digest, 20, place=str(place)))

    with open_reader(path) as reader:
        assert reader.artifact("far").read_bytes() == b"far"
        assert reader.artifact("model").read_bytes() == b"model 1"


def test_a_name_in_two_experiments_is_asked_about(path):
    """Without an experiment it is ambiguous, with one it is not; a run's own experiment is enough."""
    with open_reader(path) as reader:
        digest = reader.artifact("model").digest
    add(path, ArtifactLogged(EVALUATE, "letters", "model", digest, 20))

    with open_reader(path) as reader:
        with pytest.raises(AmbiguousArtifactError, match="digits/model, letters/model"):
            reader.artifact("model")
        assert reader.artifact("model", experiment="letters").ref == "letters/model:v0"
        assert reader.artifact("digits/model", experiment="letters").ref == "digits/model:v1"


def test_a_beginning_of_several_digests_is_asked_about(path):
    """The error lists the digests."""
    add(path, *(ArtifactLogged(TRAIN, "digits", "x", f"sha256:12345678{digit * 56}", 20) for digit in "ab"))

    with open_reader(path) as reader, pytest.raises(AmbiguousArtifactError, match="sha256:12345678aa"):
        reader.artifact("12345678")


def test_a_name_with_slashes_is_found_as_a_whole_and_behind_an_experiment(path):
    """`val/plots` is a name; `digits/val/plots` the same one with its experiment."""
    with open_reader(path) as reader:
        digest = reader.artifact("model").digest
    add(path, ArtifactLogged(TRAIN, "digits", "val/plots", digest, 20))

    with open_reader(path) as reader:
        for wanted in ("val/plots", "digits/val/plots", "digits/val/plots:v0"):
            assert reader.artifact(wanted).name == "val/plots"


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("modle", "Did you mean 'digits/model'"),
        ("model:bst", "model has v0, v1; aliases best, latest"),
        ("model:v7", "model has v0, v1; aliases best, latest"),
        ("letters/model", "Did you mean 'digits/model'"),
        ("sha256:00000000", "no artifact has it"),
        ("", "2 artifacts: digits/data, digits/model"),
        (":", "2 artifacts"),
        ("x" * 10_000, "2 artifacts"),
        ("\0", "2 artifacts"),
        ("\ud800", "2 artifacts"),
        ("model:\udfff", "model has v0, v1"),
        ("\ud800/model", "Did you mean 'digits/model'"),
    ],
)
def test_what_is_not_there_is_answered_with_what_is(reader, wanted, told):
    """The error names the nearest artifact, or the versions and aliases of one that is there."""
    with pytest.raises(ArtifactNotFoundError) as caught:
        reader.artifact(wanted)

    assert told in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_an_empty_store_has_no_artifacts():
    """It says so, and lists none."""
    with ox.open_reader("memory://") as reader:
        assert reader.artifacts() == []
        with pytest.raises(ArtifactNotFoundError, match="it has none"):
            reader.artifact("model")


def test_each_version_is_listed_once(path):
    """By experiment, name and version; media are not among them."""
    with open_reader(path) as reader:
        digest = reader.artifact("model:v0").digest
    add(path, ArtifactLogged(EVALUATE, "digits", "model", digest, 30, type="model", step=9.0))

    refs = [one.ref for one in ox.find_artifacts(store=path)]

    assert refs == ["digits/data:v0", "digits/model:v0", "digits/model:v1"]
    assert [one.ref for one in ox.find_artifacts(type="dataset", store=path)] == ["digits/data:v0"]
    assert ox.artifact("model:v0", store=path).step == 9.0
    assert ox.artifact("model", store=path).version == 0  # logged last


def test_a_run_has_what_it_logged_by_name(reader):
    """Of a name that it logged twice the last one, and all of them in the order of time."""
    run = reader.run("train")

    assert list(run.artifacts) == ["model"]
    assert run.artifacts["model"].read_bytes() == b"model 1"
    assert [one.version for one in run.artifacts.all()] == [0, 1]
    assert ("model" in run.artifacts, "data" in run.artifacts) == (True, False)
    assert run.artifacts.get("data") is None
    with pytest.raises(ArtifactNotFoundError, match="run bbbbbbbb logged model"):
        run.artifacts["modell"]


def test_a_run_has_what_it_used(path):
    """With the name that it asked by, or what the digest is known as; what is unknown here is shown by its digest."""
    add(path, uses=[ArtifactUsed(EVALUATE, NOWHERE, 20, "digits", "lost")])

    with open_reader(path) as reader:
        assert [one.ref for one in reader.run("train").used_artifacts] == ["digits/data:v0"]
        model, lost = reader.run("eval").used_artifacts
        assert (model.ref, lost.ref, lost.name, lost.version) == ("digits/model:v1", NOWHERE, "lost", None)
        with pytest.raises(ArtifactMissingError):
            lost.read_bytes()


def test_an_artifact_knows_the_runs_that_made_and_used_it(reader):
    """As runs that can be read on from."""
    (made,) = reader.artifact("data").made_by
    (used,) = reader.artifact("model").used_by

    assert (made.name, used.name, used.state) == ("prepare", "eval", "succeeded")
    assert reader.artifact("model:v0").used_by == []


def test_runs_are_found_by_how_many_artifacts_they_logged(path):
    """`artifacts > 0` finds runs that logged some, `artifacts.count` is the same, and a run says the number itself."""
    found = {
        where: sorted(run.id for run in ox.runs(where, store=path))
        for where in ("artifacts > 0", "artifacts.count >= 2", "artifacts == 0")
    }

    assert found == {
        "artifacts > 0": [PREPARE, TRAIN],
        "artifacts.count >= 2": [TRAIN],
        "artifacts == 0": [EVALUATE],
    }
    assert [run.value(RunField("artifacts")) for run in ox.runs(order="-artifacts", store=path)] == [2, 1, 0]
