"""Recording and reading where the system lacks what most have: /proc, HOME, a folder, streams, a name, UTF-8."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments as ox

COMMAND = Path(sys.executable).parent / "otel-experiments"

TRAIN = """
import os, sys
{before}
import otel_experiments as ox

ox.configure(store=sys.argv[1], system_metrics_s={system_metrics_s}, drain_s=0.05)
with ox.start_run("r\\u00e9\\U0001f600", config={{"lr": 0.1, "text": "\\u4e2d"}}) as run:
    for step in range(100):
        run.log({{"loss": step / 7, "\\u00e9": 1.0}}, step=step)
    run.log({{"bad": "text"}})
    with run.stage("s"):
        pass
    {inside}
ox.shutdown()
"""


def environment(**changes):
    """Return the process's environment without OpenTelemetry's variables; a change to None removes a variable."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")} | changes
    return {key: value for key, value in environ.items() if value is not None}


def train(folder, store, *, before="", inside="", system_metrics_s=0.0, prefix=(), expected=0, **options):
    """Train in a process of its own; return what it wrote to stderr."""
    (script := folder / "train.py").write_text(
        TRAIN.format(before=before, inside=inside, system_metrics_s=system_metrics_s), encoding="utf-8"
    )
    settings = {
        "env": environment(),
        "cwd": folder,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
    } | options
    done = subprocess.run([*prefix, sys.executable, script, store], check=False, timeout=180, **settings)
    err = (done.stderr or b"").decode(errors="replace")
    assert done.returncode == expected, err
    assert "Traceback" not in err, err
    return err


def check(store):
    """Check that everything of the run is stored."""
    run = ox.run("r\u00e9\U0001f600", store=store)
    assert (run.state, run.metrics["loss"].count, run.metrics["\u00e9"].count) == ("succeeded", 100, 100)
    assert run.params.flat["text"] == "\u4e2d"
    assert [span.name for span in run.spans if span.end_ns][-1:] in (["stage s"], ["run default"])


VARIABLES = {
    "no HOME": {"HOME": None, "USER": None, "LOGNAME": None},
    "HOME that is not there": {"HOME": "/nonexistent"},
    "TMPDIR that is not there": {"TMPDIR": "/nonexistent", "TEMP": "/nonexistent", "TMP": "/nonexistent"},
    "no PATH": {"PATH": None},
    "nothing at all": dict.fromkeys(os.environ),
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX locale, ASCII streams": {"LC_ALL": "POSIX", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    "a locale there is not": {"LC_ALL": "xx_YY.utf8", "LANG": "xx"},
    "Latin-1 streams": {"PYTHONIOENCODING": "latin-1:strict"},
    "UTF-16 streams": {"PYTHONIOENCODING": "utf-16"},
    "a variable that is not UTF-8": {"OTEL_SERVICE_NAME": os.fsdecode(b"caf\xe9")},
    "attributes that are not UTF-8": {"OTEL_RESOURCE_ATTRIBUTES": os.fsdecode(b"team=caf\xe9,\xff=1")},
    "a time zone there is not": {"TZ": "Nowhere/Atall"},
    "a term there is not": {"TERM": "\x1b[31m", "COLUMNS": "0", "LINES": "-1"},
    "columns that are no number": {"COLUMNS": "wide", "NO_COLOR": ""},
}


@pytest.mark.parametrize("kind", VARIABLES)
def test_no_variable_and_no_locale_is_needed(kind, tmp_path, store_path):
    """A run is recorded, and `runs`, `show` and `doctor` print it, with a bare or an odd environment."""
    environ = environment(**VARIABLES[kind])
    train(tmp_path, store_path, env=environ)

    check(store_path)
    for arguments in (
        ["runs"],
        ["show", "r\u00e9\U0001f600"],
        ["metrics", "r\u00e9\U0001f600"],
        ["doctor"],
        ["runs", "--json"],
    ):
        command = [
            sys.executable,
            COMMAND,
            *(argument.encode() for argument in arguments),
            "--store",
            store_path,
        ]
        done = subprocess.run(
            command, env=environ, cwd=tmp_path, capture_output=True, check=False, timeout=120
        )
        err = done.stderr.decode(errors="replace")
        assert "Traceback" not in err, err
        assert done.returncode == 0 or arguments == ["doctor"], err
        if "--json" in arguments:
            encoding = "utf-16" if "utf-16" in str(environ.get("PYTHONIOENCODING")) else "latin-1"
            text = done.stdout.decode("utf-8" if b"\xf0\x9f" in done.stdout else encoding)
            assert json.loads(text)["runs"][0]["name"] == "r\u00e9\U0001f600"


STREAMS = {
    "closed": "for number in (0, 1, 2): os.close(number)",
    "None": "sys.stdin = sys.stdout = sys.stderr = sys.__stderr__ = sys.__stdout__ = None",
    "closed objects": "sys.stdout.close(); sys.stderr.close()",
    "full": "sys.stdout = open('/dev/full', 'w'); sys.stderr = open('/dev/full', 'w', buffering=1)",
    "ASCII, strict": "import io; sys.stderr = io.TextIOWrapper(sys.stderr.buffer, 'ascii', 'strict')",
    "without a file": "import io; sys.stdout, sys.stderr = io.StringIO(), io.StringIO()",
}


@pytest.mark.parametrize("kind", STREAMS)
def test_no_stream_is_needed(kind, tmp_path, store_path):
    """With standard streams closed, None, full or of another encoding all is recorded; warnings end nothing."""
    train(tmp_path, store_path, before=STREAMS[kind], inside="os._exit(0) if run.finish() else None")

    check(store_path)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_commands_need_no_stream(redirection, tmp_path, store_path):
    """`runs` and `doctor` end without a traceback where a stream is closed or full."""
    train(tmp_path, store_path)
    for name in ("runs", "doctor"):
        line = f"{sys.executable} {COMMAND} {name} --store {store_path} {redirection}"
        done = subprocess.run(
            ["sh", "-c", line], env=environment(), cwd=tmp_path, capture_output=True, check=False, timeout=120
        )
        assert b"Traceback" not in done.stderr + done.stdout
        assert done.returncode in {0, 1, 3, 120}


def test_a_working_directory_that_is_gone_is_no_obstacle(tmp_path, store_path):
    """A run starts in a folder that somebody has deleted, and with a store elsewhere."""
    (gone := tmp_path / "gone").mkdir()
    before = f"os.chdir({str(gone)!r}); os.rmdir({str(gone)!r})"

    train(tmp_path, store_path, before=before)

    check(store_path)


root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root may take such things away")


def in_a_namespace(*mounts):
    """Return the beginning of a command that runs with file systems of its own, or skip."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    line = "; ".join(["set -e", *mounts, 'exec "$@"'])
    prefix = ["unshare", "--mount", "--propagation", "private", "sh", "-c", line, "sh"]
    done = subprocess.run([*prefix, "true"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")
    return prefix


MOUNTS = {
    "no /proc": ["mount -t tmpfs none /proc"],
    "no /proc and no /sys": ["mount -t tmpfs none /proc", "mount -t tmpfs none /sys"],
    "a full TMPDIR": [
        "mount -t tmpfs -o size=4k none /mnt",
        "cat /dev/zero > /mnt/full 2>/dev/null || true",
        "export TMPDIR=/mnt",
    ],
    "a TMPDIR that can only be read": ["mount -t tmpfs -o ro none /mnt", "export TMPDIR=/mnt"],
    "no passwd": ["mount --bind /dev/null /etc/passwd", "export HOME="],
    "no host name": ["mount --bind /dev/null /etc/hosts"],
}


@root_only
@pytest.mark.parametrize("kind", MOUNTS)
def test_no_file_of_the_system_is_needed(kind, tmp_path, store_path):
    """Without /proc, /sys, room for temporary files or a user's entry all is recorded, system metrics apart."""
    prefix = in_a_namespace(*MOUNTS[kind])
    err = train(
        tmp_path, store_path, prefix=prefix, system_metrics_s=0.1, inside="import time; time.sleep(0.5)"
    )
    assert "FileNotFoundError" not in err

    check(store_path)
    for name in ("runs", "doctor"):
        command = [*prefix, sys.executable, COMMAND, name, "--store", store_path]
        done = subprocess.run(
            command, env=environment(), cwd=tmp_path, capture_output=True, check=False, timeout=120
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode(errors="replace")


@root_only
def test_without_proc_a_run_that_is_killed_is_read_whole_and_lost(tmp_path, store_path):
    """Who a process is can be told without /proc: a live one is left alone, a dead one's journal is merged."""
    prefix = in_a_namespace("mount -t tmpfs none /proc")
    (reader := tmp_path / "look.py").write_text(
        f"import otel_experiments as ox\nr, = ox.runs(store={str(store_path)!r})\nprint(r.state, r.metrics['loss'].count)\n"
    )
    look = f"import subprocess; os.write(1, subprocess.run([sys.executable, {str(reader)!r}], capture_output=True).stdout)"
    (script := tmp_path / "live.py").write_text(
        TRAIN.format(before="", inside=f"{look}; os.kill(os.getpid(), 9)", system_metrics_s=0.0),
        encoding="utf-8",
    )
    done = subprocess.run(
        [*prefix, sys.executable, script, store_path],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == -9, done.stderr
    assert done.stdout.split() == ["running", "100"], done.stderr
    done = subprocess.run(
        [*prefix, sys.executable, "-W", "error::UserWarning", reader],
        env=environment(), cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.split() == ["lost", "100"], done.stderr


@root_only
def test_a_user_without_a_name_records(tmp_path, public_folder):
    """A user id that no file knows, as containers are given, records and reads."""
    before = """
import ctypes, psutil, otel_experiments as ox
ox.configure(store=":memory:")
with ox.start_run("warm") as run: run.log({"loss": 1.0})
ox.shutdown()
os.setgroups([]); os.setgid(54399); os.setuid(54399)
"""
    train(tmp_path, public_folder / "x.db", before=before)

    check(public_folder / "x.db")
