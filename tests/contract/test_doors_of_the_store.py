"""Every public function with `store=` works on the store that `configure` named, without naming it again."""

import inspect
import json
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.errors import AnalysisError, QueryError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.span import Resource, Span
from otel_experiments.store import StoreBase, open_store

TELEMETRY = Span("12" * 16, "1" * 16, "GET /", 2, 3, resource=Resource({"service.name": "server"}))


class ListStore(StoreBase):
    """A store of another package, as far as we can tell."""

    def __init__(self):
        super().__init__()
        self.entries = []

    @property
    def location(self):
        """An address that no entry point knows."""
        return "list://mine"

    def read_entries(self, first):
        """Return what is there."""
        return self.entries[first:]

    def add_entry(self, number, entry):
        """Append an entry."""
        self.entries.append(entry)
        return True


@pytest.fixture(params=["mine.db", "sqlite://:memory:", "list://mine"])
def configured(request, monkeypatch, tmp_path):
    """Record into one store, in a file, in memory or of another package, and let the environment name another one; go elsewhere then."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ox.configure(store="other.db")
    with ox.start_run("other", experiment="e") as run:
        run.log_artifact(b"other", name="made elsewhere")
    monkeypatch.setenv("OTEL_EXPERIMENTS_STORE", str(tmp_path / "other.db"))
    store = ListStore() if request.param == "list://mine" else request.param
    ox.configure(store=store, artifacts="kept")
    with ox.start_run("mine", experiment="e") as run:
        run.log({"loss": 0.5}, step=1)
        run.log_artifact(b"mine", name="model", aliases=["best"])
    with open_store("given.db") as given:
        given.apply(WriteBatch(spans=[TELEMETRY]))
    ox.export_otlp("given.jsonl", store="given.db")
    ox.import_otlp("given.jsonl")
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    yield request.param
    ox.shutdown()


def bundled():
    """Bundle all, and return which runs are in it, with the bytes of their artifacts."""
    ox.bundle(None, "x.oxb")
    with ox.open("x.oxb") as bundle:
        return [run.artifacts["model"].read_text() for run in bundle.runs()]


def exported():
    """Export all runs, and return their names."""
    ox.export("runs", "x.jsonl")
    return [json.loads(line)["name"] for line in Path("x.jsonl").read_text(encoding="utf-8").splitlines()]


def exported_as_otlp():
    """Export all as OTLP, and return the names of the runs in the file."""
    ox.export_otlp("x.jsonl")
    ox.import_otlp("x.jsonl", store="again.db")
    return [run.name for run in ox.runs(store="again.db")]


def imported():
    """Import a bundle of the other store: its run is beside the one that is here, and its bytes where this store's are."""
    ox.bundle(None, "other.oxb", store="../other.db")
    report = ox.import_store("other.oxb")
    assert report.problems == []
    assert ox.artifact("made elsewhere").read_text() == "other"
    assert sum(path.is_file() for path in Path("../kept/sha256").rglob("*")) == 2
    return sorted(run.name for run in ox.runs())


def imported_from_otlp():
    """Import what the other store exported as OTLP: its run is beside the one that is here."""
    ox.export_otlp("other.jsonl", store="../other.db")
    ox.import_otlp("other.jsonl")
    return sorted(run.name for run in ox.runs())


def ab_tested():
    """Compare groups of runs: the one run that is here makes no two."""
    with pytest.raises(AnalysisError, match=r"runs that were found \(1\)"):
        ox.ab_test("duration", by="name")
    return True


DOORS = {
    "ab_test": ab_tested,
    "artifact": lambda: ox.artifact("model").read_text(),
    "attach": lambda: ox.attach("mine", service="server").span_count,
    "bundle": bundled,
    "compare": lambda: [run.name for run in ox.compare("mine").runs],
    "detach": lambda: (ox.attach("mine", service="server"), ox.detach("mine").span_count)[1],
    "diff": lambda: ox.diff("mine", "mine").is_same,
    "experiments": lambda: [(one.name, one.run_count) for one in ox.experiments()],
    "export": exported,
    "export_otlp": exported_as_otlp,
    "find_artifacts": lambda: [one.name for one in ox.find_artifacts()],
    "import_otlp": imported_from_otlp,
    "import_store": imported,
    "lineage": lambda: "model" in str(ox.lineage("mine")),
    "open_reader": lambda: [run.name for run in ox.open_reader().runs()],
    "push": lambda: ox.push("mine", to="http://127.0.0.1:9", timeout_s=0.1).is_complete,
    "remove_alias": lambda: ox.remove_alias("model", "best").is_done,
    "run": lambda: ox.run("latest").name,
    "run_of": lambda: (Path("model.bin").write_bytes(b"mine"), ox.run_of("model.bin").name)[1],
    "runs": lambda: [run.name for run in ox.runs()],
    "set_alias": lambda: ox.set_alias("model", "chosen").is_done,
    "spans": lambda: ox.spans('name == "run e"')[0].run_id == ox.run("mine").id,
    "sql": lambda: ox.sql("select name from runs").rows,
    "traces": lambda: ox.run("mine").id in [one.run_id for one in ox.traces()],
}
"""What each function gives here where it works on the store of the recording."""
GIVES = {
    "ab_test": True,
    "artifact": "mine",
    "attach": 1,
    "bundle": ["mine"],
    "compare": ["mine"],
    "detach": 1,
    "diff": True,
    "experiments": [("e", 1)],
    "export": ["mine"],
    "export_otlp": ["mine"],
    "find_artifacts": ["model"],
    "import_otlp": ["mine", "other"],
    "import_store": ["mine", "other"],
    "lineage": True,
    "open_reader": ["mine"],
    "push": False,
    "remove_alias": True,
    "run": "mine",
    "run_of": "mine",
    "runs": ["mine"],
    "set_alias": True,
    "spans": True,
    "sql": [("mine",)],
    "traces": True,
}
SET_IT = {"Recorder", "configure", "init"}
"""Those whose `store=` is that of the recording itself."""


def test_each_public_function_with_a_store_is_held():
    """A new public function that takes `store=` has its line in the table of this test."""
    taking = {
        name
        for name in ox.__all__
        if callable(function := getattr(ox, name)) and "store" in inspect.signature(function).parameters
    }

    assert taking - SET_IT == set(DOORS) == set(GIVES)


@pytest.mark.parametrize("name", sorted(DOORS))
def test_a_function_without_a_store_works_on_the_configured_one(configured, name):
    """After `configure(store=, artifacts=)` a call without `store=` reads and writes that store, wherever the process has gone."""
    if name == "sql" and configured == "list://mine":
        with pytest.raises(QueryError, match="knows no SQL"):
            DOORS[name]()
        return
    assert DOORS[name]() == GIVES[name]
    assert {path.name for path in Path().glob("*.db")} <= {"again.db"}
