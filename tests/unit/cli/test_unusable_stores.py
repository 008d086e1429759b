"""Places that cannot hold a store: recording, reading and the doctor each say so in a text of ours."""

import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.errors import StoreError
from otel_experiments.store import open_store

NOTES = "notes, not a database " * 10


def a_directory(folder):
    """Make a folder where the store should be."""
    (folder / "place").mkdir()
    return folder / "place"


def a_text_file(folder):
    """Make a file of another kind."""
    (folder / "notes.txt").write_text(NOTES)
    return folder / "notes.txt"


def another_database(folder):
    """Make a database of another program."""
    with sqlite3.connect(folder / "other.db") as connection:
        connection.execute("create table cooking (recipe text)")
    connection.close()
    return folder / "other.db"


def a_newer_store(folder):
    """Make a store of a release from the future."""
    path = folder / "newer.db"
    open_store(path).close()
    connection = sqlite3.connect(path)
    connection.execute("pragma user_version = 99")
    connection.close()
    return path


def a_long_name(folder):
    """Name a file that no filesystem takes."""
    return folder / ("x" * 300)


def a_device(folder):
    """Name a device, which takes everything and keeps nothing."""
    return os.devnull


def a_pipe(folder):
    """Make a named pipe, at which an opener would wait for ever."""
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def a_socket(folder):
    """Make a socket."""
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(".", os.O_RDONLY)
        os.chdir(folder)  # a socket's path may have 107 bytes at the most
        listener.bind("socket")
        os.fchdir(here)
        os.close(here)
    return folder / "socket"


def below_a_file(folder):
    """Name a file in what is no folder."""
    (folder / "file").write_text("x")
    return folder / "file" / "under" / "experiments.db"


def an_unknown_scheme(folder):
    """Name a kind of store that there is not."""
    return "s3://host/db"


def a_store_to_come(folder):
    """Name a kind of store that this release has not."""
    return "clickhouse://host/db"


def a_bare_word(folder):
    """Name what is meant to be in memory."""
    return "memory"


def an_unknown_home(folder):
    """Name the home of a user that there is not."""
    return "~nobody-of-that-name/experiments.db"


PLACES = [
    (a_directory, "it is a directory"),
    (a_text_file, "is not an otel-experiments store"),
    (another_database, "tables: cooking"),
    (a_newer_store, "schema version 99"),
    (a_long_name, "cannot be looked at"),
    (a_device, "a device, pipe or socket"),
    (a_pipe, "a device, pipe or socket"),
    (a_socket, "a device, pipe or socket"),
    (below_a_file, "be made"),
    (an_unknown_scheme, "'s3' is no kind of store"),
    (a_store_to_come, "no ClickHouse store"),
    (a_bare_word, "Did you mean memory://?"),
    (an_unknown_home, "there is no such home"),
]


@pytest.fixture(params=PLACES, ids=[make.__name__ for make, _ in PLACES])
def place(request, tmp_path):
    """Return a location that cannot be used, and what has to be said about it."""
    make, why = request.param
    return str(make(tmp_path)), why


def test_recording_refuses_the_place_before_training(place):
    """`configure` raises an error of ours that names the place and what is wrong with it."""
    location, why = place

    with pytest.raises(StoreError) as caught:
        ox.configure(store=location, capture_git=False, system_metrics_s=0.0)

    assert why in str(caught.value)
    assert "\n  " in str(caught.value), "it says what to do"


def test_reading_refuses_the_place(place, terminal):
    """`runs` exits with 3 and a text of ours, without a traceback."""
    location, why = place

    result = terminal.run("runs", "--store", location)

    assert result.exit_code == 3
    assert why in result.stderr or "No store at" in result.stderr
    assert (result.stdout, type(result.exception)) == ("", SystemExit)


def test_the_doctor_explains_the_place(place, terminal):
    """The doctor calls it a problem of the store, says why, and exits with 3."""
    location, why = place

    result = terminal.run("doctor", "--store", location)

    assert (result.exit_code, type(result.exception)) == (3, SystemExit)
    shown = " ".join(result.stdout.split())
    assert why in shown
    assert "store" in next(line for line in result.stdout.splitlines() if line.startswith("✗"))


def test_nothing_is_changed_by_being_refused(tmp_path, terminal):
    """A file that is no store is the same after recording, reading and the doctor have looked at it."""
    path = a_text_file(tmp_path)

    for command in ("runs", "doctor"):
        terminal.run(command, "--store", str(path))
    with pytest.raises(StoreError):
        ox.configure(store=path)

    assert path.read_text() == NOTES
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]


def test_a_path_with_nul_is_refused(tmp_path):
    """NUL ends a path for the operating system; nothing is made at what stands before it."""
    with pytest.raises(StoreError, match="no file has a NUL"):
        ox.configure(store=f"{tmp_path}/a\0b")

    assert list(tmp_path.iterdir()) == []


def in_a_deleted_folder(folder, code, **changes):
    """Return the completed process of Python code that runs in a folder which is gone."""
    gone = folder / "gone"
    gone.mkdir()
    start = f"import os, sys\nos.chdir({str(gone)!r})\nos.rmdir({str(gone)!r})\n"
    env = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-c", start + code],
        env=env | {"COLUMNS": "80"} | changes,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_run_in_a_deleted_folder_is_recorded(tmp_path):
    """With a whole path as the store it does not matter that the working directory is gone."""
    code = "import otel_experiments as ox\nwith ox.start_run('far') as run:\n    run.log({'loss': 1.0})\n"

    done = in_a_deleted_folder(tmp_path, code, OTEL_EXPERIMENTS_STORE=str(tmp_path / "experiments.db"))

    assert (done.returncode, done.stderr) == (0, "")
    assert ox.run("far", store=tmp_path / "experiments.db").metrics["loss"].last == 1.0


@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_a_command_in_a_deleted_folder_says_so(tmp_path, command):
    """A relative path leads nowhere then; the text says why and what to do."""
    code = f"sys.argv[1:] = [{command!r}]\nfrom otel_experiments.cli import main\nmain()\n"

    done = in_a_deleted_folder(tmp_path, code)

    assert done.returncode == 3
    assert "the working directory is gone" in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr


def test_recording_in_a_deleted_folder_is_refused_in_words(tmp_path):
    """`start_run` raises an error of ours, not the operating system's."""
    code = (
        "import otel_experiments as ox\n"
        "try:\n    ox.start_run('far')\nexcept ox.errors.StorePathError as error:\n    print(error)\n"
    )

    done = in_a_deleted_folder(tmp_path, code)

    assert "the working directory is gone" in done.stdout
    assert done.stderr == ""


def as_a_plain_user(folder, *arguments):
    """Return the completed process of a command run without root's rights, where we have them."""
    for one in folder.parents:
        if one == Path(tempfile.gettempdir()):
            break
        one.chmod(0o755)
    command = [sys.executable, "-c", "from otel_experiments.cli import main; main()", *arguments]
    if os.geteuid() == 0:
        command = ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]
    env = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | {"COLUMNS": "80"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, " ".join(done.stdout.split()), " ".join(done.stderr.split())


needs_setpriv = pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root may write everywhere"
)


@needs_setpriv
def test_a_store_that_may_not_be_written_is_read_and_explained(tmp_path):
    """Reading a write-protected store works; the doctor warns; recording into it is refused."""
    path = tmp_path / "protected" / "experiments.db"
    open_store(path).close()
    path.chmod(0o444)
    path.parent.chmod(0o555)

    runs = as_a_plain_user(tmp_path, "runs", "--store", str(path))
    doctor = as_a_plain_user(tmp_path, "doctor", "--store", str(path))
    path.parent.chmod(0o755)

    assert (runs[0], runs[2]) == (0, "")
    assert doctor[0] == 0
    assert "may not be written: reading works, recording here does not" in doctor[1]


@needs_setpriv
def test_a_folder_in_which_no_store_can_be_made_is_explained(tmp_path):
    """Where the first run could not make its store the doctor says so beforehand."""
    folder = tmp_path / "protected"
    folder.mkdir()
    folder.chmod(0o555)

    doctor = as_a_plain_user(tmp_path, "doctor", "--store", str(folder / "experiments.db"))
    runs = as_a_plain_user(tmp_path, "runs", "--store", str(folder / "experiments.db"))
    folder.chmod(0o755)

    assert doctor[0] == 3
    assert "none can be made" in doctor[1]
    assert runs[0] == 3


@needs_setpriv
@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_a_store_behind_a_locked_folder_is_explained(tmp_path, command):
    """A folder that may not be entered hides whether there is a store; the text says that."""
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o000)

    code, out, errors = as_a_plain_user(tmp_path, command, "--store", str(folder / "experiments.db"))
    folder.chmod(0o755)

    assert code == 3
    assert "cannot be looked at (Permission denied)" in out + errors
