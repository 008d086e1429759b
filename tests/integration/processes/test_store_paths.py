"""Stores at any path that the file system takes: recorded, killed, read back in Python and on the command line."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._opening import open_reader
from otel_experiments.errors import StorePathError

TRAIN = """
import os, signal, sys
import otel_experiments as ox

if len(sys.argv) > 1:
    ox.configure(store=sys.argv[1], system_metrics_s=0.0, drain_s=0.05)
else:
    ox.configure(system_metrics_s=0.0, drain_s=0.05)
with ox.start_run("r") as run:
    for step in range(200):
        run.log({"loss": step / 7}, step=step)
        if step == 100:
            run.flush()
    with run.stage("s"):
        pass
    os.kill(os.getpid(), signal.SIGKILL)
"""

PATHS = {
    "not UTF-8": b"caf\xe9/\xff\xfe.db",
    "a scheme inside": b"runs/http://host/x.db",
    "a scheme of ours inside": b"a/sqlite://b.db",
    "question mark": b"what?/a?mode=ro.db",
    "hash": b"a#b/c#d.db",
    "percent": b"100%/a%20b%2f.db",
    "blanks": b" a b /  c .db",
    "newline and tab": b"a\nb/c\td.db",
    "escape": b"a\x1b[31mb.db",
    "emoji": "\U0001f600/\u00e9\u4e2d.db".encode(),
    "dots": b"a/../b/./x.db",
    "tilde inside": b"a/~/x.db",
    "colon": b"a:b:c.db",
    "quotes": b"a'b\"c`d.db",
    "backslash": b"a\\b.db",
    "ampersand": b"a&cache=shared.db",
    "a dash first": b"./-x.db",
    "no ending": b"x",
    "only dots": b"...",
    "long": b"d" * 150 + b"/" + b"f" * 240 + b".db",
    "the word memory": b"memory:/x.db",
    "journals": b"x.db.journals/x.db",
}


def run(*command, folder, **environ):
    """Run a command; return how it ended and what it printed."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    done = subprocess.run(
        command, cwd=folder, env={**clean, **environ}, capture_output=True, check=False, timeout=120
    )
    return done.returncode, done.stdout, done.stderr.decode(errors="replace")


def record(folder, *arguments, **environ):
    """Train in a process that is killed at the end."""
    (script := folder / "train.py").write_text(TRAIN)
    code, _, err = run(sys.executable, script, *arguments, folder=folder, **environ)
    assert code == -signal.SIGKILL, err
    assert "Traceback" not in err


def check(path):
    """Check that everything that was recorded is at the path."""
    with open_reader(path) as reader:
        found = reader.run("r")
        points = reader.store.points(found.id, reader.store.series([found.id])[found.id][0].key)
        assert list(points.values) == [step / 7 for step in range(200)]
        assert [span.name for span in found.spans if span.end_ns] == ["stage s"]
        assert reader.notes == ()


COMMAND = Path(sys.executable).parent / "otel-experiments"


@pytest.mark.parametrize("kind", PATHS)
def test_a_store_is_kept_at_any_path(kind, tmp_path):
    """Nothing of 200 points is lost, and every reader finds the store by the path that was given for recording."""
    given = PATHS[kind]
    record(tmp_path, given)
    before = set(tmp_path.iterdir())

    code, out, err = run(COMMAND, "runs", "--json", "--store", given, folder=tmp_path)
    assert (code, err) == (0, "")
    assert b'"r"' in out
    code, out, err = run(COMMAND, "doctor", "--store", given, folder=tmp_path)
    assert "Traceback" not in err
    assert b"\x1b[31m" not in out
    check(tmp_path / os.fsdecode(given))
    assert set(tmp_path.iterdir()) == before, "nobody makes a file elsewhere"


@pytest.mark.parametrize(
    "kind", ["not UTF-8", "a scheme inside", "question mark", "percent", "emoji", "newline and tab"]
)
@pytest.mark.parametrize("form", ["absolute", "sqlite://", "default"])
def test_a_store_is_kept_at_any_spelling_of_its_path(kind, form, tmp_path):
    """The whole path, one behind `sqlite://`, or the default one in a folder of such a name."""
    given = PATHS[kind]
    if form == "default":
        folder = (tmp_path / os.fsdecode(given)).parent / "here"
        folder.mkdir(parents=True, exist_ok=True)
        record(folder)
        check(folder / "experiments.db")
        return
    path = tmp_path / os.fsdecode(given)
    record(tmp_path, path if form == "absolute" else b"sqlite://" + given)
    check(path)


def test_a_tilde_is_the_home(tmp_path):
    """`~/x.db` is in the home folder, in recording and reading, and `~` further on is a name."""
    (home := tmp_path / "home").mkdir()
    record(tmp_path, "~/x.db", HOME=str(home))

    check(home / "x.db")
    code, _, err = run(COMMAND, "runs", "--store", "~/x.db", folder=tmp_path, HOME=str(home))
    assert (code, err) == (0, "")
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("given", ["s3://bucket/x.db", "http://host/x.db", "no-such+scheme.1://x"])
def test_a_scheme_that_is_none_of_ours_is_refused(given, tmp_path):
    """At the start of an address a scheme is one, and says so."""
    with pytest.raises(StorePathError, match="no kind of store that is known"):
        ox.configure(store=given)
    with pytest.raises(StorePathError, match="no kind of store that is known"):
        open_reader(given)
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_too_long_is_refused_before_training(tmp_path):
    """SQLite takes paths of up to 504 bytes, and a name has to leave room for those of the files beside it."""
    room = 504 - len(os.fsencode(tmp_path)) - len("//x.db")
    longest = tmp_path.joinpath(*["d" * 99] * (room // 100), "e" * (room % 100), "x.db")
    assert len(os.fsencode(longest)) == 504
    ox.configure(store=longest)
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    ox.shutdown()
    assert ox.run("r", store=longest).metrics["loss"].count == 1

    with pytest.raises(StorePathError, match="whole path has 505 bytes"):
        ox.configure(store=f"{longest}x")
    with pytest.raises(StorePathError, match="its name has 247 bytes"):
        ox.configure(store=tmp_path / ("x" * 247))
    with pytest.raises(StorePathError, match="File name too long"):
        ox.configure(store=tmp_path / ("x" * 256))
    with pytest.raises(StorePathError, match="no file has a NUL"):
        ox.configure(store=tmp_path / "a\0b")
