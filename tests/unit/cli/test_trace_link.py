"""From a run to its trace in a backend's UI."""

import json

import pytest
from click.testing import CliRunner
from rich.console import Console

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.trace_link import PLACEHOLDERS, parse_trace_url, trace_link
from otel_experiments.record.base.settings import Settings

RUN = Run(
    "0af7651916cd43dd8448eb211c80319c",
    "digits",
    "lr 0.1/a&b",
    RunState.SUCCEEDED,
    created_ns=1_700_000_000_000_000_001,
    started_ns=1_700_000_000_000_000_001,
    ended_ns=1_700_000_060_000_000_001,
    root_span_id="b7ad6b7169203331",
)


@pytest.mark.parametrize(
    ("template", "link"),
    [
        ("https://jaeger/trace/{trace_id}", "https://jaeger/trace/0af7651916cd43dd8448eb211c80319c"),
        (
            "http://h:1/t/{run_id}?uiFind={span_id}&start={start_us}&end={end_us}",
            "http://h:1/t/0af7651916cd43dd8448eb211c80319c?uiFind=b7ad6b7169203331&start=1700000000000000&end=1700000060000001",
        ),
        ("https://g/{trace_id}?from={start_ms}&to={end_ms}", "https://g/0af7651916cd43dd8448eb211c80319c?from=1700000000000&to=1700000060001"),
        ("https://g/{experiment}/{name}?{start_s}-{end_s}", "https://g/digits/lr%200.1%2Fa%26b?1700000000-1700000061"),
    ],
)  # fmt: skip
def test_placeholders_are_filled(template, link):
    """Ids, names (quoted) and times, whose window holds the run's first and last span."""
    assert trace_link(parse_trace_url(template), RUN) == link


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("https://jaeger/trace/{traceid}", "it has the placeholder {traceid}, which is not known. Known are {trace_id}, "),
        ("https://jaeger/trace/{}", "it has the placeholder {}, which is not known"),
        ("https://jaeger/trace/{trace_id", "it has a brace without its partner"),
        ("ftp://jaeger/{trace_id}", "it does not begin with http://HOST or https://HOST"),
        ("javascript:alert('{trace_id}')", "it does not begin with http://HOST or https://HOST"),
        ("jaeger/trace/{trace_id}", "it does not begin with http://HOST or https://HOST"),
        ("https:///{trace_id}", "it does not begin with http://HOST or https://HOST"),
        ("https://jaeger/trace {trace_id}", "it has a blank or a control character"),
        ("https://jaeger/\x1b]8;;{trace_id}", "it has a blank or a control character"),
        ("https://jaeger/", "it is the same for every run. Give it a placeholder"),
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_used_is_refused(template, why):
    """As an argument and as a variable: the error names where it came from, what is wrong and what may be written."""
    with pytest.raises(ConfigurationError) as refused:
        Settings.resolve({}, trace_url=template)
    with pytest.raises(ConfigurationError) as named:
        Settings.resolve({"OTEL_EXPERIMENTS_TRACE_URL": template})

    assert str(refused.value).startswith(f"trace_url={template!r} cannot be used: {why}")
    assert str(named.value).startswith(f"OTEL_EXPERIMENTS_TRACE_URL={template!r} cannot be used: {why}")


def test_every_placeholder_is_on_the_page(request):
    """What may stand in braces is where a user looks for it."""
    page = (request.config.rootpath / "docs" / "how-to" / "open-the-trace.md").read_text()

    assert [name for name in PLACEHOLDERS if f"`{{{name}}}`" not in page] == []


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Record a run that is told of its backend, and return its id and the store's path."""
    monkeypatch.delenv("OTEL_EXPERIMENTS_TRACE_URL", raising=False)
    path = tmp_path / "x.db"
    ox.configure(
        store=path, system_metrics_s=0.0, capture_git=False, trace_url="https://jaeger/trace/{trace_id}"
    )
    with ox.start_run("r") as run:
        pass
    ox.start_run("waiting", pending=True)
    ox.shutdown()
    return run.id, str(path)


def test_show_prints_the_address_that_the_run_was_recorded_with(stored):
    """The plain address, on the page and in JSON; a run that has not started has none."""
    run_id, path = stored

    page = CliRunner().invoke(root, ["show", "r", "--store", path]).output
    document = json.loads(CliRunner().invoke(root, ["show", "r", "--store", path, "--json"]).output)
    waiting = CliRunner().invoke(root, ["show", "waiting", "--store", path]).output

    assert f"trace https://jaeger/trace/{run_id}\n" in page
    assert document["trace_url"] == f"https://jaeger/trace/{run_id}"
    assert "https://" not in waiting


def test_the_readers_variable_is_before_what_was_recorded(stored, monkeypatch):
    """Who reads says where the traces are now."""
    run_id, path = stored
    monkeypatch.setenv("OTEL_EXPERIMENTS_TRACE_URL", "https://tempo/{trace_id}?at={start_ms}")

    page = CliRunner().invoke(root, ["show", "r", "--store", path]).output
    listed = json.loads(CliRunner().invoke(root, ["runs", "--store", path, "--json"]).output)

    assert f"trace https://tempo/{run_id}?at=" in page
    links = {one["name"]: one["trace_url"] for one in listed["runs"]}
    assert links["r"].startswith(f"https://tempo/{run_id}?at=")
    assert links["waiting"] is None


def test_runs_links_ids_where_the_terminal_takes_links(stored, monkeypatch):
    """The id is a terminal hyperlink; a pipe gets the id alone."""
    run_id, path = stored
    piped = CliRunner().invoke(root, ["runs", "--store", path]).output
    monkeypatch.setattr(
        "otel_experiments.cli.runs.make_console", lambda: Console(force_terminal=True, width=100)
    )

    linked = CliRunner().invoke(root, ["runs", "--store", path], color=True).output

    assert f";https://jaeger/trace/{run_id}\x1b\\" in linked
    assert "\x1b" not in piped
    assert "https://" not in piped


def test_an_address_without_a_setting_is_nowhere(tmp_path, monkeypatch):
    """Without the setting nothing is printed and nothing is on the resource."""
    monkeypatch.delenv("OTEL_EXPERIMENTS_TRACE_URL", raising=False)
    path = str(tmp_path / "x.db")
    ox.configure(store=path, system_metrics_s=0.0, capture_git=False)
    with ox.start_run("r"):
        pass
    ox.shutdown()

    assert "trace http" not in CliRunner().invoke(root, ["show", "r", "--store", path]).output
    document = json.loads(CliRunner().invoke(root, ["show", "r", "--store", path, "--json"]).output)
    assert document["trace_url"] is None
    assert [key for key in document["resource"] if "trace" in key] == []
