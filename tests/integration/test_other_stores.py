"""Stores of other packages: given as objects, found by a scheme, and what becomes of recording when they fail."""

import logging
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import warnings
from pathlib import Path

import pytest
from click.testing import CliRunner

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import ConfigurationError, IncompleteReadWarning, StorePathError
from otel_experiments.journal.names import SEGMENT_SUFFIX
from otel_experiments.model.other_stores import waiting_place
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store import StoreBase, other

EXAMPLE = Path(__file__).parents[2] / "examples" / "folder_store"


class BoxStore(StoreBase):
    """A store in a list, which fails in whatever way a test asks for."""

    def __init__(self, address):
        super().__init__()
        self.address = address
        self.entries = []
        self.fails = None
        self.is_closed = False

    @property
    def location(self):
        """The address that the test chose."""
        return self.address

    def read_entries(self, first):
        """Return what is there."""
        return self.entries[first:]

    def add_entry(self, number, entry):
        """Append an entry, or fail."""
        if self.fails is not None:
            self.fails()
        if number != len(self.entries):
            return False
        self.entries.append(entry)
        return True

    def close_entries(self):
        """Note that somebody closed the store."""
        self.is_closed = True


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """The folder in which journals of other stores wait."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("OTEL_EXPERIMENTS_STORE", raising=False)
    yield tmp_path / "state" / "otel-experiments"
    ox.shutdown()


@pytest.fixture
def box(request):
    """A store that is an object; each test has an address of its own."""
    return BoxStore(f"box://{request.node.name}")


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The example's package, installed as pip would do it; returns the address of a store."""
    packages = tmp_path / "packages"
    packages.mkdir()
    shutil.copy(EXAMPLE / "folder_store.py", packages)
    about = packages / "folder_store-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: folder-store\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[otel_experiments.store]\nfolder = folder_store:open_store\n")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return f"folder://{tmp_path}/runs"


def journals(address):
    """The journals that wait on this machine for a store."""
    folder = waiting_place(address)
    return list(folder.with_name(folder.name + ".journals").glob(f"*{SEGMENT_SUFFIX}"))


def run_python(code, **environ):
    """Run a program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environ}, check=False, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def test_a_program_records_into_a_store_that_it_gives(box):
    """Points, params and spans are in the store, it is read like any other, and it stays the program's."""
    ox.configure(store=box, capture_output="off")
    with ox.start_run("first") as run, run.stage("load"):
        run.log({"loss": 0.5}, step=3)
        run.log_params({"lr": 0.1})
    assert ox.run("first").metrics["loss"].last == 0.5
    ox.shutdown()

    assert not box.is_closed
    assert [view.name for view in ox.runs(store=box)] == ["first"]
    assert [view.name for view in ox.runs("params.lr == 0.1", store=box)] == ["first"]
    assert {span.name for span in ox.run("first", store=box).spans} >= {"stage load"}
    assert journals(box.location) == []


def test_a_store_of_ours_that_is_open_can_be_given():
    """A store in memory that the program holds is recorded into, and can be looked at afterwards."""
    from otel_experiments.store import open_store

    with open_store("memory://") as store:
        ox.configure(store=store, capture_output="off")
        with ox.start_run("kept") as run:
            run.log({"loss": 1.0}, step=0)
        ox.shutdown()

        assert store.get_run(run.id).name == "kept"


def test_a_recorder_has_a_store_of_its_own(box, tmp_path):
    """Beside the process's store a recorder records into another package's."""
    ox.configure(store=tmp_path / "runs.db", capture_output="off")
    with ox.Recorder(store=box, capture_output="off") as recorder, recorder.start_run("there"):
        pass

    assert [view.name for view in ox.runs(store=box)] == ["there"]
    assert len(ox.runs()) == 0


def test_a_scheme_of_an_installed_package_is_an_address(installed):
    """What a package adds as an entry point is recorded into and read by its address, also by the command line."""
    ox.configure(store=installed, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 0.5}, step=0)
    ox.shutdown()

    assert [view.name for view in ox.runs(store=installed)] == ["first"]
    assert "first" in CliRunner().invoke(root, ["runs", "--store", installed]).output
    assert "0.5" in CliRunner().invoke(root, ["show", "first", "--store", installed]).output


def test_the_bytes_of_artifacts_are_kept_beside_the_journals(installed, tmp_path, state):
    """An artifact of a store elsewhere is on this machine's disk, and another process reads it."""
    file = tmp_path / "weights.bin"
    file.write_bytes(b"abc")
    ox.configure(store=installed, capture_output="off")
    with ox.start_run("first") as run:
        run.log_artifact(file, name="weights")
    ox.shutdown()

    assert ox.artifact("weights", store=installed).open().read() == b"abc"
    assert any(path.name.endswith(".artifacts") for path in state.iterdir())


def test_the_journals_are_where_the_program_says(box, tmp_path, monkeypatch):
    """`journal_dir` is the folder of what waits, and readers of the process look there."""
    monkeypatch.setattr(other, "WAIT_S", 0.05)
    box.fails = raise_reset
    ox.configure(store=box, journal_dir=tmp_path / "waiting", exit_timeout_s=0.2, capture_output="off")
    with ox.start_run("first"):
        pass
    ox.shutdown()
    box.fails = None

    assert [path.suffix for path in (tmp_path / "waiting").iterdir()] == [".journals"]
    assert [view.name for view in ox.runs(store=box)] == ["first"]


def raise_reset():
    """Fail as a connection does."""
    raise ConnectionResetError("gone")


def raise_odd():
    """Fail as a program does that has a defect."""
    raise ZeroDivisionError("a defect")


@pytest.mark.parametrize("fails", [raise_reset, raise_odd], ids=["connection", "defect"])
def test_what_a_store_does_not_take_waits_and_is_stored_later(box, monkeypatch, caplog, fails):
    """A store that raises is told of once, training goes on, exit is bounded, and the next reader stores what waits."""
    monkeypatch.setattr(other, "WAIT_S", 0.05)
    box.fails = fails
    with caplog.at_level(logging.WARNING, logger="otel_experiments"):
        ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
        with ox.start_run("first") as run:
            for step in range(100):
                run.log({"loss": float(step)}, step=step)
        ox.shutdown()
    assert caplog.text.count("The store does not take what is recorded now") == 1
    assert "its apply() raised" in caplog.text
    assert journals(box.location) != []

    with pytest.warns(IncompleteReadWarning, match="were not merged"):
        assert len(ox.runs(store=box)) == 0

    box.fails = None
    points = ox.run("first", store=box).metrics["loss"].points()
    assert list(points.values) == [float(step) for step in range(100)]
    assert journals(box.location) == []


def test_a_store_that_hangs_holds_up_no_exit(box, monkeypatch):
    """A call that does not answer is given up, the journal waits, and what the store took after all is there once."""
    monkeypatch.setattr(other, "WAIT_S", 0.05)
    answers = threading.Event()
    box.fails = answers.wait
    ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 1.0}, step=0)
    ox.shutdown()
    assert journals(box.location) != []

    answers.set()
    monkeypatch.setattr(other, "WAIT_S", 60.0)
    assert list(ox.run("first", store=box).metrics["loss"].points().values) == [1.0]


@pytest.mark.parametrize(
    ("hangs", "told"),
    [
        ("add_entry", "did not answer within"),
        ("read_entries", "What is defined of experiments cannot be read"),
    ],
)
def test_a_store_that_hangs_holds_up_no_run_that_starts(box, monkeypatch, hangs, told, caplog):
    """Runs start and end while an earlier call has not answered, each is told, and all of them are stored in the end."""
    monkeypatch.setattr(other, "WAIT_S", 0.05)
    monkeypatch.setattr(other, "READ_WAIT_S", 0.05)
    answers = threading.Event()
    ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
    with ox.start_run("first"):
        pass
    was = getattr(box, hangs)

    def hang(*given):
        answers.wait()
        return was(*given)

    monkeypatch.setattr(box, hangs, hang)
    with caplog.at_level(logging.WARNING, logger="otel_experiments"):
        for name in ("second", "third"):
            with ox.start_run(name) as run:
                run.log({"loss": 1.0}, step=0)
        ox.shutdown()
    assert told in caplog.text

    answers.set()
    monkeypatch.setattr(other, "WAIT_S", 60.0)
    assert sorted(view.name for view in ox.runs(store=box)) == ["first", "second", "third"]


@pytest.mark.parametrize("offset", [None, "many", -1, 2.5, 10**9], ids=repr)
def test_a_store_that_gives_no_offset_deletes_no_journal(box, monkeypatch, offset):
    """A number of bytes that cannot be is not believed: the journal stays, and is stored when the store says the truth."""
    monkeypatch.setattr(other, "WAIT_S", 5.0)
    monkeypatch.setattr(BoxStore, "journal_offset", lambda self, segment_id: offset, raising=False)
    ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 1.0}, step=0)
    ox.shutdown()
    assert journals(box.location) != []

    monkeypatch.delattr(BoxStore, "journal_offset")
    assert list(ox.run("first", store=box).metrics["loss"].points().values) == [1.0]


def test_a_store_that_keeps_nothing_is_found_out(box, monkeypatch):
    """Where `apply` returns and nothing was kept, no journal is deleted."""
    monkeypatch.setattr(BoxStore, "apply", lambda self, batch: None, raising=False)
    ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
    with ox.start_run("first") as run:
        run.log({"loss": 1.0}, step=0)
    ox.shutdown()
    assert journals(box.location) != []

    monkeypatch.delattr(BoxStore, "apply")
    assert list(ox.run("first", store=box).metrics["loss"].points().values) == [1.0]


def test_a_killed_process_leaves_its_journal_to_the_next_reader(installed):
    """What a process recorded before SIGKILL is in the store once somebody reads it."""
    done = run_python(
        f"""
        import os, signal
        import otel_experiments as ox
        ox.configure(store={installed!r}, drain_s=60, capture_output="off")
        run = ox.start_run("killed")
        for step in range(50):
            run.log({{"loss": float(step)}}, step=step)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    assert done.returncode == -9, done.stderr

    assert len(ox.run("killed", store=installed).metrics["loss"].points()) == 50
    assert ox.run("killed", store=installed).state == "lost"


def test_another_process_joins_by_the_address(installed):
    """A process that was started joins the run in a store that an entry point opens."""
    ox.configure(store=installed, capture_output="off")
    with ox.start_run("shared") as run:
        done = run_python(
            """
            import otel_experiments as ox
            with ox.join_run() as run:
                run.log({"from_worker": 2.0}, step=0)
            """,
            **run.environment(),
        )
        assert done.returncode == 0, done.stderr
    ox.shutdown()

    assert ox.run("shared", store=installed).metrics["from_worker"].last == 2.0


def test_an_object_is_found_by_no_other_process(box):
    """A worker cannot be handed a store that only this process holds, and the error says what to do."""
    ox.configure(store=box, capture_output="off")
    with ox.start_run("here") as run, pytest.raises(ConfigurationError, match="entry point of the group"):
        run.environment()


def test_a_scheme_that_no_package_adds_is_refused():
    """An address of an unknown kind is told with what is known, and its password is not shown."""
    with pytest.raises(StorePathError, match="'nowhere' is no kind of store that is known") as caught:
        ox.configure(store="nowhere://ann:secret@box/runs")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            "def open_store(address): raise OSError('no route to box')",
            "cannot open it: OSError: no route to box",
        ),
        ("def open_store(address): return 7", "returned a int without apply"),
        ("import a_package_that_there_is_not", "cannot open it: ModuleNotFoundError"),
        ("", "cannot open it: AttributeError"),
    ],
    ids=["raises", "no store", "no import", "no function"],
)
def test_a_package_that_opens_nothing_is_named(installed, tmp_path, body, said, monkeypatch):
    """What is wrong with the package that adds a scheme is in the error, and nothing is recorded in silence."""
    (tmp_path / "packages" / "folder_store.py").write_text(body)
    monkeypatch.delitem(sys.modules, "folder_store", raising=False)

    with pytest.raises(StorePathError, match=said):
        ox.configure(store=installed)


@pytest.mark.parametrize(
    ("store", "said"),
    [(7, "it is a int without apply"), ({"a": 1}, "it is a dict"), (BoxStore(None), "its location is None")],
    ids=["number", "mapping", "no address"],
)
def test_what_is_no_store_is_refused(store, said):
    """An object that is no store is told by what it lacks, wherever a store is expected."""
    with pytest.raises(StorePathError, match=said):
        ox.configure(store=store)
    with pytest.raises(StorePathError, match=said):
        ox.runs(store=store)


def test_a_location_has_an_address_that_leads_to_it(box, installed):
    """The text of a location is read as the same location."""
    for given in (box, installed):
        location = StoreLocation.parse(given)
        assert StoreLocation.parse(str(location)) == location
        assert location.path is None


def test_two_machines_write_one_store(installed, tmp_path, monkeypatch):
    """Programs whose journals lie in different folders record into the same store, and each finds what the other stored."""
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        ox.configure(store=installed, capture_output="off")
        with ox.start_run(name) as run:
            run.log({"loss": 1.0}, step=0)
        ox.shutdown()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sorted(view.name for view in ox.runs(store=installed)) == ["one", "two"]


def test_a_password_in_the_address_is_shown_to_nobody(monkeypatch, caplog, recwarn, tmp_path):
    """What is logged, warned of, raised and written of a store has its address without the password; its journals are found with another one."""
    monkeypatch.setattr(other, "WAIT_S", 0.05)
    box = BoxStore("box://ann:hunter2@there/runs")
    box.fails = raise_reset
    warnings.simplefilter("always")
    with caplog.at_level(logging.DEBUG, logger="otel_experiments"):
        ox.configure(store=box, exit_timeout_s=0.2, capture_output="off")
        with ox.start_run("first") as run:
            run.log({"loss": 1.0}, step=0)
            with pytest.raises(ConfigurationError) as refused:
                run.environment()
        ox.shutdown()
        reader = ox.open_reader(box)
    said = [caplog.text, str(refused.value), reader.location, *(str(one.message) for one in recwarn)]

    assert any("were not merged" in text for text in said)
    assert [text for text in said if "hunter2" in text] == []
    assert waiting_place("box://ann:other@there/runs") == waiting_place(box.location)
