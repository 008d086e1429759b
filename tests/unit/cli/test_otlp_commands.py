"""`export otlp` and `import`: runs as files of OTLP and back, and what is said about it."""

import gzip
import json
import sqlite3
from dataclasses import replace

import pytest

from otel_experiments._merge import import_store
from otel_experiments._replay import import_otlp
from otel_experiments.errors import StoreLockedError, TelemetryDecodeError
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import RunQuery, SpanQuery
from otel_experiments.model.span import Resource, Span
from otel_experiments.store import open_store


def valid(span_id):
    """The id one higher: those of the six runs begin with 0, which no program sends."""
    return None if span_id is None else f"{int(span_id, 16) + 1:016x}"


@pytest.fixture
def terminal(terminal, tmp_path, jobs):
    """Return the command line over a store of its own with the six runs."""
    path = tmp_path / "here.db"
    spans = [
        replace(span, span_id=valid(span.span_id), parent_span_id=valid(span.parent_span_id))
        for span in jobs.batch.spans
    ]
    with open_store(path) as store:
        store.apply(replace(jobs.batch, spans=spans))
    terminal.store = path
    return terminal


@pytest.fixture
def elsewhere(tmp_path):
    """The path of a store that is not there yet."""
    return tmp_path / "elsewhere.db"


def runs_of(path):
    """The runs that a store holds, by name."""
    with open_store(path, read_only=True) as store:
        return {run.name: repr(run) for run in store.find_runs(RunQuery())}


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.proto"])
def test_runs_go_into_another_store(terminal, tmp_path, elsewhere, name):
    """All that is stored of the runs that are named comes back, and no other run; twice is once."""
    path = tmp_path / name

    written = terminal.run("export", "otlp", "mlp-a", "mlp-b", "mlp-a", "-o", str(path))
    first = terminal.run("import", str(path), "--store", str(elsewhere))
    again = terminal.run("import", str(path), "--store", str(elsewhere))

    assert again.stdout == f"{first.stdout}The store had all of them before.\n"
    assert (written.exit_code, first.exit_code) == (0, 0)
    assert written.stderr.startswith(f"Wrote 2 runs to {path}: ")
    assert first.stdout.startswith("Read ")
    assert " of 2 runs; they are in the store.\n" in first.stdout
    there = runs_of(elsewhere)
    here = runs_of(terminal.store)
    assert there == {run: here[run] for run in ("mlp-a", "mlp-b")}
    for command in (("show", "mlp-a"), ("export", "points", "mlp-b"), ("export", "spans", "mlp-a")):
        assert terminal.text(*command, "--store", str(elsewhere)) == terminal.text(*command)


def test_a_pipe_carries_runs(terminal, elsewhere):
    """Export writes to stdout and import reads stdin, compressed or not."""
    lines = terminal.run("export", "otlp", "mlp-a").stdout_bytes

    result = terminal.run("import", "-", "--store", str(elsewhere), "--json", typed=gzip.compress(lines))

    assert result.exit_code == 0
    said = json.loads(result.stdout)
    assert (len(said["runs"]), said["refused"], said["unreadable"], said["problems"]) == (1, 0, 0, [])
    assert list(runs_of(elsewhere)) == ["mlp-a"]


def test_telemetry_of_no_run_goes_with_everything_or_when_it_is_asked_for(terminal, tmp_path):
    """Without runs and filters all of the store is written; `--unattached` adds what belongs to no run."""
    with open_store(terminal.store) as store:
        store.apply(
            WriteBatch(
                spans=[Span("e" * 32, "f" * 16, "orphan", 1, 2, resource=Resource({"service.name": "web"}))]
            )
        )

    def orphans(*arguments):
        copy = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
        lines = terminal.run("export", "otlp", *arguments).stdout_bytes
        assert terminal.run("import", "-", "--store", str(copy), typed=lines).exit_code == 0
        with open_store(copy, read_only=True) as opened:
            return [span.name for span in opened.spans(SpanQuery()) if span.run_id is None]

    assert orphans() == ["orphan"]
    assert orphans("--experiment", "digits") == []
    assert orphans("mlp-a", "--unattached") == ["orphan"]


def test_what_otlp_has_no_room_for_is_said(terminal, tmp_path):
    """A point of a time before 1970 stays in the store; the export says so and ends with code 9."""
    with open_store(terminal.store) as store:
        run_id = next(run.run_id for run in store.find_runs(RunQuery()) if run.name == "mlp-a")
        store.apply(
            WriteBatch(points=[PointBlock(run_id, (SeriesKey("old"),), [0.0, 1.0], [-5, 5], ([1.0, 2.0],))])
        )

    result = terminal.run("export", "otlp", "mlp-a", "-o", str(tmp_path / "x.jsonl"))

    assert result.exit_code == 9
    assert "OTLP has no room for 1 metric point (a point is of a time before 1970)" in result.stderr


def test_what_cannot_be_read_is_named_and_the_rest_is_stored(terminal, tmp_path, elsewhere):
    """A line that is cut is counted and named; the others are there, and the exit code is 9."""
    lines = terminal.run("export", "otlp", "mlp-a").stdout_bytes.splitlines(keepends=True)
    path = tmp_path / "cut.jsonl"
    path.write_bytes(lines[0] + lines[1][:100] + b"\n" + b"".join(lines[1:]))

    result = terminal.run("import", str(path), "--store", str(elsewhere))

    assert result.exit_code == 9
    assert "1 part is no OTLP that can be read" in result.stderr
    assert f"{path}, line 2: no JSON" in result.stderr
    assert runs_of(elsewhere) == {"mlp-a": runs_of(terminal.store)["mlp-a"]}


def test_problems_that_are_not_named_are_counted(terminal, tmp_path, elsewhere):
    """Of many lines that cannot be read the first are named, and the others are counted, on the terminal and in JSON."""
    lines = terminal.run("export", "otlp", "mlp-a").stdout_bytes.splitlines(keepends=True)
    path = tmp_path / "cut.jsonl"
    path.write_bytes(lines[0] + 50 * (lines[1][:100] + b"\n"))

    told = terminal.run("import", str(path), "--store", str(elsewhere)).stderr
    said = json.loads(terminal.run("import", str(path), "--store", str(elsewhere), "--json").stdout)

    assert "50 parts are no OTLP that can be read" in told
    assert told.splitlines()[-1] == "  and 45 more"
    assert (said["problem_count"], len(said["problems"])) == (50, 20)


def test_items_that_cannot_be_kept_are_counted(terminal, tmp_path, elsewhere):
    """A span without a valid id is left out and said; the others of its request are stored."""
    spans = [
        {
            "traceId": "e" * 32,
            "spanId": span_id,
            "name": "s",
            "startTimeUnixNano": "1",
            "endTimeUnixNano": "2",
        }
        for span_id in ("f" * 16, "0" * 16)
    ]
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}), encoding="utf-8")

    result = terminal.run("import", str(path), "--store", str(elsewhere))

    assert result.exit_code == 9
    assert result.stdout == (
        "Read 1 span of 0 runs; they are in the store.\n"
        f"They belong to no run: otel-experiments attach --store {elsewhere} lists them, and gives them to one.\n"
    )
    empty = terminal.run("runs", "--store", str(elsewhere)).stdout
    assert empty.endswith(f"belongs to no run: otel-experiments attach --store {elsewhere} lists it\n")
    assert "1 item cannot be kept" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("export", "otlp", "--format", "csv"), "OTLP is written as jsonl or proto."),
        (("export", "runs", "--format", "proto"), "all that is stored of them as otlp"),
        (("export", "runs", "-o", "x.proto"), "nothing is written in the format .proto"),
        (("export", "spans", "--unattached"), "leave out --unattached"),
        (("export", "otlp", "mlp-a", "--experiment", "digits"), "leave out --where and --experiment"),
        (("import",), "Missing argument 'FILE...'"),
        (("import", "none.jsonl"), "'none.jsonl' does not exist"),
    ],
)
def test_choices_without_a_meaning_are_refused(terminal, arguments, why):
    """The message says what to do."""
    result = terminal.run(*arguments)

    assert result.exit_code == 2
    assert why in result.stderr


def test_a_store_is_no_file_of_otlp(terminal, elsewhere):
    """`import` takes a store as one; in Python a store that is given as OTLP is refused, and the error says what takes it."""
    result = terminal.run("import", str(terminal.store), "--store", str(elsewhere))

    assert (result.exit_code, result.stdout.startswith("Took 6 new runs: ")) == (0, True)
    with pytest.raises(TelemetryDecodeError, match=r"it is a store, which `ox\.import_store` takes"):
        import_otlp(terminal.store, store=elsewhere)


def nested(levels):
    """A mapping with mappings inside each other, as a release before this one may have stored it."""
    return {"k": nested(levels - 1)} if levels else "leaf"


@pytest.mark.parametrize("name", ["runs.jsonl", "runs.proto"])
@pytest.mark.parametrize("kind", ["spans", "log_records", "instrument_points"])
def test_one_value_too_deep_for_protobuf_ends_no_export(terminal, tmp_path, elsewhere, name, kind):
    """What no reader could read is named and counted, and all else of the store is written and can be imported."""
    deep = {"deep": nested(40)}
    rows = {
        "spans": Span("e" * 32, "f" * 16, "culprit", 1, 2, attributes=deep),
        "log_records": LogRecord(1, 1, event_name="culprit", attributes=deep),
        "instrument_points": InstrumentPoint("culprit", "gauge", 1, value=1.0, attributes=deep),
    }
    with open_store(terminal.store) as store:
        store.apply(WriteBatch(**{kind: [rows[kind]]}))

    result = terminal.run("export", "otlp", "-o", str(tmp_path / name))
    read = terminal.run("import", str(tmp_path / name), "--store", str(elsewhere))

    assert result.exit_code == 9
    assert "'culprit': protobuf cannot read it" in result.stderr
    assert read.exit_code == 0
    assert runs_of(elsewhere) == runs_of(terminal.store)


def test_a_run_with_a_resource_too_deep_for_protobuf_ends_no_export(terminal, tmp_path, elsewhere):
    """Its points and what is known of itself are counted as left out; the other runs are written."""
    with open_store(terminal.store) as store:
        store.apply(
            WriteBatch(
                runs=[
                    Run("d" * 32, "digits", "culprit", RunState.SUCCEEDED, 1, resource={"deep": nested(40)})
                ],
                points=[PointBlock("d" * 32, (SeriesKey("loss"),), [0.0, 1.0], [5, 6], ([1.0, 2.0],))],
            )
        )
    path = tmp_path / "runs.jsonl"

    result = terminal.run("export", "otlp", "-o", str(path))
    read = terminal.run("import", str(path), "--store", str(elsewhere))

    assert result.exit_code == 9
    assert (
        "no room for 2 metric points and 1 run description (the resource of the run dddddddd" in result.stderr
    )
    assert read.exit_code == 0
    assert runs_of(elsewhere).keys() == runs_of(terminal.store).keys() - {"culprit"}


def test_an_import_says_how_much_of_it_is_new(terminal, tmp_path, elsewhere):
    """A file with a run more than the store has brings that run, and is said to have brought no more."""
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    terminal.run("export", "otlp", "mlp-a", "-o", str(one))
    terminal.run("export", "otlp", "mlp-a", "mlp-b", "-o", str(two))
    terminal.run("import", str(one), "--store", str(elsewhere))
    (first,) = terminal.run("import", str(one), "--store", str(elsewhere), "--json").stdout.splitlines()

    said = terminal.run("import", str(two), "--store", str(elsewhere)).stdout

    assert json.loads(first)["new"] == {}
    assert said.splitlines()[1].startswith("New are ")
    assert said.endswith("; the store had the others before.\n")


def test_an_import_into_a_locked_store_says_what_to_do(terminal, tmp_path, elsewhere):
    """Who imports recorded nothing: what was not taken is to be imported again."""
    path = tmp_path / "one.jsonl"
    terminal.run("export", "otlp", "mlp-a", "-o", str(path))
    terminal.run("import", str(path), "--store", str(elsewhere))
    with sqlite3.connect(elsewhere) as holder:
        holder.execute("begin immediate")
        with pytest.raises(StoreLockedError) as told:
            import_otlp(path, store=elsewhere)
        with pytest.raises(StoreLockedError, match="import again what it did not take"):
            import_store(terminal.store, store=elsewhere)

    assert str(told.value).endswith(
        "Nothing is lost: import again what it did not take; what is stored stays as it is. "
        f"Find the holder: fuser {elsewhere}"
    )


def test_artifacts_go_without_their_bytes_and_that_is_said(terminal, tmp_path, elsewhere):
    """Export and import count them, and say what has the bytes; imported again, none is new."""
    path, digest = tmp_path / "runs.jsonl", f"sha256:{'1' * 64}"
    with open_store(terminal.store) as store:
        (run_id,) = store.resolve_run_ids("mlp-a")
        logged = ArtifactLogged(run_id, "digits", "model", digest, 5, size_bytes=7, version=3)
        store.apply(WriteBatch(artifacts=[logged]))

    told = terminal.run("export", "otlp", "mlp-a", "-o", str(path)).stderr
    said = terminal.run("import", str(path), "--store", str(elsewhere)).stdout
    again = json.loads(terminal.run("import", str(path), "--store", str(elsewhere), "--json").stdout)

    assert "1 artifact." in told.splitlines()[0]
    assert "of artifacts and media, and not their bytes" in terminal.run("export", "otlp", "mlp-a").stderr
    assert not terminal.run("export", "otlp", "mlp-a", "--quiet").stderr
    assert "and media, and not their bytes; a bundle has both: otel-experiments bundle" in told
    assert "1 artifact of 1 run" in said
    assert "and media, and not their bytes: import a bundle" in said
    assert (again["found"]["artifacts"], again["new"]) == (1, {})
    with open_store(elsewhere) as store:
        (found,) = store.artifacts(ArtifactQuery())
        assert (found.version, found.logged.size_bytes) == (3, 7)


@pytest.mark.parametrize("order", [("bad", "good"), ("good", "bad")])
@pytest.mark.parametrize("good", ["good.jsonl", "good.oxb"])
@pytest.mark.parametrize("bad", ["bad.txt", "cut.oxb"])
def test_a_file_that_cannot_be_read_keeps_no_other_out(terminal, tmp_path, elsewhere, order, good, bad):
    """Of several files the readable ones are stored, whatever comes first; the other is named, and the exit code is 9."""
    terminal.run("export", "otlp", "mlp-a", "-o", str(tmp_path / "good.jsonl"))
    terminal.run("bundle", "mlp-a", "-o", str(tmp_path / "good.oxb"))
    (tmp_path / "bad.txt").write_text("print('no OTLP')\n", encoding="utf-8")
    (tmp_path / "cut.oxb").write_bytes((tmp_path / "good.oxb").read_bytes()[:5_000])
    names = {"bad": str(tmp_path / bad), "good": str(tmp_path / good)}

    result = terminal.run("import", *(names[one] for one in order), "--store", str(elsewhere), "--json")

    assert result.exit_code == 9
    said = [json.loads(line) for line in result.stdout.splitlines()]
    (problem,) = [problem for one in said for problem in one["problems"]]
    assert bad in problem
    assert list(runs_of(elsewhere)) == ["mlp-a"]


def test_files_that_all_cannot_be_read_are_an_error(terminal, tmp_path, elsewhere):
    """Where no file can be read the command fails with the error of the first, as with one file."""
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_text("print('no OTLP')\n", encoding="utf-8")

    one = terminal.run("import", str(tmp_path / "a.txt"), "--store", str(elsewhere))
    both = terminal.run("import", str(tmp_path / "a.txt"), str(tmp_path / "b.txt"), "--store", str(elsewhere))

    assert (one.exit_code, one.stdout) == (both.exit_code, both.stdout)
    assert (one.exit_code, one.stdout) == (9, "")
    assert "a.txt" in both.stderr


@pytest.mark.parametrize(
    ("damage", "table", "there"),
    [
        ("update runs set created_ns = 'x' where name = 'mlp-b'", "runs", False),
        ("update params set value_json = '{bad' where run_id = (select run_id from runs where name = 'mlp-b')", "params", True),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named_by_an_import(terminal, elsewhere, damage, table, there):
    """A row of another store that cannot be read is left out and named, the rest is stored, and the exit code is 9."""
    connection = sqlite3.connect(terminal.store)
    with connection:
        connection.execute(damage)
    connection.close()

    result = terminal.run("import", str(terminal.store), "--store", str(elsewhere), "--json")

    assert result.exit_code == 9
    problems = json.loads(result.stdout)["problems"]
    assert problems
    assert all(f"of the table {table} cannot be read" in problem for problem in problems)
    assert len(problems) == len(set(problems))
    assert ("mlp-b" in runs_of(elsewhere), "mlp-a" in runs_of(elsewhere)) == (there, True)
