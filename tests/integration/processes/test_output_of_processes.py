"""What processes of a run print is in it, however they end, and what they print elsewhere arrives as without us."""

import os
import resource
import signal
import subprocess
import sys

import pytest

import otel_experiments as ox

HEAD = """
import os, signal, subprocess, sys
import otel_experiments as ox
ox.configure(store="o.db", system_metrics_s=0)
"""


def play(folder, script, *, output="python", check=True):
    """Run a script as a user does; return what it printed."""
    environ = os.environ | {"OTEL_EXPERIMENTS_CAPTURE_OUTPUT": output}
    return subprocess.run(
        [sys.executable, "-c", HEAD + script],
        cwd=folder, env=environ, capture_output=True, text=True, errors="replace", timeout=120, check=check,
    )  # fmt: skip


def output_of(folder, name="a"):
    """Return the output of the run."""
    return ox.run(name, store=folder / "o.db").output


def test_a_printed_line_survives_sigkill(tmp_path):
    """When `print` has returned, SIGKILL loses nothing of the line."""
    script = "run = ox.start_run('a')\nfor n in range(1000): print(n)\nos.kill(os.getpid(), signal.SIGKILL)\n"

    played = play(tmp_path, script, check=False)

    assert played.returncode == -signal.SIGKILL
    assert output_of(tmp_path).text == "".join(f"{n}\n" for n in range(1000))


def test_a_forked_child_prints_into_the_run(tmp_path):
    """Lines of a forked child are in the run, with its process id, and what the parent had begun is not written twice."""
    script = """
with ox.start_run("a"):
    print("begun ", end="", flush=True)
    pid = os.fork()
    if not pid:
        print("by the child", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    print("and ended", flush=True)
"""
    play(tmp_path, script)

    lines = output_of(tmp_path).lines()
    assert sorted(line.text for line in lines) == ["begun and ended", "by the child"]
    assert len({line.pid for line in lines}) == 2


def test_a_spawned_worker_prints_into_the_run(tmp_path):
    """A process that joins the run has its lines in it."""
    script = """
with ox.start_run("a") as run:
    code = "import otel_experiments as ox\\nwith ox.join_run(): print('from the worker')"
    subprocess.run([sys.executable, "-c", code], env=os.environ | run.environment(), check=True)
"""
    play(tmp_path, script)

    assert output_of(tmp_path).text == "from the worker\n"


def test_the_end_of_the_program_is_in_the_run(tmp_path):
    """A run that nothing ends has the traceback that ended the program, and a last line without break."""
    script = "run = ox.start_run('a')\nprint('last', end='')\nraise ValueError('loss is NaN')\n"

    played = play(tmp_path, script, check=False)

    found = output_of(tmp_path)
    assert played.returncode == 1
    assert found.stdout == "last\n"
    assert "ValueError: loss is NaN" in found.stderr
    assert found.stderr.splitlines() == played.stderr.splitlines()


def test_another_stream_of_the_same_descriptor_is_copied_too(tmp_path):
    """A program that makes a stream of its own over standard output has its lines in the run, from the next look on."""
    script = """
from otel_experiments.record.output.streams import look_again
with ox.start_run("a"):
    sys.stdout = open(1, "w", closefd=False, encoding="latin-1")
    look_again()
    print("ü", flush=True)
    sys.stderr = open(os.devnull, "w")
    look_again()
    print("not standard error", file=sys.stderr)
"""
    play(tmp_path, script)

    assert output_of(tmp_path).text == "ü\n"


def test_the_descriptors_bring_the_output_of_children(tmp_path):
    """With `capture_output="fd"` what children and C code write is in the run, and it arrives where it went before."""
    script = """
with ox.start_run("a"):
    print("one", flush=True)
    subprocess.run(["echo", "two"], check=True)
    os.write(2, b"three\\n")
print("outside")
"""
    played = play(tmp_path, script, output="fd")

    assert (played.stdout, played.stderr) == ("one\ntwo\noutside\n", "three\n")
    found = output_of(tmp_path)
    assert (found.stdout, found.stderr) == ("one\ntwo\n", "three\n")


def test_what_is_written_last_before_a_crash_arrives(tmp_path):
    """With `capture_output="fd"` a program that is killed has all that it wrote, on its terminal and in the run."""
    script = (
        "run = ox.start_run('a')\nprint('last', flush=True)\nos.write(1, b'words')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    played = play(tmp_path, script, output="fd", check=False)

    assert played.returncode == -signal.SIGKILL
    assert played.stdout == "last\nwords"


def test_the_program_has_no_child_that_it_did_not_start(tmp_path):
    """The process that reads the descriptors is nobody's child: `os.wait` finds none."""
    script = """
with ox.start_run("a"):
    try:
        os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        print("no child", flush=True)
"""
    play(tmp_path, script, output="fd")

    assert output_of(tmp_path).text == "no child\n"


def test_a_reader_that_is_killed_ends_no_program(tmp_path):
    """When the process that reads the descriptors is killed, the program prints on, its children too, and all arrives."""
    script = """
import psutil
with ox.start_run("a") as run:
    print("recorded", flush=True)
    subprocess.run(["sh", "-c", "echo by a child"], check=True)
    child = subprocess.Popen(["sh", "-c", "read line; echo later by a child"], stdin=subprocess.PIPE)
    named = [(one, one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"])]
    (reader,) = [one for one, words in named if "otel_experiments._output_reader" in words[2:3] and str(os.getpid()) in words]
    reader.kill()
    psutil.wait_procs([reader], timeout=60)
    for n in range(20_000): print(n, flush=True)
    child.communicate(b"go on\\n")
    run.log({"loss": 1.0})
print("end", flush=True)
"""
    played = play(tmp_path, script, output="fd")

    expected = {"recorded", "by a child", "later by a child", "end", *map(str, range(20_000))}
    assert set(played.stdout.splitlines()) == expected
    assert ox.run("a", store=tmp_path / "o.db").metrics["loss"].last == 1.0


def test_a_run_in_memory_copies_the_streams_instead(tmp_path):
    """Where no other process could record, `capture_output="fd"` says so and copies what goes through Python."""
    script = """
ox.configure(store="memory://", capture_output="fd", system_metrics_s=0)
with ox.start_run("a") as run:
    print("one")
print(repr(str(ox.runs()[0].output)))
"""
    played = play(tmp_path, script)

    assert played.stdout == "one\n'one\\n'\n"
    assert "output of children is not recorded" in played.stderr


@pytest.mark.parametrize("output", ["python", "fd"])
def test_a_closed_stream_ends_no_program(tmp_path, output):
    """A program that closes its standard output and error goes on, and so does its run."""
    script = """
run = ox.start_run("a")
print("one", flush=True)
sys.stdout.close(); sys.stderr.close(); os.close(1); os.close(2)
run.log({"loss": 1.0})
run.finish()
"""
    played = play(tmp_path, script, output=output, check=False)

    run = ox.run("a", store=tmp_path / "o.db")
    assert played.stdout == "one\n"
    assert str(run.state) == "succeeded"
    assert run.metrics["loss"].last == 1.0
    assert run.output.text == "one\n"


def test_the_hundred_thousandth_line_blows_up_nothing(tmp_path):
    """A program that prints 200,000 lines keeps the first and the last of them, in few rows."""
    script = "with ox.start_run('a'):\n    for n in range(200_000): print('line', n, 'x' * 30)\n"
    play(tmp_path, script)

    found = output_of(tmp_path)
    assert found.lines()[0].text.startswith("line 0 ")
    assert found.lines()[-1].text.startswith("line 199999 ")
    assert found.left_out_count == 200_000 - len(found) > 0
    assert (tmp_path / "o.db").stat().st_size < 16 << 20


def test_descriptors_are_taken_where_a_thousand_files_are_open(tmp_path):
    """A program with many open files has its output in the run, however high the numbers of new descriptors are."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
    if most < 1200:
        pytest.skip(f"a process may have {most} open files here")
    script = f"""
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, ({most}, {hard}))
opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
with ox.start_run("a") as run:
    os.system("echo by a child")
print("after")
"""
    played = play(tmp_path, script, output="fd")

    assert (played.stdout, played.stderr) == ("by a child\nafter\n", "")
    assert output_of(tmp_path).text == "by a child\n"


@pytest.mark.parametrize("way", ["fd", "run"])
def test_output_that_is_no_utf_8_is_read_in_the_encoding_of_the_stream(tmp_path, way):
    """What a program prints in latin-1 is whole in the run, beside UTF-8 of its children, and what arrives is unchanged."""
    printed = (
        "print('caf\\xe9', flush=True)\nos.write(1, 'na\\xefve\\n'.encode())\nos.write(2, b'\\xff\\xfe\\n')\n"
    )
    environ = os.environ | {"PYTHONIOENCODING": "latin-1", "OTEL_EXPERIMENTS_CAPTURE_OUTPUT": "fd"}
    script = f"with ox.start_run('a'):\n    {printed.replace(chr(10), chr(10) + '    ')}pass\n"
    command = [sys.executable, "-c", HEAD + script]
    if way == "run":
        words = [
            "-c",
            "from otel_experiments.cli import main; main()",
            "run",
            "--store",
            "o.db",
            "--name",
            "a",
            "--",
        ]
        command = [sys.executable, *words, sys.executable, "-c", f"import os\n{printed}"]
    played = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, timeout=120, check=True)

    assert played.stdout == b"caf\xe9\nna\xc3\xafve\n"
    assert (output_of(tmp_path).stdout, output_of(tmp_path).stderr) == ("caf\xe9\nna\xefve\n", "\xff\xfe\n")


def test_bytes_of_no_encoding_are_counted(tmp_path):
    """What can be read in no way is U+FFFD, each byte of it, and counted with the run."""
    script = "with ox.start_run('a'):\n    os.write(1, b'\\xff\\xfe and \\xc3\\xa9\\n')\n"
    environ = os.environ | {"PYTHONIOENCODING": "utf-8", "OTEL_EXPERIMENTS_CAPTURE_OUTPUT": "fd"}
    subprocess.run(
        [sys.executable, "-c", HEAD + script], cwd=tmp_path, env=environ, capture_output=True, check=True
    )

    assert output_of(tmp_path).stdout == "\ufffd\ufffd and \xe9\n"
    losses = ox.run("a", store=tmp_path / "o.db").losses
    assert [(one.kind, one.name, one.count) for one in losses] == [("text changed", "stdout", 2)]
