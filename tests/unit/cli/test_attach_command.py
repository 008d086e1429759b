"""`attach`: what belongs to no run is listed, given to one and taken back."""

import json

import pytest

from otel_experiments.importers.otlp.emitters import mapping_path
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Resource, Span
from otel_experiments.store import open_store

TRACE = "12" * 16
SERVER = Resource({"service.name": "server", "deployment.environment.name": "lab"})


@pytest.fixture
def foreign(terminal, jobs, tmp_path):
    """The command line over the six runs and what a server sent that names none."""
    path = tmp_path / "foreign.db"
    with open_store(path) as store:
        store.apply(jobs.batch)
        store.apply(
            WriteBatch(
                spans=[
                    Span(TRACE, "1" * 16, "GET /", 2, 3, resource=SERVER),
                    Span(TRACE, "2" * 16, "query", 2, 3, parent_span_id="1" * 16, resource=SERVER),
                ],
                log_records=[LogRecord(2, 2, body="hello", resource=Resource({}))],
                instrument_points=[
                    InstrumentPoint("depth", "gauge", 2, value=3.0, attributes={"step": 7}, resource=SERVER)
                ],
            )
        )
    return type(terminal)(path)


def test_what_belongs_to_no_run_is_listed(foreign):
    """Without a run the services and traces are listed, and the command that gives them to one."""
    lines = [" ".join(line.split()[:5]) for line in foreign.text("attach", COLUMNS="120").splitlines()]

    assert "service spans log records data" in lines[0]
    assert any(line.startswith("server 2 0 1") for line in lines)
    assert any(line.startswith("(no service) 0 1 0") for line in lines)
    assert any(line.startswith(f"{TRACE} GET / server 2") for line in lines)
    assert lines[-1].startswith("Give it to a run:")


def test_the_list_is_narrowed_and_is_json(foreign):
    """The options that say what to attach narrow the list; --json has all of it."""
    shown = foreign.json("attach", "--service", "server")

    assert [(one["service"], one["span_count"]) for one in shown["services"]] == [("server", 2)]
    assert [(one["trace_id"], one["name"]) for one in shown["traces"]] == [(TRACE, "GET /")]
    assert foreign.text("attach", "--service", "nowhere") == "All telemetry that is meant belongs to a run.\n"


def test_telemetry_is_attached_shown_and_taken_back(foreign):
    """What is attached is said, shown with the run, and said again when it is taken back."""
    attached = foreign.text("attach", "mlp-a", "--trace", "1212", "--service", "server")
    gauges = foreign.text("attach", "mlp-a", "--resource", "deployment.environment.name=lab")
    shown = foreign.text("show", "mlp-a")
    as_json = foreign.json("show", "mlp-a")
    again = foreign.text("attach", "mlp-a", "--service", "server")
    undone = foreign.text("attach", "mlp-a", "--undo")

    assert attached.splitlines()[0].endswith(": 2 spans of server.")
    assert gauges.splitlines()[0].endswith(": 1 data point of server.")
    assert "metrics" in gauges.splitlines()[1]
    assert "attached telemetry" in shown
    assert [(one["service"], one["span_count"], one["data_point_count"]) for one in as_json["attached"]] == [
        ("server", 2, 1)
    ]
    assert "depth" in {one["name"] for one in as_json["metrics"]}
    assert "is as it was" in again
    assert undone.splitlines()[0].endswith(": 2 spans, 1 data point of server.")
    assert foreign.json("show", "mlp-a")["attached"] == []
    assert "is as it was" in foreign.text("attach", "mlp-a", "--undo")


def test_a_report_is_json(foreign):
    """--json says what was attached: the run, the services, how many series have points of it."""
    report = foreign.json("attach", "mlp-a", "--service", "server")

    assert (report["series_count"], [one["service"] for one in report["services"]]) == (1, ["server"])
    assert json.loads(foreign.text("attach", "mlp-a", "--undo", "--json"))["run_id"] == report["run_id"]


def test_people_are_told_that_there_is_telemetry_of_no_run(foreign):
    """The list of runs and the doctor say so, and name the command; they do not once it is attached."""
    told = "otel-experiments attach lists it"
    assert told in foreign.text("runs")
    assert told in foreign.run("doctor").stdout

    foreign.text("attach", "mlp-a", "--since", "1970-01-01T00:00:00Z")

    assert told not in foreign.text("runs")
    assert told not in foreign.run("doctor").stdout


def test_the_doctor_reads_the_mapping_beside_the_store(foreign):
    """A mapping that cannot be used is a problem that names every wrong line."""
    mapping_path(foreign.store).write_text("step = 3\n")

    result = foreign.run("doctor")

    assert result.exit_code == 3
    assert "line 1, step: found 3, which is no table" in " ".join(result.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["mlp-a"], 2, "Nothing says what is to be attached"),
        (["--undo"], 2, "--undo needs a RUN."),
        (["mlp-a", "--resource", "=x"], 2, "'=x' is no KEY=VALUE."),
        (["mlp-a", "--trace", "zz"], 2, "it is no hexadecimal number"),
        (["mlp-a", "--since", "soon"], 2, "is no date"),
        (["nobody", "--service", "server"], 4, "No run 'nobody'"),
        (["mlp-a", "--service", "sever"], 4, "Nothing was attached to run"),
        (["mlp-a", "--trace", "ffffff"], 4, "what there is lists: otel-experiments attach"),
        (["mlp-a", "--since", "2030-01-02", "--until", "2030-01-02"], 2, "is not before the time until"),
    ],
)
def test_what_cannot_be_attached_is_said(foreign, arguments, code, said):
    """A wrong call exits with the code of its kind, says what to do, and changes nothing."""
    result = foreign.run("attach", *arguments)

    assert result.exit_code == code
    assert said in result.stderr
    assert len(foreign.json("attach")["services"]) == 2


@pytest.mark.parametrize("is_first", [False, True], ids=["behind", "before"])
def test_a_command_that_is_named_works_as_it_is_printed(foreign, jobs, tmp_path, is_first):
    """Where --store was typed, before the command or behind it, the commands that messages name have it too."""
    path = tmp_path / "a store.db"
    foreign.store.rename(path)
    other = type(foreign)(tmp_path / "elsewhere.db")
    option = ("--store", str(path))

    def said(*arguments):
        result = other.run(*option, *arguments) if is_first else other.run(*arguments, *option)
        return " ".join((result.stdout + result.stderr).split())

    run = jobs.ids["mlp-a"][:8]
    assert f"attach RUN --store '{path}' --service NAME" in said("attach")
    assert f"otel-experiments attach --store '{path}' lists it" in said("runs")
    assert f"otel-experiments attach --store '{path}' lists it" in said("doctor")
    assert said("metrics", "mlp-a", "nothing").endswith(f"otel-experiments metrics {run} --store '{path}'")
    assert said("attach", "mlp-a", "--service", "server").endswith(f"metrics {run} --store '{path}'")
    assert "--store" not in type(foreign)(path).text("runs")
