"""Runs kept in PostgreSQL: on a real server, which goes away, restarts, is full and is of a newer release."""

import contextlib
import logging
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import IncompleteReadWarning, NewerSchemaError, StoreFailedError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store, other
from otel_experiments.testing import StoreContract

sys.path.append(str(Path(__file__).parent))

import postgres_server

psycopg = pytest.importorskip("psycopg")
RUN = "a" * 32
LOSS = SeriesKey("loss")


@pytest.fixture(scope="module")
def running():
    """A server for all tests of the module."""
    programs = postgres_server.find_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed: no initdb in PATH or /usr/lib/postgresql")
    server = postgres_server.Server(programs)
    server.start()
    yield server
    with contextlib.suppress(AssertionError):
        server.stop()
    server.remove()


@pytest.fixture
def server(running, tmp_path, monkeypatch):
    """The server without a store in it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    ask(running, "drop schema if exists otel_experiments cascade")
    yield running
    ox.shutdown()


def ask(server, statement):
    """Do something on the server as its owner would."""
    with psycopg.connect(server.address, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def losses_of(store):
    """The points of the run's loss."""
    return list(ox.run("first", store=store).metrics["loss"].points().values)


class TestPostgres(StoreContract):
    @pytest.fixture
    def store(self, server):
        """An empty database."""
        with open_store(server.address) as opened:
            yield opened


def test_runs_are_recorded_and_read_by_the_address(server):
    """Python and the command line find the run, and a second machine finds it without the journals of the first."""
    ox.configure(store=server.address, capture_output="off")
    with ox.start_run("first", config={"lr": 0.1}) as run:
        run.log({"loss": 0.5}, step=3)
    ox.shutdown()

    assert [view.name for view in ox.runs("params.lr == 0.1", store=server.address)] == ["first"]
    answer = CliRunner().invoke(root, ["show", "first", "--store", server.address])
    assert answer.exit_code == 0, answer.output
    assert "loss" in answer.output


def test_several_hosts_write_one_database(server):
    """Two stores that are open at once give each entry a number of its own, and each reads what the other wrote."""
    with open_store(server.address) as one, open_store(server.address) as other_host:
        for index, store in enumerate([one, other_host, other_host, one]):
            store.apply(
                WriteBatch(points=[PointBlock(RUN, (LOSS,), [float(index)], [index], ([float(index)],))])
            )

        assert list(one.points(RUN, LOSS).values) == [0.0, 1.0, 2.0, 3.0]
        assert list(other_host.points(RUN, LOSS).values) == [0.0, 1.0, 2.0, 3.0]
    assert ask(server, "select array_agg(number order by number) from otel_experiments.entries") == [
        ([0, 1, 2, 3],)
    ]


def test_a_server_that_restarts_in_mid_run_loses_nothing(server, monkeypatch):
    """Training goes on while the server is away, and what waited is stored once when it is back."""
    monkeypatch.setattr(other, "WAIT_S", 20.0)
    ox.configure(store=server.address, capture_output="off", exit_timeout_s=60, drain_s=0.05)
    with ox.start_run("first") as run:
        run.log({"loss": 0.0}, step=0)
        assert losses_of(None) == [0.0]
        server.stop()
        run.log({"loss": 1.0}, step=1)
        server.start()
        run.log({"loss": 2.0}, step=2)
        assert losses_of(None) == [0.0, 1.0, 2.0]
    ox.shutdown()

    assert losses_of(server.address) == [0.0, 1.0, 2.0]


def test_a_server_that_is_gone_holds_up_no_exit(server):
    """The journal waits on this machine, and the next reader that finds the server stores it."""
    ox.configure(store=server.address, capture_output="off", exit_timeout_s=0.2)
    with ox.start_run("first") as run:
        server.stop()
        run.log({"loss": 1.0}, step=0)
    ox.shutdown()
    server.start()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert losses_of(server.address) == [1.0]


def test_a_server_without_room_keeps_the_journal_waiting(server, caplog):
    """A full disk of the server is told with its own words, and what waits is stored once there is room."""
    with open_store(server.address):
        pass
    ask(
        server,
        "create function public.no_room() returns trigger language plpgsql as "
        "$$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$",
    )
    ask(
        server,
        "create trigger no_room before insert on otel_experiments.entries for each row execute function public.no_room()",
    )
    try:
        with caplog.at_level(logging.WARNING, logger="otel_experiments"):
            ox.configure(store=server.address, capture_output="off", exit_timeout_s=0.2)
            with ox.start_run("first") as run:
                run.log({"loss": 1.0}, step=0)
            ox.shutdown()
        assert "No space left on device" in caplog.text
        with pytest.warns(IncompleteReadWarning, match="No space left on device"):
            assert len(ox.runs(store=server.address)) == 0
    finally:
        ask(server, "drop function public.no_room() cascade")

    assert losses_of(server.address) == [1.0]


@pytest.fixture
def little_room(server, tmp_path):
    """A disk of two megabytes with a tablespace of the server on it, where this machine lets us mount one."""
    folder = Path(tempfile.mkdtemp(prefix="oxts-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=False, capture_output=True
    )
    if mounted.returncode != 0 or server.user is None:
        folder.rmdir()
        pytest.skip("a small disk is mounted by root only, where the system allows it")
    shutil.chown(folder, server.user)
    ask(server, f"create tablespace small location '{folder}'")
    yield folder
    ask(server, "drop schema if exists otel_experiments cascade")
    ask(server, "drop tablespace if exists small")
    subprocess.run(["umount", folder], check=True)
    folder.rmdir()


def test_a_server_whose_disk_is_full_gets_the_rest_once_there_is_room(server, little_room, caplog):
    """What fits is stored, what does not waits and is told with the server's words, and nothing comes twice."""
    with open_store(server.address):
        pass
    ask(server, "alter table otel_experiments.entries set tablespace small")
    expected = [random.Random(step).random() for step in range(200_000)]
    with caplog.at_level(logging.WARNING, logger="otel_experiments"):
        ox.configure(store=server.address, capture_output="off", exit_timeout_s=0.5)
        with ox.start_run("first") as run:
            for step, value in enumerate(expected):
                run.log({"loss": value}, step=step)
        ox.shutdown()
    assert "No space left on device" in caplog.text

    with pytest.warns(IncompleteReadWarning, match="No space left on device"):
        ox.runs(store=server.address)
    ask(server, "alter table otel_experiments.entries set tablespace pg_default")
    assert losses_of(server.address) == expected


def test_a_role_that_may_only_read_reads_and_records_later(server, caplog):
    """Reading needs no right to write; what is recorded without it waits, is told, and is stored once it is granted."""
    with open_store(server.address) as store:
        store.apply(WriteBatch(runs=[Run(RUN, "e", "there", RunState.SUCCEEDED, 1)]))
    ask(server, "drop role if exists reader")
    ask(server, "create role reader login")
    ask(server, "grant usage on schema otel_experiments to reader")
    ask(server, "grant select on all tables in schema otel_experiments to reader")
    address = server.address.replace("ox@", "reader@")
    try:
        assert [view.name for view in ox.runs(store=address)] == ["there"]
        with caplog.at_level(logging.WARNING, logger="otel_experiments"):
            ox.configure(store=address, capture_output="off", exit_timeout_s=0.5)
            with ox.start_run("first") as run:
                run.log({"loss": 1.0}, step=0)
            ox.shutdown()
        assert "permission denied for table entries" in caplog.text
        with pytest.warns(IncompleteReadWarning, match="permission denied"):
            assert len(ox.runs(store=address)) == 1

        ask(server, "grant insert on otel_experiments.entries to reader")
        assert losses_of(address) == [1.0]
    finally:
        ask(server, "drop owned by reader")
        ask(server, "drop role reader")


def test_a_role_without_any_right_is_told_what_the_server_says(server):
    """Who may make no schema in a database without a store gets the server's words, and nothing is made."""
    ask(server, "drop role if exists stranger")
    ask(server, "create role stranger login")
    try:
        with pytest.raises(StoreFailedError, match="permission denied for database"):
            ox.configure(store=server.address.replace("ox@", "stranger@"), capture_output="off")
    finally:
        ask(server, "drop role stranger")
    assert ask(server, "select to_regclass('otel_experiments.layout')") == [(None,)]


def test_a_newer_release_that_comes_in_mid_run_takes_nothing_from_this_one(server, caplog):
    """A database that is brought to a newer layout while a program records keeps it out from its next connection on."""
    ox.configure(store=server.address, capture_output="off", exit_timeout_s=0.5)
    with caplog.at_level(logging.WARNING, logger="otel_experiments"), ox.start_run("first") as run:
        run.log({"loss": 0.0}, step=0)
        run.flush()
        ask(server, "update otel_experiments.layout set version = 99")
        ask(
            server,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'otel-experiments'",
        )
        run.log({"loss": 1.0}, step=1)
        run.flush()
    ox.shutdown()
    assert "schema version 99" in caplog.text

    ask(server, "update otel_experiments.layout set version = 1")
    assert losses_of(server.address) == [0.0, 1.0]


def test_a_newer_release_is_refused_and_left_as_it_is(server):
    """A database of a newer layout is told with both versions, for reading and for recording."""
    with open_store(server.address):
        pass
    ask(server, "update otel_experiments.layout set version = 99")

    with pytest.raises(NewerSchemaError, match="schema version 99"):
        ox.runs(store=server.address)
    with pytest.raises(NewerSchemaError):
        ox.configure(store=server.address, capture_output="off")


def test_a_connection_that_was_cut_is_made_anew(server):
    """A reader whose connection an administrator ended goes on with the next question."""
    with open_store(server.address) as store:
        store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [0.0], [1], ([1.0],))]))
        ask(
            server,
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'otel-experiments'",
        )

        assert list(store.points(RUN, LOSS).values) == [1.0]


def test_an_entry_that_somebody_deleted_is_missed(server):
    """A gap in the numbers is an error, and never a part that looks like the whole."""
    with open_store(server.address) as store:
        for step in (0.0, 1.0):
            store.apply(WriteBatch(points=[PointBlock(RUN, (LOSS,), [step], [1], ([step],))]))
    ask(server, "delete from otel_experiments.entries where number = 0")

    with (
        open_store(server.address) as store,
        pytest.raises(StoreFailedError, match="entry 0 is missing, and 1 is there"),
    ):
        store.points(RUN, LOSS)


def test_a_server_that_cannot_be_reached_is_told_without_the_password(tmp_path):
    """The address in an error has no password, and the reason is the library's."""
    with pytest.raises(StoreFailedError, match="OperationalError") as caught:
        ox.runs(store=f"postgresql://ann:secret@/runs?host={tmp_path}")

    assert "secret" not in str(caught.value)
    assert "ann:***@" in str(caught.value)


def test_the_page_is_followed_to_the_letter(server, tmp_path):
    """The program of the how-to page prints what the page says; only the address is that of this server."""
    page = (Path(__file__).parents[2] / "docs/how-to/postgresql.md").read_text(encoding="utf-8")
    body, printed = re.search(
        r"```python file=train.py\n(.*?)```\n\n```text\n(.*?)```", page, re.DOTALL
    ).groups()
    program = tmp_path / "train.py"
    program.write_text(body.replace("postgresql://ann@db.example/runs", server.address), encoding="utf-8")

    done = subprocess.run([sys.executable, program], check=False, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    assert re.fullmatch(re.escape(printed).replace(r"\.\.\.", ".*"), done.stdout)


def test_a_program_that_starts_while_the_server_is_away_is_told_before_it_trains(tmp_path):
    """Nothing listens at the address: the first call raises with libpq's words, and no training begins."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused, whoever asks
        address = f"postgresql://nobody@127.0.0.1:{taken.getsockname()[1]}/runs"
        with pytest.raises(StoreFailedError, match="OperationalError"):
            ox.configure(store=address, journal_dir=tmp_path)
