"""Bytes that a run keeps: files, folders, bytes and open files, under names with versions and aliases."""

import hashlib
import io
import os
import signal
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.artifacts import lock
from otel_experiments.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    NoActiveRunError,
    RecordingError,
)
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.record.run.artifact_source import Source
from otel_experiments.record.run.artifacts import Asked

HELLO = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def stored(**conditions):
    """Return what the store has of artifacts, oldest first."""
    found = active_store().artifacts(ArtifactQuery(**conditions))
    return sorted(found, key=lambda one: one.logged.time_ns)


def losses(run):
    """Return {(kind, name): count} of what a stored run lost."""
    return {(one.kind, one.name): one.count for one in ox.run(run.id).losses}


def test_a_file_is_kept_under_its_own_name(recording, tmp_path):
    """The digest is that of the bytes, and the artifact is called as the file."""
    (tmp_path / "model.pt").write_bytes(b"hello")
    with ox.start_run("r", experiment="e") as run:
        kept = run.log_artifact("model.pt")

    (found,) = stored()
    assert kept == HELLO
    assert (kept.name, kept.size_bytes, kept.file_count, kept.is_folder) == ("model.pt", 5, 1, False)
    assert (found.version, found.aliases) == (0, ("latest",)) or found.version == 0
    logged = found.logged
    assert (logged.run_id, logged.experiment, logged.name, logged.digest) == (run.id, "e", "model.pt", HELLO)
    assert (logged.type, logged.file_name, logged.size_bytes) == ("file", "model.pt", 5)


class Path2:
    """A path of another library."""

    def __fspath__(self):
        return "model.pt"


@pytest.mark.parametrize(
    "give",
    [
        pytest.param(lambda path: path, id="Path"),
        pytest.param(str, id="str"),
        pytest.param(lambda path: Path2(), id="__fspath__"),
        pytest.param(lambda path: b"hello", id="bytes"),
        pytest.param(lambda path: bytearray(b"hello"), id="bytearray"),
        pytest.param(lambda path: memoryview(b"hello"), id="memoryview"),
        pytest.param(lambda path: io.BytesIO(b"hello"), id="BytesIO"),
    ],
)
@pytest.mark.parametrize("wait", [True, False])
def test_whatever_holds_bytes_is_kept(recording, tmp_path, give, wait):
    """A path, bytes, or a file that is open for reading: the same bytes have the same digest."""
    path = tmp_path / "model.pt"
    path.write_bytes(b"hello")
    with ox.start_run("r") as run:
        kept = run.log_artifact(give(path), "m", wait=wait)
        assert (kept if wait else kept.result()) == HELLO

    assert [one.logged.digest for one in stored(name="m")] == [HELLO]


@pytest.mark.parametrize("wait", [True, False])
def test_an_open_file_is_read_where_it_stands_and_left_open(recording, tmp_path, wait):
    """What is left of a file that is open for reading is kept, and called as the file; the file stays the caller's."""
    (tmp_path / "model.pt").write_bytes(b"skip hello")
    with ox.start_run("r") as run, (tmp_path / "model.pt").open("rb") as file:
        file.seek(5)
        kept = run.log_artifact(file, wait=wait)
        assert (kept if wait else kept.result()) == HELLO
        assert not file.closed

    assert [one.logged.name for one in stored()] == ["model.pt"]


def test_a_folder_is_one_artifact_whatever_the_order_of_its_files(recording, tmp_path):
    """The digest of a folder is that of the list of its files."""
    for name, order in (("a", (1, 2)), ("b", (2, 1))):
        (tmp_path / name / "inside").mkdir(parents=True)
        for number in order:
            (tmp_path / name / "inside" / f"{number}.txt").write_text(str(number))
    with ox.start_run("r") as run:
        first, second = run.log_artifact(tmp_path / "a", "data"), run.log_artifacts(f"{tmp_path}/b/", "data")

    assert first == second
    assert (first.is_folder, first.file_count, first.size_bytes) == (True, 2, 2)
    assert {one.logged.type for one in stored(name="data")} == {"folder"}
    assert {one.version for one in stored(name="data")} == {0}


def test_what_is_said_of_an_artifact_is_stored_with_it(recording):
    """Type, step, metadata and aliases are read back as they were given."""
    with ox.start_run("r") as run:
        run.log_artifact(
            b"1", "model", "model", ["best", "latest"], step=7, metadata={"acc": 0.5, "a": {"b": [1, 2]}}
        )

    (found,) = stored()
    assert (found.logged.type, found.logged.step) == ("model", 7.0)
    assert found.logged.metadata == {"acc": 0.5, "a.b": [1, 2]}
    assert "best" in found.aliases


def test_an_artifact_inside_a_step_is_of_that_step(recording):
    """Nobody has to say the step twice; the span is the one that is open."""
    with ox.start_run("r") as run, run.step(3) as step:
        run.log_artifact(b"1", "inside")
        run.log_artifact(b"2", "given", step=9)
        span_id = f"{step.span.get_span_context().span_id:016x}"

    assert {one.logged.name: one.logged.step for one in stored()} == {"inside": 3.0, "given": 9.0}
    assert {one.logged.span_id for one in stored()} == {span_id}


BAD = {
    # what is given: (name of the loss, what is said)
    "missing": (lambda tmp: ("missing.pt", None), "missing.pt", "there is no such file"),
    "text mode": (lambda tmp: (io.StringIO("x"), "t"), "t", 'Open it with mode "rb"'),
    "number": (lambda tmp: (5, "t"), "t", "it is of type int"),
    "none": (lambda tmp: (None, "t"), "t", "it is of type NoneType"),
    "empty path": (lambda tmp: ("", "t"), "t", "a folder"),
    "nul in path": (lambda tmp: ("a\0b", "t"), "t", "NUL"),
    "no name": (lambda tmp: (b"x", None), "", "no name was given"),
    "name of a wrong type": (lambda tmp: (b"x", 5), "5", "it is of type int"),
    "leading up": (lambda tmp: (b"x", "../../etc/passwd"), "../../etc/passwd", "its parts are no names"),
    "nul in name": (lambda tmp: (b"x", "a\0b"), "a\ufffdb", "it holds a control character"),
    "long name": (lambda tmp: (b"x", "n" * 10_000), "n" * 200, "it has 10,000 bytes"),
    "empty name": (lambda tmp: (b"x", " "), " ", "it is empty"),
    "alias in name": (lambda tmp: (b"x", "model:best"), "model:best", "begins an alias"),
}


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("case", [one for one in BAD if one != "empty path"])
def test_what_cannot_be_kept_is_counted_and_told_once(forgiving, tmp_path, caplog, case, wait):
    """Training goes on: the digest is empty, nothing is stored, and the log says what to do, once for a name."""
    give, name, said = BAD[case]
    with ox.start_run("r") as run:
        for _ in range(2):
            what, called = give(tmp_path)
            kept = run.log_artifact(what, called, wait=wait)
            kept = kept if wait else kept.result()
            assert not kept
            assert kept == ""

    assert stored() == []
    assert losses(run) == {("artifact", name): 2}
    (told,) = [one.getMessage() for one in caplog.records if "rtifact" in one.getMessage()]
    assert said in told


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(forgiving, tmp_path):
    """Opening a pipe that nobody writes to would never return."""
    os.mkfifo(tmp_path / "pipe")
    with ox.start_run("r") as run:
        assert not run.log_artifact("pipe")

    assert losses(run) == {("artifact", "pipe"): 1}


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_that_may_not_be_read_is_told(forgiving, tmp_path, caplog):
    """The message says which right is missing."""
    (tmp_path / "secret").write_bytes(b"x")
    (tmp_path / "secret").chmod(0)
    with ox.start_run("r") as run:
        assert not run.log_artifact("secret")

    assert "may not be read" in caplog.text


def test_errors_come_out_where_they_are_asked_for(configure):
    """With `on_error="raise"`, which is for tests, what cannot be kept raises."""
    configure(on_error="raise")
    with ox.start_run("r") as run:
        with pytest.raises(Exception, match="there is no such file"):
            run.log_artifact("missing")
        with pytest.raises(RecordingError, match="has no argument 'tgas'"):
            run.log_artifact(b"x", "x", tgas=["a"])


class Torn:
    """A list that fails while it is read."""

    def __iter__(self):
        yield "best"
        raise RuntimeError("torn")


@pytest.mark.parametrize(
    ("given", "kind", "name"),
    [
        ({"step": "seven"}, "artifact detail", "m"),
        ({"metadata": 5}, "artifact detail", "m"),
        ({"aliases": 5}, "artifact detail", "m"),
        ({"aliases": ["v3"]}, "artifact alias", "v3"),
        ({"aliases": [7]}, "artifact alias", "7"),
        ({"aliases": [["best"]]}, "artifact alias", "['best']"),
        ({"aliases": Torn()}, "artifact detail", "m"),
        ({"type": ""}, "artifact detail", "m"),
        ({"type": 5}, "artifact detail", "m"),
        ({"link": "symbolic"}, "artifact detail", "m"),
        ({"tgas": ["a"]}, "unknown argument", "tgas"),
    ],
)
def test_a_detail_that_cannot_be_used_costs_the_detail_only(forgiving, given, kind, name):
    """The bytes are kept; what was said of them and cannot be used is counted and told."""
    with ox.start_run("r") as run:
        assert run.log_artifact(b"hello", "m", **given) == HELLO

    assert losses(run) == {(kind, name): 1}
    assert len(stored()) == 1


def test_metadata_holds_no_secrets(recording):
    """Passwords and tokens are replaced, as in params."""
    with ox.start_run("r") as run:
        run.log_artifact(b"1", "m", metadata={"api_key": "abc123", "lr": 0.1})

    assert stored()[0].logged.metadata == {"api_key": "<redacted>", "lr": 0.1}


def test_the_module_keeps_artifacts_of_the_current_run(recording):
    """`ox.log_artifact` is `run.log_artifact` of the current run, and an error without one."""
    with pytest.raises(NoActiveRunError, match="log_artifact"):
        ox.log_artifact(b"hello", "m")
    with ox.start_run("r") as run:
        assert ox.log_artifact(b"hello", "m", "model", ["best"], step=1, metadata={"a": 1}) == HELLO

    (found,) = stored()
    assert (found.logged.run_id, found.logged.type, found.logged.step) == (run.id, "model", 1.0)


def test_without_recording_nothing_is_kept(configure, tmp_path):
    """A program that is switched off by its environment goes on as it is."""
    configure(enabled=False)
    with ox.start_run("r") as run:
        assert run.log_artifact(b"1", "a") == ""
        assert run.log_artifact(b"1", "a", wait=False).result() == ""

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_by_mode", [False, True])
def test_without_recording_what_is_stored_is_read_as_ever(configure, tmp_path, is_by_mode):
    """A program that is switched off still gets its data, and `ox.runs` the runs; that it used them is not recorded."""
    store = tmp_path / "kept.db"
    configure(store=store)
    with ox.start_run("maker", experiment="e") as run:
        run.log_artifact(b"1", "data")
    if not is_by_mode:
        configure(store=store, enabled=False)
    with ox.init("e", mode="disabled" if is_by_mode else None) as run:
        assert run.use_artifact("data:latest").read_text() == "1"
        assert [one.name for one in ox.runs()] == ["maker"]
        with pytest.raises(ArtifactNotFoundError):
            run.use_artifact("nothing")

    assert [one.name for one in ox.runs(store=store)] == ["maker"]
    assert ox.artifact("e/data", store=store).used_by == []


def test_without_recording_and_without_a_store_no_file_is_made_for_reading(configure, tmp_path):
    """There is nothing to read, and looking for it makes nothing."""
    configure(store=tmp_path / "none.db", enabled=False)
    with ox.start_run("r") as run, pytest.raises(ArtifactNotFoundError):
        run.use_artifact("data")

    assert list(tmp_path.iterdir()) == []


def test_without_a_store_there_is_no_place_for_bytes(configure, caplog):
    """`store="none"` keeps nothing locally, and says so where bytes would be lost."""
    configure(store="none", on_error="log", otlp=False)
    with ox.start_run("r") as run:
        assert run.log_artifact(b"1", "a") == ""

    assert "configure(artifacts=FOLDER)" in caplog.text


def test_bytes_are_kept_where_the_setting_says(configure, tmp_path, monkeypatch):
    """`artifacts=` is a folder elsewhere; the record says which, so that a reader finds it from anywhere."""
    configure(artifacts="elsewhere")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    with ox.start_run("r") as run:
        run.log_artifact(b"hello", "a")

    assert stored()[0].logged.place == str(tmp_path / "elsewhere")
    assert any((tmp_path / "elsewhere").rglob(HELLO[7:]))
    assert not (tmp_path / "experiments.db.artifacts").exists()


def test_a_place_that_there_cannot_be_is_refused_where_it_is_set_up(configure, tmp_path):
    """A misspelt address is an error before training starts, and leaves no store behind."""
    with pytest.raises(ArtifactError, match="nosuch"):
        configure(artifacts="nosuch://bucket")

    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_given_relatively_keeps_its_folder(configure, tmp_path, monkeypatch):
    """Changing the working directory does not change where bytes go."""
    configure(store="here.db")
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path / "deep")
    with ox.start_run("r") as run:
        run.log_artifact(b"hello", "a")

    assert (tmp_path / "here.db.artifacts").is_dir()
    assert not list((tmp_path / "deep").iterdir())


def test_many_threads_keep_artifacts_at_once(recording):
    """Each has its own digest, and every one is stored."""
    with ox.start_run("r") as run:
        given = {f"a{number}": str(number).encode() * 1000 for number in range(8)}
        kept = {}

        def keep(name):
            kept[name] = run.log_artifact(given[name], name)

        threads = [threading.Thread(target=keep, args=(name,)) for name in given]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    wanted = {name: f"sha256:{hashlib.sha256(data).hexdigest()}" for name, data in given.items()}
    assert kept == wanted
    assert {one.logged.name: one.logged.digest for one in stored()} == wanted


def test_a_file_that_changes_after_it_was_given_is_not_kept_as_another(forgiving, tmp_path, caplog):
    """With `wait=False` the file is read later; if the program has written to it by then, that is told."""
    path, gate = tmp_path / "last.pt", threading.Event()

    class Slow:
        """A stream that keeps the thread busy until the gate opens."""

        def __fspath__(self):
            return str(path)

    path.write_bytes(b"first")
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        handle = run.log_artifact(Slow(), "last", wait=False)
        assert not handle.done
        assert repr(handle) == "ArtifactHandle('last', in progress)"
        path.write_bytes(b"second")
        gate.set()
        assert handle.result() == ""
        assert repr(handle) == "ArtifactHandle('last', done)"

    assert "it changed after it was given" in caplog.text
    assert losses(run) == {("artifact", "last"): 1}


def test_the_end_of_a_run_waits_for_its_artifacts(recording):
    """`finish` returns when what was given without waiting is stored, as far as the exit budget reaches."""
    run = ox.init("e")
    handles = [run.log_artifact(os.urandom(2_000_000), f"a{number}", wait=False) for number in range(5)]
    report = run.finish()

    assert report.is_stored
    assert all(handle.done for handle in handles)
    assert {one.logged.name for one in stored()} == {f"a{number}" for number in range(5)}


def test_what_is_not_kept_when_the_process_has_to_end_is_counted(configure, caplog):
    """Exit is never held up for longer than its budget; what is given up is said and counted."""
    configure(on_error="log", exit_timeout_s=0.2)
    gate = threading.Event()
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        handle = run.log_artifact(b"x", "late", wait=False)
    ox.shutdown()
    gate.set()

    assert handle.result() == ""
    assert "the process ended before it was kept" in caplog.text
    assert {(one.kind, one.name) for one in ox.run(run.id, store=Path("experiments.db")).losses} == {
        ("artifact", "late")
    }


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="this system does not list open files")
def test_what_is_given_up_opens_nothing_after_the_shutdown(configure):
    """An artifact whose thread ends after the shutdown is not kept, and no file of the folder is open then."""
    configure(on_error="log", exit_timeout_s=0.2)
    begun, gate = threading.Event(), threading.Event()

    def prepare(blobs):
        begun.set()
        gate.wait()
        return blobs.prepare_bytes(b"late")

    with ox.start_run("r") as run:
        run.log_artifact(b"before", "kept")
        late = Asked("late", "file", None, {}, (), "")
        handle = run._core.parts.artifacts._begin(Source(prepare), late, wait=False)
        begun.wait()
    ox.shutdown()
    assert open_files() == []
    gate.set()

    assert handle.result(timeout_s=60) == ""
    assert open_files() == []
    assert len([one for one in Path("experiments.db.artifacts/sha256").rglob("*") if one.is_file()]) == 1
    assert {
        (one.kind, one.name): one.count for one in ox.run(run.id, store=Path("experiments.db")).losses
    } == {("artifact", "late"): 1}


def open_files():
    """Return the files of a folder of artifacts that this process has open."""
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the listing itself
            found.append(str(entry.readlink()))
    return [name for name in found if name.startswith(f"{Path.cwd()}/") and ".artifacts" in name]


def test_flush_waits_for_artifacts_and_says_where_it_did_not(configure):
    """A report that says `is_stored` means the artifacts, too."""
    configure(on_error="log", exit_timeout_s=0.2)
    gate = threading.Event()
    with ox.start_run("r") as run:
        run._core.pipeline.artifacts.add("busy", lambda: gate.wait() and None, lambda: None)
        assert not run.flush(timeout_s=0.1).is_stored
        gate.set()
        assert run.flush().is_stored


class Broken:
    """A stream that fails after its first piece."""

    def __init__(self, error):
        self.pieces = [error, b"x" * 1000]

    def read(self, size):
        """Return a piece, or raise."""
        piece = self.pieces.pop()
        if isinstance(piece, BaseException):
            raise piece
        return piece


@pytest.mark.parametrize("error", [ValueError("cut"), OSError("unplugged"), RuntimeError("odd")])
def test_a_stream_that_fails_is_told_with_what_it_raised(forgiving, caplog, error):
    """The program's own object cannot be read to its end; nothing is kept of it."""
    with ox.start_run("r") as run:
        assert run.log_artifact(Broken(error), "s") == ""

    assert losses(run) == {("artifact", "s"): 1}
    assert f"reading it raised {type(error).__name__}: {error}" in caplog.text


def test_a_stream_that_gives_no_bytes_is_told(forgiving, caplog):
    """Half of what can be read gives texts."""
    with ox.start_run("r") as run:
        assert run.log_artifact(type("S", (), {"read": lambda self, size: "text"})(), "s") == ""

    assert losses(run) == {("artifact", "s"): 1}


@pytest.mark.parametrize(
    ("read", "why"),
    [
        (lambda _self, _size: None, "it has no bytes yet"),
        (lambda _self, size: b"x" * (size + 1), "`read` gave"),
    ],
    ids=["none", "too much"],
)
def test_a_stream_that_gives_none_or_too_much_is_told_by_its_name(forgiving, caplog, read, why):
    """What is no file in truth is refused with what it did, and counted under the artifact's name."""
    with ox.start_run("r") as run:
        assert run.log_artifact(type("S", (), {"read": read})(), "s") == ""

    assert losses(run) == {("artifact", "s"): 1}
    assert why in caplog.text


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3)])
def test_an_interruption_passes_and_leaves_nothing(forgiving, tmp_path, error):
    """Ctrl-C while a large file is read is the program's; the next artifact is kept as always."""
    with ox.start_run("r") as run:
        with pytest.raises(type(error)) as caught:
            run.log_artifact(Broken(error), "s")
        assert caught.value is error
        assert run.log_artifact(b"hello", "m") == HELLO

    assert {path.suffix for path in tmp_path.rglob("partial/*")} <= {".writer"}
    assert [one.logged.name for one in stored()] == ["m"]


@contextmanager
def swept(recording):
    """Hold the lock of the artifacts as `gc` does, for the length of a block."""
    with lock.exclusive(recording.blobs().place, 0o600):
        yield


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that signal")
def test_an_interruption_while_the_folder_is_locked_leaves_nothing(forgiving, tmp_path):
    """A program that gives itself a time limit gets its own exception, and what was copied is removed."""

    class TooLongError(Exception):
        """The program's own."""

    def stop(number, frame):
        raise TooLongError

    (tmp_path / "large").write_bytes(os.urandom(20_000_000))
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with ox.start_run("r") as run:
            run.log_artifact(b"hello", "m")
            with swept(forgiving):
                signal.setitimer(signal.ITIMER_REAL, 1.0)
                with pytest.raises(TooLongError):
                    run.log_artifact("large")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

    assert {path.suffix for path in tmp_path.rglob("partial/*")} <= {".writer"}
    assert [one.logged.name for one in stored()] == ["m"]


def test_what_was_given_up_is_not_named_when_it_is_done_nevertheless(configure, tmp_path):
    """It was counted as lost once, when the process could not wait for it; and stays lost."""
    recording = configure(on_error="log", exit_timeout_s=0.2)
    with ox.start_run("r") as run:
        run.log_artifact(b"hello", "m")
        run.flush()
        with swept(recording):
            handle = run.log_artifact(b"late", "late", wait=False)
            ox.shutdown()
        assert handle.result() == ""

    assert recording.guard.losses == {"artifact": 1}
    assert [one.name for one in ox.find_artifacts(store=tmp_path / "experiments.db")] == ["m"]


def test_a_recorder_that_was_shut_down_holds_no_file_of_artifacts_open(configure, tmp_path):
    """A program that sets up recording a thousand times does not run out of descriptors."""
    open_files = Path("/proc/self/fd")
    if not open_files.is_dir():
        pytest.skip("this system does not list the open files of a process")
    for number in range(3):
        configure(store=f"{number}.db")
        with ox.start_run("r") as run:
            run.log_artifact(b"hello", "m")
        ox.shutdown()

    left = [str(one.readlink()) for one in open_files.iterdir() if one.is_symlink() and one.exists()]
    assert [name for name in left if name.startswith(str(tmp_path)) and ".artifacts" in name] == []
