"""Anonymous exports: nothing says who and where, ids stay consistent, and what was measured is the same."""

import io
import json
from dataclasses import replace

import pytest

import otel_experiments as ox
from otel_experiments.codec.anonymize import Anonymizer
from otel_experiments.errors import QueryError
from otel_experiments.model.artifact import ArtifactLogged
from otel_experiments.model.batch import ParamSet, TagSet, WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.span import Event, Link, Resource, Scope, Span
from otel_experiments.query import Reader
from otel_experiments.query.anonymous import anonymous
from otel_experiments.query.export.otlp import export_otlp
from otel_experiments.query.export.rows import WHAT, RowExport
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT
from otel_experiments.store import open_store

NOW_NS = 1_700_000_000_123_456_789
PARENT, CHILD = "0a" * 16, "1b" * 16
SPAN = "2c" * 8
SECRETS = [
    "alice", "node-17", "/srv", "/mnt", "train.py", "github.com", "10.1.2.3", "secret@corp.example", "feature/x",
    PARENT, CHILD, SPAN, "cafebabe-0000-4000-8000-000000000000", "corp.example",
    "corp_internal", "corp-team", "secret_idea",
]  # fmt: skip

RESOURCE = {
    attr.SERVICE_NAME: "vision",
    attr.SERVICE_INSTANCE_ID: "cafebabe-0000-4000-8000-000000000000",
    attr.HOST_NAME: "node-17",
    attr.HOST_ARCH: "amd64",
    attr.PROCESS_OWNER: "alice",
    attr.PROCESS_COMMAND_ARGS: ["python", "/home/alice/train.py"],
    attr.PROCESS_WORKING_DIRECTORY: "/home/alice",
    attr.PROCESS_RUNTIME_VERSION: "3.11.7",
    attr.VCS_REPOSITORY_URL_FULL: "https://github.com/alice/vision",
    attr.VCS_REF_HEAD_NAME: "feature/x",
    attr.ML_RUN_ID: PARENT,
    "user.email": "secret@corp.example",
}


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def reader(request):
    """Return a reader over a run and its child, which say who and where in every place that can."""
    owner = Owner("node-17", "boot", 1, 1)
    runs = [
        Run(PARENT, "exp", "alice's sweep", RunState.SUCCEEDED, NOW_NS, NOW_NS, NOW_NS + 10**9, resource=RESOURCE, owner=owner, root_span_id=SPAN),
        Run(CHILD, "exp", "child", RunState.FAILED, NOW_NS, NOW_NS, NOW_NS + 10**9, reason="no file /mnt/data/x.csv on node-17", parent_run_id=PARENT, description="ask secret@corp.example"),
    ]  # fmt: skip
    resource = Resource(RESOURCE)
    batch = WriteBatch(runs=runs)
    params = {
        "lr": 0.1, "seed": 7, "data": "/srv/data/train.csv", "note": "see 10.1.2.3:80 or https://corp.example/x?y",
        "nested": ["~/x", {"host.name": "node-17"}], "ratio": "train/val", "of": f"run {PARENT}",
    }  # fmt: skip
    batch.params += [ParamSet(PARENT, key, value, NOW_NS) for key, value in params.items()]
    batch.tags += [
        TagSet(PARENT, "where", "node-17 by alice", NOW_NS),
        TagSet(PARENT, "team", "malice", NOW_NS),
    ]
    batch.points.append(PointBlock(PARENT, (SeriesKey("val/loss"),), [0.0], [NOW_NS], ([0.5],)))
    batch.spans.append(
        Span(
            PARENT, SPAN, "run exp", NOW_NS, NOW_NS + 1,
            status_message="failed at /mnt/x", attributes={attr.CODE_FILE_PATH: "/srv/a.py", "k": "v", "at": "/srv/a.py:3"},
            events=(Event("exception", NOW_NS, {attr.EXCEPTION_STACKTRACE: '  File "/home/alice/train.py", line 7, in fit\n'}),),
            links=(Link(CHILD, "3d" * 8),), resource=resource, run_id=PARENT, trace_state="corp.example=1",
        )
    )  # fmt: skip
    batch.log_records.append(
        LogRecord(
            NOW_NS,
            NOW_NS,
            body="hello alice",
            trace_id=PARENT,
            span_id=SPAN,
            run_id=PARENT,
            resource=resource,
        )
    )
    batch.log_records.append(
        LogRecord(
            NOW_NS, NOW_NS, event_name="saved", body={"path": "/mnt/y"}, run_id=PARENT, resource=resource
        )
    )
    batch.log_records.append(
        LogRecord(
            NOW_NS, NOW_NS, event_name=ML_RUN_ENVIRONMENT.name, run_id=PARENT, resource=resource,
            body={
                "git": {"is_dirty": True, "untracked": ["corp_internal.py"], "patch": "+secret_idea = 1"},
                "script": {"path": "corp_internal.py"},
                "packages": "corp_internal==1.0\nnumpy==2.0",
                "editable": {"corp_internal": {"path": "src"}},
                "machine": {"cpu": "Some CPU"},
                "variables": {"MASTER_ADDR": "corp_internal"},
                "job": {"slurm": {"account": "corp-team"}},
            },
        )
    )  # fmt: skip
    batch.instrument_points.append(
        InstrumentPoint(
            "n",
            "sum",
            NOW_NS,
            value=3,
            attributes={"host.name": "node-17", "a": 1},
            exemplars=({"trace_id": PARENT},),
            run_id=PARENT,
            resource=resource,
        )
    )
    for name, role in [("model", "artifact"), ("picture", "media")]:
        batch.artifacts.append(
            ArtifactLogged(
                PARENT, "exp", name, f"sha256:{'ab' * 32}", NOW_NS, role=role, file_name="alice.pt", caption="by alice",
                metadata={"from": "/srv/a.pt", "n": 1}, place="s3://corp.example/x", span_id=SPAN,
            )
        )  # fmt: skip
    store = open_store(request.param)
    store.apply(batch)
    with Reader(store) as opened:
        yield opened


def exported(reader, what, form="jsonl", salt="s", runs=None):
    """Return the text of an anonymous export."""
    made, found = anonymous(reader, runs, salt=salt)
    if what == "otlp":
        sink = io.BytesIO()
        export_otlp(made.store, [run.record for run in found], sink, unattached=True)
        return sink.getvalue().decode()
    text = io.StringIO()
    RowExport(made, found, what).write_text(form, text)
    return text.getvalue()


@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_nothing_says_who_and_where(reader, what, form):
    """No name of a user, machine, path, repository or address is in the file, and no id of a run, trace or span."""
    text = exported(reader, what, form)

    # `malice` is another word, and stays.
    assert [one for one in SECRETS if one in text.replace("malice", "")] == []
    assert len(text) > 100


def test_what_was_measured_stays(reader):
    """Names of metrics, params and tags, numbers, times and states are as they were; so are texts that are no paths."""
    first, second = map(json.loads, exported(reader, "runs").splitlines())

    assert first["params"]["lr"] == 0.1
    assert first["params"]["ratio"] == "train/val"
    assert first["params"]["data"] == "<path>"
    assert first["params"]["note"] == "see <address>:80 or <url>"
    assert first["params"]["nested"] == ["<path>", {}]
    assert first["tags"] == {"where": "<host> by <user>", "team": "malice"}
    assert (first["name"], first["state"], first["created_unix_nano"]) == (
        "<user>'s sweep",
        "succeeded",
        NOW_NS,
    )
    assert first["metrics"][0]["name"] == "val/loss"
    assert second["reason"] == "no file <path> on <host>"
    assert second["description"] == "ask <email>"
    assert json.loads(exported(reader, "points"))["value"] == 0.5
    (model,) = map(json.loads, exported(reader, "artifacts").splitlines())
    assert (model["name"], model["digest"], model["file_name"]) == (
        "model",
        f"sha256:{'ab' * 32}",
        "",
    )
    assert model["metadata"] == {"from": "<path>", "n": 1}
    assert json.loads(exported(reader, "media"))["caption"] == "by <user>"
    (span,) = map(json.loads, exported(reader, "spans").splitlines())
    (snapshot,) = [
        one["body"]
        for one in map(json.loads, exported(reader, "events").splitlines())
        if one["event_name"] == ML_RUN_ENVIRONMENT.name
    ]
    assert snapshot == {
        "git": {"is_dirty": True},
        "packages": "numpy==2.0",
        "machine": {"cpu": "Some CPU"},
    }
    assert span["attributes"] == {"k": "v", "at": "<path>"}
    assert span["events"][0]["attributes"][attr.EXCEPTION_STACKTRACE] == '  File "<path>", line 7, in fit\n'


def test_ids_still_go_together(reader):
    """A run, its child, spans, points and texts that name the run have the same new id, also in another file with the same salt."""
    first, second = map(json.loads, exported(reader, "runs").splitlines())
    (span,) = map(json.loads, exported(reader, "spans").splitlines())
    (log,) = map(json.loads, exported(reader, "logs").splitlines())

    assert len(first["run_id"]) == 32
    assert second["parent_run_id"] == first["run_id"] == span["run_id"] == span["trace_id"] == log["trace_id"]
    assert first["params"]["of"] == f"run {first['run_id']}"
    assert span["links"][0]["trace_id"] == second["run_id"]
    assert log["span_id"] == span["span_id"] != SPAN
    assert json.loads(exported(reader, "points"))["run_id"] == first["run_id"]


def test_without_a_salt_two_exports_have_nothing_in_common(reader):
    """The key is made anew and kept nowhere."""
    one, other = (exported(reader, "points", salt=None) for _ in range(2))

    assert json.loads(one)["run_id"] != json.loads(other)["run_id"]


def test_an_anonymous_run_comes_back_by_import(reader, tmp_path):
    """OTLP of anonymous runs makes the same runs elsewhere, with their params and points."""
    path = tmp_path / "runs.jsonl"
    path.write_text(exported(reader, "otlp"), encoding="utf-8")

    ox.import_otlp(path, store=tmp_path / "other.db")

    runs = ox.runs(store=tmp_path / "other.db")
    assert sorted(run.name for run in runs) == ["<user>'s sweep", "child"]
    (parent,) = [run for run in runs if run.name != "child"]
    assert (parent.params["lr"], parent.metrics["val/loss"].last) == (0.1, 0.5)
    assert parent.resource[attr.HOST_ARCH] == "amd64"


def test_only_chosen_runs_are_shown(reader):
    """An export of one run holds nothing of the other."""
    chosen = [reader.run("child")]

    assert len(exported(reader, "runs", runs=chosen).splitlines()) == 1
    assert exported(reader, "points", runs=chosen) == ""


def test_anonymous_runs_answer_no_sql(reader):
    """The tables say who and where."""
    made, _ = anonymous(reader, None)

    with pytest.raises(QueryError, match="answer no SQL"):
        made.sql("select 1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/data/x", "<path>"),
        ("/home/a b/c d.csv", "<path>"),
        ("~/x/y.pt and ~bob/z", "<path>"),
        ("from ~bob/z", "from <path>"),
        (r"C:\Users\bob\x y.txt", "<path>"),
        (r"at C:\Users\bob\x.txt, line 3", "at <path>, line 3"),
        (r"\\server\share\x", "<path>"),
        ("--data=/mnt/x --lr=1", "--data=<path> --lr=1"),
        ("open '/mnt/x/y', please", "open '<path>', please"),
        ("PATH=/bin:/usr/bin", "PATH=<path>:<path>"),
        ("git@github.com:org/repo.git", "<url>"),
        ("s3://bucket/key of bob@corp.example", "<url> of <email>"),
        ("3/4, train/loss, a / b, and/or, 1.2.3, 10.0.0.1", "3/4, train/loss, a / b, and/or, 1.2.3, <address>"),
        ("", ""),
        ("plain", "plain"),
        ("deadbeef", "deadbeef"),
        ("0" * 32, "0" * 32),
        ("a" * 64, "a" * 64),
    ],
)  # fmt: skip
def test_paths_and_addresses_in_texts_are_replaced(text, expected):
    """What looks like one is what it was; fractions, names with a slash and digests stay."""
    assert Anonymizer("s").text(text) == expected


@pytest.mark.parametrize(
    "unit", ["/" + "a" * 40 + "\nb", "a-", "a", "a.", "b.@", "a@", "~a", "1.", "fe:", " a", "/a b", "x://"]
)
def test_a_long_text_takes_time_in_proportion_to_its_length(unit):
    """Whatever a long text repeats, the patterns pass over it: a quadratic one would take an hour."""
    for text in (unit * (400_000 // len(unit)), "/" + unit * (400_000 // len(unit)) + "\nb"):
        assert Anonymizer("s").text(text) is not None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gcc -I/home/bob/inc", "gcc -I<path>"),
        ("-I/opt/x/inc", "-I<path>"),
        ("x/home/bob/y", "x<path>"),
        ("see /home/jane doe/secret plan.txt now", "see <path> now"),
        ("wrote /a/b in 3 s", "wrote <path> in 3 s"),
        ("at fe80::1ff:fe23:4567:890a, 2001:db8::1", "at <address>, <address>"),
        ("card 00:1a:2b:3c:4d:5e", "card <address>"),
        ("12:30:45, 2026-11-30T12:30:45, x[1::2], std::vector", "12:30:45, 2026-11-30T12:30:45, x[1::2], std::vector"),
        ("bob@acme, bob@10.1.2.3", "<email>, <email>"),
        ("recall@10, mAP@0.5, recall@k", "recall@10, mAP@0.5, recall@k"),
        ("on gpu17 and GPU17.ACME.CORP, gpu170", "on <host> and <host>, gpu170"),
        ("JaneSmith, model_janesmith_v2, janesmithson", "<user>, model_<user>_v2, janesmithson"),
    ],
)  # fmt: skip
def test_names_and_paths_are_found_as_people_write_them(text, expected):
    """A flag before a path, a space in it, another case, the short name of a machine: all are found; other words stay."""
    made = Anonymizer("s")
    made.learn(
        Run(
            PARENT, "e", "n", RunState.RUNNING, 1, resource={attr.HOST_NAME: "gpu17.acme.corp", attr.PROCESS_OWNER: "janesmith"}
        )
    )  # fmt: skip

    assert made.text(text) == expected


@pytest.mark.parametrize("what", ["spans", "logs", "events", "instruments", "otlp"])
def test_other_ranks_and_libraries_say_nothing_either(what):
    """Machines of other ranks, attributes of scopes, names of events, keys of bodies and descriptions are looked at."""
    other = Resource({attr.HOST_NAME: "gpunode1", attr.PROCESS_OWNER: "carol"})
    scope = Scope("lib", attributes={attr.HOST_NAME: "gpunode1", "p": "/home/dave"})
    run = Run(PARENT, "exp", "a", RunState.SUCCEEDED, NOW_NS, NOW_NS, NOW_NS + 1)
    batch = WriteBatch(runs=[run])
    batch.spans.append(
        Span(PARENT, SPAN, "first, on gpunode1", NOW_NS, NOW_NS + 1, run_id=PARENT, scope=scope)
    )
    batch.spans.append(Span(PARENT, "4e" * 8, "second", NOW_NS, NOW_NS + 1, run_id=PARENT, resource=other))
    for name in ("", "saved /home/dave/x"):
        record = LogRecord(NOW_NS, NOW_NS, event_name=name, body={"gpunode1": 1, "/home/dave/data": "CAROL"}, run_id=PARENT, scope=scope)  # fmt: skip
        batch.log_records += [record, replace(record, time_ns=NOW_NS + 1, resource=other)]
    batch.instrument_points.append(
        InstrumentPoint("n", "sum", NOW_NS, value=3, description="of gpunode1 at /home/dave", scope=scope, run_id=PARENT, resource=other)
    )  # fmt: skip
    store = open_store("memory://")
    store.apply(batch)

    with Reader(store) as opened:
        text = exported(opened, what)

    assert [one for one in ("gpunode1", "dave", "carol") if one in text.lower()] == []
    assert len(text) > 50


def test_names_of_params_and_tags_stay_whatever_they_are_called():
    """A param called `client.lr` is not an attribute about a client: it is in the export as it is in the run."""
    batch = WriteBatch(runs=[Run(PARENT, "exp", "a", RunState.SUCCEEDED, NOW_NS, NOW_NS, NOW_NS + 1)])
    batch.params += [
        ParamSet(PARENT, "client.lr", 0.1, NOW_NS),
        ParamSet(PARENT, "network.hidden", 64, NOW_NS),
    ]
    batch.tags.append(TagSet(PARENT, "device.kind", "A100", NOW_NS))
    store = open_store("memory://")
    store.apply(batch)

    with Reader(store) as opened:
        found = json.loads(exported(opened, "runs"))

    assert (found["params"], found["tags"]) == (
        {"client": {"lr": 0.1}, "network": {"hidden": 64}},
        {"device.kind": "A100"},
    )


@pytest.mark.parametrize("kind", ["sqlite://:memory:", "memory://"])
def test_a_name_that_comes_on_the_last_page_is_found_on_the_first(kind):
    """The machine of a rank whose telemetry comes last is in no text before it: of the run, of logs and of events."""
    other = Resource({attr.HOST_NAME: "gpunode1", attr.PROCESS_OWNER: "carol"})
    run = Run(PARENT, "exp", "a", RunState.FAILED, NOW_NS, NOW_NS, NOW_NS + 1, reason="lost gpunode1")
    first = LogRecord(NOW_NS, NOW_NS, body="carol waits for gpunode1", run_id=PARENT)
    last = LogRecord(NOW_NS + 1, NOW_NS + 1, body="ready", run_id=PARENT, resource=other)
    store = open_store(kind)
    store.apply(WriteBatch(runs=[run], log_records=[first, last]))

    with Reader(store) as opened:
        shown, runs = anonymous(opened, None)
        pages = [page for run in runs for page in shown.store.whole_run(run.id)]

    assert runs[0].reason == "lost <host>"
    assert [one.body for page in pages for one in page.log_records] == ["<user> waits for <host>", "ready"]


def test_the_name_of_the_working_folder_is_no_service():
    """A service that is called as the folder it ran in says where that is; one with a name of its own keeps it."""
    made = Anonymizer("s")
    folder = {attr.PROCESS_WORKING_DIRECTORY: "/home/alice/secret-idea/src"}

    found = [
        made.resource(Resource({**folder, attr.SERVICE_NAME: name}))
        for name in ("src", "secret-idea", "digits")
    ]

    assert [one.attributes[attr.SERVICE_NAME] for one in found] == ["<folder>", "<folder>", "digits"]


def test_names_of_files_are_left_out(tmp_path):
    """The file that an artifact or a picture was, and the one that could not be kept, are in no anonymous bundle."""
    folder = tmp_path / "secrethome"
    folder.mkdir()
    (folder / "secretfile").write_bytes(b"1")
    ox.configure(store=tmp_path / "runs.db")
    with ox.start_run("r", experiment="e") as run:
        run.log_artifact(folder / "secretfile", name="weights")
        run.log_artifact(folder, name="data")
        run.log({"picture/first": ox.Text("said")})
        run.log_artifact("secretplace/secretmissing")
    ox.shutdown()

    path = ox.bundle(None, tmp_path / "x.oxb", store=tmp_path / "runs.db", anonymize=True).path

    assert b"secret" not in path.read_bytes()
    with ox.open(path) as bundle:
        run = bundle.run("r")
        assert [(one.kind, one.name) for one in run.losses] == [("artifact", "")]
        assert sorted(one.name for one in run.artifacts.all()) == ["data", "weights"]
        assert list(run.media) == ["picture/first"]


@pytest.mark.parametrize("shows_source", [True, False])
def test_a_fork_is_exported_with_what_it_inherits(store_path, shows_source):
    """An anonymous export of a fork has the points that a plain one has, and lists no run that was not chosen."""
    ox.configure(store=store_path)
    with ox.start_run("first") as run:
        for step in range(4):
            run.log({"loss": float(step)}, step=step)
    with ox.fork("first", step=2, name="second") as run:
        run.log({"loss": 9.0}, step=3)
    with ox.fork("second", step=3, name="third") as run:
        run.log({"acc": 0.5}, step=4)
    chosen = ox.runs() if shows_source else [ox.run("third")]

    with Reader(open_store(store_path)) as opened:
        made, found = anonymous(opened, chosen, salt="s")
        curves = [{name: list(one.values) for name, one in run.metrics.items()} for run in found]
        text = io.StringIO()
        RowExport(made, found, "runs").write_text("jsonl", text)

    assert curves == [{name: list(one.values) for name, one in run.metrics.items()} for run in chosen]
    assert [0.0, 1.0, 2.0, 9.0] in [one["loss"] for one in curves]
    assert len(text.getvalue().splitlines()) == len(chosen)
    assert {one.id for one in found}.isdisjoint(one.id for one in ox.runs())


def test_anonymous_runs_are_related_as_they_are(reader):
    """A run has its children and no others, and a search among anonymous runs finds what matches."""
    made, runs = anonymous(reader, None, salt="s")
    (parent,) = [run for run in runs if run.parent_id is None]
    (child,) = [run for run in runs if run.parent_id is not None]
    assert [run.id for run in parent.children] == [child.id]
    assert child.children == []
    assert [run.id for run in made.runs(f"name == {json.dumps(child.name)}")] == [child.id]
    assert len(made.runs()) == 2
