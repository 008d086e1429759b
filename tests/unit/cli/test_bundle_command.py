"""`bundle` and `import` as a person types them."""

import json
import sqlite3
from contextlib import closing

import pytest

import otel_experiments as ox
from otel_experiments.artifacts.place import blobs_for
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import open_store


@pytest.fixture
def jobs_path(jobs, tmp_path):
    """Return the path of a store with six runs of this test's own, which may be written to."""
    path = tmp_path / "jobs" / "experiments.db"
    path.parent.mkdir()
    with open_store(path) as store:
        store.apply(jobs.batch)
    return path


@pytest.fixture
def with_model(terminal, jobs_path):
    """Return the command line over the six runs, of which the first one logged a model; and the run's id."""
    with ox.open(jobs_path) as reader:
        run = reader.run("mlp-a")
    with blobs_for(StoreLocation.parse(jobs_path)).adding() as adding, open_store(jobs_path) as store:
        put = adding.put_bytes(b"weights" * 100)
        logged = ArtifactLogged(run.id, "digits", "model", put.digest, 5, size_bytes=put.size_bytes)
        store.apply(WriteBatch(artifacts=[logged]))
    return terminal, run.id


def test_runs_are_bundled_and_listed(terminal, tmp_path):
    """What was bundled is said in a line, and the file is listed, searched and shown as any store."""
    said = terminal.text("bundle", "mlp-a", "mlp-b", "-o", "two.oxb")

    assert said.startswith("Wrote 2 runs to two.oxb: ")
    listed = terminal.json("runs", "--store", "two.oxb")
    assert sorted(run["name"] for run in listed["runs"]) == ["mlp-a", "mlp-b"]
    for command in (
        ["show", "mlp-a"],
        ["metrics", "mlp-a"],
        ["spans"],
        ["export", "runs"],
        ["sql", "select count(*) from runs"],
    ):
        assert terminal.run(*command, "--store", "two.oxb").exit_code == 0, command


def test_a_run_that_goes_on_is_said(terminal):
    """A bundle of a run that has not ended says which one it is, on stderr, and succeeds."""
    result = terminal.run("bundle", "live-e", "mlp-a", "-o", "x.oxb")

    assert result.exit_code == 0
    assert "1 run still going on, taken as far as stored: 0e0e0e0e." in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Name the file: -o runs.oxb"),
        (["-o", "x.oxb"], "--all takes all of the store"),
        (["mlp-a", "--all", "-o", "x.oxb"], "three ways to choose; take one"),
        (["mlp-a", "--where", "params.lr < 1", "-o", "x.oxb"], "three ways to choose; take one"),
        (["mlp-a", "-o", "x.zip"], "Let it end in .oxb"),
        (["mlp-a", "-o", "x.oxb", "--max-artifact-size", "many"], "Write it as 500kB, 100MB or 2GB"),
        (["--check", __file__, "mlp-a"], "--check looks at one file"),
        (["mlp-a", "-o", "nowhere/x.oxb"], "Cannot write to 'nowhere/x.oxb': No such file or directory."),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(terminal, tmp_path, arguments, said):
    """Options that say too little or too much are refused with exit code 2, and no file is made."""
    result = terminal.run("bundle", *arguments)

    assert (result.exit_code, said in result.stderr) == (2, True)
    assert not list(tmp_path.glob("x.*"))


def test_runs_are_chosen_by_experiment_search_or_all(terminal):
    """`--experiment`, `--where` and `--all` choose as they do elsewhere."""
    for arguments, count in (
        (["--experiment", "mnist"], 1),
        (["--where", "params.optim.lr < 0.06"], 2),
        (["--all"], 6),
    ):
        assert len(terminal.json("bundle", *arguments, "-o", "x.oxb")["runs"]) == count


def test_what_is_left_out_is_named(with_model):
    """Artifacts whose bytes are not in the bundle are named, with size and reason, when it is made and when it is checked."""
    terminal, _ = with_model
    line = "  model, 700 B: larger than asked for\n"

    made = terminal.run("bundle", "mlp-a", "-o", "x.oxb", "--max-artifact-size", "0.5kB")
    checked = terminal.run("bundle", "--check", "x.oxb")

    assert (made.exit_code, checked.exit_code) == (0, 0)
    assert made.stderr == checked.stderr == f"Not in it are the bytes of 1 artifact:\n{line}"
    assert terminal.json("bundle", "mlp-a", "-o", "y.oxb")["left_out"] == []
    (left_out,) = json.loads(terminal.run("bundle", "--check", "x.oxb", "--json").stdout)["left_out"]
    assert (left_out["name"], left_out["why"]) == ("model", "too large")


def test_what_a_bundle_left_out_is_not_missing(with_model):
    """`artifacts verify` of it names what was left out on purpose, and ends well."""
    terminal, _ = with_model
    terminal.run("bundle", "mlp-a", "-o", "x.oxb", "--max-artifact-size", "0.5kB")
    shown = terminal.run("artifacts", "verify", "--store", "x.oxb")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == (
        "0 of 0 are as they were logged.\nThe bytes of 1 were left out of a bundle: digits/model:v0.\n"
    )
    plain = json.loads(terminal.run("artifacts", "verify", "--store", "x.oxb", "--json").stdout)
    assert (plain["missing"], len(plain["left_out"])) == ([], 1)


def test_bytes_that_are_missing_are_an_exit_code(with_model, jobs_path):
    """A bundle without bytes that should be there is made, and exits with 9."""
    terminal, _ = with_model
    directory = jobs_path.with_name(f"{jobs_path.name}.artifacts")
    directory.rename(jobs_path.with_name("elsewhere"))

    result = terminal.run("bundle", "mlp-a", "-o", "x.oxb")

    assert (result.exit_code, "model, 700 B: they are missing in the store" in result.stderr) == (9, True)
    assert len(terminal.json("runs", "--store", "x.oxb")["runs"]) == 1


def test_a_check_says_what_is_damaged(with_model, tmp_path):
    """A bundle whose artifact was changed is named damaged by `--check` and by `doctor`, with exit code 3."""
    terminal, _ = with_model
    terminal.text("bundle", "mlp-a", "-o", "x.oxb")
    assert "It is as it was made.\n" in terminal.text("bundle", "--check", "x.oxb")
    with closing(sqlite3.connect(tmp_path / "x.oxb")) as connection:
        connection.execute("update bundle_chunks set data = zeroblob(700)")
        connection.commit()

    checked, doctor = terminal.run("bundle", "--check", "x.oxb"), terminal.run("doctor", "--store", "x.oxb")

    assert (checked.exit_code, doctor.exit_code) == (3, 3)
    assert "It is not as it was made:\n" in checked.stdout
    assert checked.stderr.startswith("  the bytes of sha256:")
    assert "are others" in doctor.stdout


def test_a_bundle_is_fine_for_doctor(terminal):
    """`doctor` says of a bundle that it is as it was made, and finds nothing to put right about writing it."""
    terminal.text("bundle", "mlp-a", "-o", "x.oxb")

    result = terminal.run("doctor", "--store", "x.oxb")

    assert result.exit_code == 0
    assert "✓ bundle" in result.stdout
    assert "0 problems" in result.stdout


def test_bundles_and_files_of_otlp_are_imported_together(with_model, tmp_path):
    """`import` takes bundles, stores and OTLP in one call, and says of each kind what came."""
    terminal, run_id = with_model
    terminal.text("bundle", "mlp-a", "-o", "x.oxb")
    terminal.run("export", "otlp", "mlp-b", "-o", "b.jsonl")

    result = terminal.run("import", "x.oxb", "b.jsonl", "--store", "new.db")

    assert result.exit_code == 0, result.output
    assert "Took 1 new run: " in result.stdout
    assert "Read " in result.stdout
    names = {run["name"] for run in terminal.json("runs", "--store", "new.db")["runs"]}
    assert names == {"mlp-a", "mlp-b"}
    again = terminal.json("import", "x.oxb", "--store", "new.db")
    assert (again["new_runs"], again["known_runs"], again["new_points"], again["problems"]) == (
        [],
        [run_id],
        0,
        [],
    )


def test_a_command_that_records_refuses_a_bundle(terminal, tmp_path):
    """A command that would change a bundle says that it is only read, and what to do; the file stays as it is."""
    terminal.text("bundle", "mlp-a", "-o", "x.oxb")
    before = (tmp_path / "x.oxb").read_bytes()

    for arguments in (
        ["import", "x.oxb", "--store", "x.oxb"],
        ["demo", "--store", "x.oxb"],
        ["gc", "--store", "x.oxb"],
    ):
        result = terminal.run(*arguments)
        assert (result.exit_code, "is a bundle, which is only read" in result.stderr) == (3, True), (
            result.output
        )

    assert (tmp_path / "x.oxb").read_bytes() == before


def test_an_anonymous_bundle_says_nothing_of_who_and_where(with_model, tmp_path):
    """`--anonymize` gives runs other ids and leaves out host, user and the bytes of artifacts; metrics stay."""
    terminal, run_id = with_model

    result = terminal.run("bundle", "mlp-a", "-o", "x.oxb", "--anonymize")

    assert result.exit_code == 0, result.output
    assert "model, 700 B: left out as asked" in result.stderr
    (run,) = terminal.json("runs", "--store", "x.oxb")["runs"]
    assert run["run_id"] != run_id
    whole = (tmp_path / "x.oxb").read_bytes()
    assert run_id.encode() not in whole
    with ox.open(tmp_path / "x.oxb") as bundle, ox.open(terminal.store) as store:
        assert "host.name" not in bundle.run("mlp-a").resource
        assert store.run("mlp-a").resource["host.name"] == "box"
        assert {name: one.last for name, one in bundle.run("mlp-a").metrics.items()} == {
            name: one.last for name, one in store.run("mlp-a").metrics.items()
        }
