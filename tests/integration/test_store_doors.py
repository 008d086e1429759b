"""Every door reads the address of a store in one way: recording, reading, exporters, captures, the command line."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otel_experiments as ox
from otel_experiments.capture import capture_store
from otel_experiments.capture.syscalls import store_syscalls
from otel_experiments.cli.root import root
from otel_experiments.errors import StorePathError
from otel_experiments.exporters import StoreLogExporter, StoreMetricExporter, StoreSpanExporter
from otel_experiments.golden.baseline import make_golden
from otel_experiments.goldens.sources import read_runs
from otel_experiments.store import open_store

FILES = {
    "runs.db": "runs.db",
    "./runs.db": "runs.db",
    "a/../runs.db": "runs.db",
    "{cwd}/runs.db": "runs.db",
    "sqlite://runs.db": "runs.db",
    "SQLite://runs.db": "runs.db",
    "sqlite://{cwd}/runs.db": "runs.db",
    "file:runs.db": "runs.db",
    "file:{cwd}/runs.db": "runs.db",
    "file://{cwd}/runs.db": "runs.db",
    "file://localhost{cwd}/runs.db": "runs.db",
    "file:a%20b%3F.db": "a b?.db",
    "~/runs.db": "home/runs.db",
    "sqlite://~/runs.db": "home/runs.db",
    "file:~/runs.db": "home/runs.db",
    "./~/runs.db": "~/runs.db",
    "a/~/runs.db": "a/~/runs.db",
    "./memory": "memory",
    "./none": "none",
    "./sqlite:x": "sqlite:x",
    "runs/memory": "runs/memory",
    "memory.db": "memory.db",
    "runs/http://host/x.db": "runs/http:/host/x.db",
}
"""Addresses, and the file that each means; `{cwd}` is the working directory, in which `home` is the home."""

REFUSED = {
    "memory": "memory://",
    "Memory": "memory://",
    "mem": "memory://",
    "memory:": "memory://",
    "memory://runs": "memory://",
    ":memory": "memory://",
    "sqlite:///:memory:": "memory://",
    "sqlite://memory": "memory://",
    "file:memory": "memory://",
    "None": "memory://",
    "null": "none",
    "NONE": "none",
    "sqlite": "sqlite://PATH",
    "sqlite:runs.db": "sqlite://PATH",
    "postgres": "sqlite://PATH",
    "clickhouse://host:8123/runs": "no ClickHouse store",
    "s3://bucket/runs.db": "no kind of store that is known",
    "file://host/runs.db": "another machine",
    "file:runs.db?mode=ro": "options behind a file URI",
    "~no-such-user-here/runs.db": "there is no such home",
    " ": "it is empty",
    "sqlite://": "it is empty",
}
"""Addresses that are refused, and what the refusal says."""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Give each test a home of its own."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    yield
    ox.shutdown()


def record(address):
    """Record one run of one point."""
    ox.configure(store=address, capture_git=False, system_metrics_s=0)
    with ox.start_run("recorded") as run:
        run.log({"loss": 0.5}, step=0)
    ox.shutdown()


def command(address, *words):
    """Run a command line; raise what it answers with where it refuses."""
    done = CliRunner().invoke(root, [*words, "--store", address])
    if done.exit_code:
        raise StorePathError(path=address, why=done.output, fix="")
    return done.output


def environment(address, monkeypatch, act):
    """Act with the address in the environment."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_STORE", address)
    return act()


DOORS = {
    "configure": lambda address, _: ox.configure(store=address),
    "configure, with a Path": lambda address, _: ox.configure(store=os.fspath(address)),
    "start_run": lambda address, patch: environment(address, patch, ox.start_run),
    "open_store": lambda address, _: open_store(address),
    "runs": lambda address, _: ox.runs(store=address),
    "open_reader": lambda address, _: ox.open_reader(address),
    "runs, from the environment": lambda address, patch: environment(address, patch, ox.runs),
    "span exporter": lambda address, _: StoreSpanExporter(address),
    "metric exporter": lambda address, _: StoreMetricExporter(address),
    "log exporter": lambda address, patch: environment(address, patch, StoreLogExporter),
    "capture": lambda address, _: capture_store(address),
    "system calls": lambda address, _: store_syscalls(Path(os.devnull), address),
    "goldens": lambda address, _: read_runs(["latest"], store=address),
    "command line": lambda address, _: command(address, "runs"),
    "command line, show": lambda address, _: command(address, "show", "latest"),
    "command line, doctor": lambda address, _: command(address, "doctor"),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("address", REFUSED)
def test_what_is_no_place_for_a_store_is_refused_at_every_door(address, door, tmp_path, monkeypatch):
    """The refusal names what was probably meant, and no file comes to be."""
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(StorePathError) as refused:
        DOORS[door](address, monkeypatch)

    told = " ".join(str(refused.value).split())
    assert REFUSED[address] in told
    assert repr(address).strip("'") in told
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("address", FILES)
def test_an_address_is_one_file_at_every_door(address, tmp_path, monkeypatch):
    """What one door has recorded every other finds by the same words, and in no second file."""
    given = address.format(cwd=tmp_path)
    path = tmp_path / FILES[address]
    (tmp_path / "a").mkdir()
    record(given)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(StoreSpanExporter(given)))
    provider.get_tracer("other").start_span("exported").end()
    provider.shutdown()

    assert path.is_file()
    with open_store(given) as store:
        assert path.samefile(store.location)
        assert store.sql("select count(*) from spans where name = 'exported'")[1] == [(1,)]
    assert [run.name for run in ox.runs(store=given)] == ["recorded"]
    assert make_golden([capture_store(given)], name="g").name == "g"
    assert "recorded" in command(given, "runs")
    assert "1 run, " in " ".join(command(given, "doctor").split())
    assert [run.name for run in environment(given, monkeypatch, ox.runs)] == ["recorded"]
    files = {one for one in tmp_path.rglob("*") if one.is_file()}
    assert {one for one in files if not one.name.endswith(("-wal", "-shm"))} == {path}


@pytest.mark.parametrize("address", ["memory://", "MEMORY://", ":memory:", "sqlite://:memory:"])
def test_a_store_in_memory_makes_no_file_at_any_door(address, tmp_path):
    """Recording, opening and reading a store in memory leave the disk as it was."""
    before = sorted(tmp_path.rglob("*"))

    record(address)
    open_store(address).close()

    assert ox.runs(store=address) == []
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("door", [door for door in DOORS if door != "system calls"])
def test_none_keeps_nothing_and_is_no_store_to_read(door, tmp_path, monkeypatch):
    """Recording takes `none` and makes no file; whoever needs a store says that there is none."""
    if door in {"configure", "configure, with a Path", "start_run", "command line, doctor"}:
        DOORS[door]("none", monkeypatch)
        ox.shutdown()
    else:
        with pytest.raises(Exception, match=r"nothing is kept locally|would outlive this process"):
            DOORS[door]("none", monkeypatch)

    assert not (tmp_path / "none").exists()
