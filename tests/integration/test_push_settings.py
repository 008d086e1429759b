"""A push sends to where the settings say, as recording does: what code gave, else what the variables say."""

from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.errors import ConfigurationError
from otel_experiments.store import open_store


@pytest.fixture
def headers(make_collector):
    """Return an endpoint and the headers of each request that it took."""
    endpoint, seen = make_collector(), []
    for signal in ("traces", "metrics", "logs"):
        endpoint.answers[signal] = lambda _, context: seen.append(dict(context.invocation_metadata()))
    return endpoint, seen


def record(steps=5):
    """Record a run."""
    with ox.start_run("r") as run:
        for step in range(steps):
            run.log({"loss": float(step)}, step=step)
    return run.id


def test_a_push_sends_where_and_how_code_says(configure, headers):
    """`ox.push(otlp=ox.Otlp(...))`: its endpoint, its headers, its signals, whatever the environment names."""
    endpoint, seen = headers
    configure()
    record()

    report = ox.push(
        "r", otlp=ox.Otlp(endpoint=endpoint.endpoint, headers={"x-team": "a"}, signals=["metrics"])
    )

    assert (report.is_complete, report.sent["metric points"], set(report.sent)) == (
        True,
        5,
        {"metric points"},
    )
    assert {one["x-team"] for one in seen} == {"a"}
    assert ox.push("r", otlp=endpoint.endpoint).sent["spans"] == 1


def test_a_push_uses_what_configure_was_given(configure, headers, make_collector, store_path, monkeypatch):
    """What an endpoint of `configure(otlp=...)` did not take, a push of the same process sends there, with its headers."""
    endpoint, seen = headers
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", make_collector().endpoint)
    otlp = ox.Otlp(endpoint=endpoint.endpoint, headers={"x-team": "a"})
    configure()
    record()
    configure(otlp=otlp)

    report = ox.push("r")

    assert (report.is_complete, report.sent["metric points"], len(endpoint.points)) == (True, 5, 5)
    assert {one.get("x-team") for one in seen} == {"a"}
    with open_store(store_path) as store:
        assert store.unsent() == []


def test_what_one_endpoint_did_not_take_goes_to_another_that_code_names(configure, collector, store_path):
    """`push(otlp=...)` of the rest sends what was kept back for a dead endpoint, also by a process that has stopped recording."""
    configure(otlp="http://127.0.0.1:9")
    record()
    ox.shutdown()

    report = ox.push("r", unsent=True, otlp=ox.Otlp(endpoint=collector.endpoint))

    assert (report.is_complete, len(collector.points)) == (True, 5)
    with open_store(store_path) as store:
        assert store.unsent() == []


def test_a_setting_that_turns_sending_off_stops_no_push(configure, collector, monkeypatch):
    """A push is asked for: it sends although runs are not sent while they are recorded, and although the SDK is off."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint)
    monkeypatch.setenv("OTEL_EXPERIMENTS_OTLP", "false")
    configure()
    record()
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    assert (ox.push("r").is_complete, len(collector.points)) == (True, 5)


def test_the_protocol_that_an_exporter_names_is_that_of_a_push(configure, collector, monkeypatch):
    """`OTEL_TRACES_EXPORTER=otlp_proto_http` sends HTTP while recording, and in a push: a gRPC port takes none of it."""
    configure()
    record()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp_proto_http")

    report = ox.push("r", to=collector.endpoint, signals=["traces"], timeout_s=1.0)

    assert not report.is_complete
    assert collector.asked == []


def test_a_store_in_memory_is_pushed(configure, collector):
    """The store that this process records into is the one that is read, also one without a file."""
    configure(store="memory://")
    record()

    report = ox.push("r", to=collector.endpoint)

    assert (report.is_complete, len(collector.points)) == (True, 5)
    record(7)
    assert ox.push("latest", to=collector.endpoint).sent["metric points"] == 7


def test_a_push_of_this_process_finds_its_store_after_a_change_of_folder(
    configure, collector, tmp_path, monkeypatch
):
    """A relative path in `configure(store=...)` means what it meant then."""
    configure(store="mine.db")
    run_id = record()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    report = ox.push(run_id, to=collector.endpoint)

    assert (report.is_complete, report.sent["metric points"]) == (True, 5)
    assert list(Path.cwd().iterdir()) == []


def test_an_otlp_that_cannot_be_used_is_refused(configure, collector, tmp_path):
    """A certificate that is not there ends a push that names it, with what to do."""
    configure()
    record()
    otlp = ox.Otlp(endpoint="https://localhost:4317", certificate=Path(tmp_path, "none.pem"))
    with pytest.raises(ConfigurationError, match=r"certificate=.*of Otlp cannot be used"):
        ox.push("r", otlp=otlp)
