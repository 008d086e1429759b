"""`otel-experiments artifacts`: list, show, get, verify, alias and lineage of what runs kept."""

import json
import os
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.cli.root import root
from otel_experiments.model.store_location import StoreLocation

HOSTILE = "\x1b]0;owned\x07"


@pytest.fixture
def store(tmp_path):
    """A store in which two runs made a data set, a model of two versions, and a folder."""
    path = tmp_path / "runs.db"
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "train.csv").write_bytes(b"1,2")
    (folder / "sub" / "run.sh").write_bytes(b"exit")
    (folder / "sub" / "run.sh").chmod(0o755)
    ox.configure(store=path)
    try:
        with ox.start_run("prepare", experiment="digits") as run:
            run.log_artifact(folder, name="data", type="dataset")
        with ox.start_run("train", experiment="digits") as run:
            run.use_artifact("data")
            run.log_artifact(b"first", name="model", type="model", step=1)
            run.log_artifact(b"second!", name="model", type="model", step=2, metadata={"acc": 0.9})
            run.log_artifact(b"odd", name=f"odd{HOSTILE}"[:3] + "x", type=HOSTILE)
    finally:
        ox.shutdown()
    return path


@pytest.fixture
def artifacts(store):
    """Return the function that runs `artifacts` with arguments."""

    def run(*arguments, code=0):
        result = CliRunner().invoke(
            root, ["artifacts", *arguments], env={"OTEL_EXPERIMENTS_STORE": str(store), "COLUMNS": "100"}
        )
        assert result.exit_code == code, result.output
        return result

    return run


def blob(store, digest):
    """Return the file that has the bytes of a digest."""
    digits = digest.removeprefix("sha256:")
    return store.with_name("runs.db.artifacts") / "sha256" / digits[:2] / digits


def test_the_list_has_a_version_a_line(artifacts):
    """Names with versions, aliases, types, sizes and digests; filters leave lines out."""
    listed = artifacts().stdout

    assert "digits/data:v0" in listed
    assert "digits/model:v1" in listed
    assert "latest" in listed
    assert "\x1b" not in listed
    assert "data" not in artifacts("--type", "model").stdout
    found = json.loads(artifacts("--name", "model", "--json").stdout)
    assert [(one["version"], one["size_bytes"], one["aliases"]) for one in found] == [
        (0, 5, []),
        (1, 7, ["latest"]),
    ]
    assert "3 more" in artifacts("-n", "1").stderr


def test_one_is_shown_with_all_that_is_known(artifacts):
    """Digest, size, metadata, files of a folder, who made and who used it."""
    shown = artifacts("show", "model").stdout
    assert "digits/model:v1" in shown
    assert "metadata.acc  0.9" in shown
    assert "train (" in shown

    assert re.search("^digest +sha256:[0-9a-f]{64}$", shown, re.MULTILINE)

    folder = artifacts("show", "digits/data").stdout
    assert "sub/run.sh" in folder
    assert "7 B in 2 files" in folder
    found = json.loads(artifacts("show", "data", "--json").stdout)
    assert [entry["path"] for entry in found["files"]] == ["sub/run.sh", "train.csv"]
    assert (len(found["made_by"]), len(found["used_by"]), found["problem"]) == (1, 1, None)


def test_a_store_without_its_folder_says_so(artifacts, store):
    """Of a store that was copied without its artifacts, everything but the bytes is shown, and the error says what to copy."""
    store.with_name("runs.db.artifacts").rename(store.with_name("elsewhere"))

    assert "digits/model:v1" in artifacts().stdout
    shown = artifacts("show", "model")
    assert "there is no such folder" in shown.stderr
    assert "copy the folder of its artifacts as well" in shown.stderr
    assert "missing" in artifacts("get", "model", code=3).stderr
    assert "0 of 4" in artifacts("verify", code=3).stdout


def test_a_file_is_written_under_its_name(artifacts, tmp_path, monkeypatch):
    """`get` writes the bytes into the working directory, to a file or into a folder, and over nothing unasked."""
    monkeypatch.chdir(tmp_path)

    assert artifacts("get", "model:v0").stdout == "model (5 B)\n"
    assert (tmp_path / "model").read_bytes() == b"first"
    refused = artifacts("get", "model", code=2)
    assert "model is there already" in refused.stderr
    assert (tmp_path / "model").read_bytes() == b"first"
    artifacts("get", "model", "--force")
    assert (tmp_path / "model").read_bytes() == b"second!"
    (tmp_path / "into").mkdir()
    artifacts("get", "model", "-o", "into")
    assert json.loads(artifacts("get", "model", "-o", "x.bin", "--json").stdout)["path"] == "x.bin"
    assert (tmp_path / "into" / "model").read_bytes() == (tmp_path / "x.bin").read_bytes() == b"second!"


def test_a_folder_is_written_whole_or_not_at_all(artifacts, store, tmp_path):
    """All files of a folder, with the right to execute; where one is damaged nothing is left."""
    target = tmp_path / "out"
    artifacts("get", "data", "-o", str(target))

    assert (target / "train.csv").read_bytes() == b"1,2"
    assert os.access(target / "sub" / "run.sh", os.X_OK)
    files = json.loads(artifacts("show", "data", "--json").stdout)["files"]
    damage(blob(store, files[1]["digest"]))
    refused = artifacts("get", "data", "-o", str(tmp_path / "again"), code=3)
    assert "damaged" in refused.stderr
    assert [path.name for path in tmp_path.iterdir() if "again" in path.name] == []


def damage(path):
    """Change the bytes of a blob."""
    path.chmod(0o600)
    path.write_bytes(b"9,9")


def test_verify_names_what_is_damaged_or_missing(artifacts, store):
    """All bytes are read; each one that is not as it was logged is named, and the exit code says it."""
    assert artifacts("verify").stdout == "4 of 4 are as they were logged.\n"
    assert artifacts("verify", "model").stdout == "1 of 1 are as they were logged.\n"
    digests = {one["ref"]: one["digest"] for one in json.loads(artifacts("--json").stdout)}
    damage(blob(store, digests["digits/model:v0"]))
    blob(store, digests["digits/model:v1"]).unlink()

    found = json.loads(artifacts("verify", "--json", code=3).stdout)
    assert found == {
        "verified": 2,
        "damaged": ["digits/model:v0"],
        "missing": ["digits/model:v1"],
        "left_out": [],
    }
    told = artifacts("verify", code=3)
    assert told.stdout == "2 of 4 are as they were logged, 1 damaged, 1 missing.\n"
    assert str(blob(store, digests["digits/model:v0"])) in told.stderr


def test_an_alias_is_set_and_taken_away(artifacts):
    """`best` points at a version until it is set again or taken away; `latest` cannot be set."""
    assert artifacts("alias", "model:v0", "best").stdout == "model:best is version 0.\n"
    assert json.loads(artifacts("show", "model:best", "--json").stdout)["version"] == 0
    artifacts("alias", "model:v1", "best")
    assert json.loads(artifacts("show", "model:best", "--json").stdout)["version"] == 1
    assert artifacts("unalias", "model", "best").stdout == "model:best was taken away.\n"
    artifacts("show", "model:best", code=4)
    assert "latest" in artifacts("alias", "model:v0", "latest", code=2).stderr


def test_lineage_is_drawn_both_ways(artifacts):
    """From the data to the model that a run made of it, and back."""
    forward = artifacts("lineage", "data").stdout
    assert [
        word in forward for word in ("made by run prepare", "used by run train", "made digits/model:v1")
    ] == [True] * 3
    back = artifacts("lineage", "model").stdout
    assert "used digits/data:v0" in back
    found = json.loads(artifacts("lineage", "model", "--json").stdout)
    assert found["root"]["id"] == "digits/model:v1"
    assert {(link["action"], link["artifact"]) for link in found["links"]} >= {
        ("made", "digits/model:v1"),
        ("used", "digits/data:v0"),
    }


def test_texts_cannot_steer_the_terminal(artifacts):
    """What runs wrote is printed with control characters escaped, everywhere."""
    for arguments in ((), ("show", "oddx"), ("lineage", "oddx")):
        result = artifacts(*arguments)
        assert "\x1b" not in result.stdout + result.stderr
        assert "\x07" not in result.stdout + result.stderr


def test_a_name_that_is_not_there_suggests_one(artifacts):
    """The error names the nearest artifact, with the exit code for what is not found."""
    assert "Did you mean" in artifacts("show", "modle", code=4).stderr


@pytest.fixture
def doctor(store):
    """Return the function that answers with what the doctor says of artifacts: level and text."""

    def ask(*arguments):
        result = CliRunner().invoke(
            root, ["doctor", "--json", *arguments], env={"OTEL_EXPERIMENTS_STORE": str(store)}
        )
        findings = json.loads(result.stdout)["findings"]
        return [(one["level"], one["text"]) for one in findings if one["subject"] == "artifacts"]

    return ask


def test_the_doctor_counts_what_is_missing_damaged_and_unused(artifacts, store, doctor):
    """All is well at first; then a blob is gone, one is changed, one is unused, and each is counted."""
    place = str(store.with_name("runs.db.artifacts"))
    assert doctor() == [("ok", f"6 files, 360 B, in {place!r}.")]

    digests = {one["ref"]: one["digest"] for one in json.loads(artifacts("--json").stdout)}
    blob(store, digests["digits/model:v0"]).unlink()
    damage(blob(store, digests["digits/model:v1"]))
    with blobs_for(StoreLocation.parse(store)).adding() as adding:
        adding.put_bytes(b"unused")

    quick = doctor()
    assert [level for level, _ in quick] == ["note", "problem", "note"]
    assert "The bytes of 1 are missing: " + digests["digits/model:v0"] in quick[1][1]
    assert "Nothing in the store refers to 1 file (6 B)" in quick[2][1]
    assert "damaged" not in str(quick)
    deep = doctor("--deep")
    assert f"1 file damaged: {blob(store, digests['digits/model:v1'])}" in str(deep)


def test_the_doctor_says_that_the_folder_was_not_copied(store, doctor):
    """A store whose folder of artifacts is not beside it has one warning."""
    store.with_name("runs.db.artifacts").rename(store.with_name("elsewhere"))

    ((level, text),) = doctor()

    assert level == "warning"
    assert text.startswith("The bytes of 4 artifacts are missing")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="no file here gives an error of the disk")
def test_verify_goes_on_after_a_blob_that_the_disk_does_not_give_back(artifacts, store, doctor):
    """The damaged one and the one that is a folder are named, the others are checked, and the doctor says the same."""
    digests = {one["ref"]: one["digest"] for one in json.loads(artifacts("--json").stdout)}
    first, second = (blob(store, digests[f"digits/model:v{number}"]) for number in range(2))
    first.unlink()
    first.symlink_to("/proc/self/mem")
    second.unlink()
    second.mkdir()

    told = artifacts("verify", code=3)

    assert "Input/output error" in told.stderr
    assert "a folder is in the place of its file" in told.stderr
    assert told.stdout == "2 of 4 are as they were logged, 1 damaged, 1 missing.\n"
    assert f"1 file damaged: {first}" in str(doctor("--deep"))
