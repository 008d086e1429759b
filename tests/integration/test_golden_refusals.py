"""`otel-experiments golden ...` where something is in the way: no traceback, a code of its own, nothing overwritten."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import os, sys, time
from pathlib import Path
import otel_experiments as ox

if os.environ.get("WAIT"):
    Path("started").write_text(str(os.getpid()))  # pipes: both wait for the test
    Path("go").read_text()
with ox.start_run("mlp", experiment="digits", config={"lr": float(os.environ.get("RATE", "0.1"))}) as run:
    for step in range(int(os.environ.get("STEPS", "3"))):
        with run.stage(f"stage {step}"):
            pass
    run.log({"loss": float(os.environ.get("LOSS", "0.5"))}, step=0)
"""
RUN = ["--", sys.executable, "train.py"]
SCRIPT = "from otel_experiments.cli import main; main()"


class Shell:
    """A folder with a training script and the golden `train`, and the command line in it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "train.py").write_text(PROGRAM)
        self._waiting = []

    def start(self, *arguments, **environment):
        """Start `otel-experiments golden ARGUMENTS`."""
        env = {key: value for key, value in os.environ.items() if key != "CI"} | environment
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "golden", *arguments], cwd=self.folder, env=env,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def start_waiting(self, *arguments, **environment):
        """Start `otel-experiments golden ARGUMENTS`, whose program now runs and waits for `go`; also its pid."""
        for pipe in ("started", "go"):
            os.mkfifo(self.folder / pipe)
        process = self.start(*arguments, WAIT="yes", **environment)
        pid = int(self.read("started"))
        self._waiting.append((process, pid))
        return process, pid

    def end(self):
        """Kill what a failing test left waiting."""
        for process, pid in self._waiting:
            if process.poll() is None:
                process.kill()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                process.communicate()

    def golden(self, *arguments, **environment):
        """Run `otel-experiments golden ARGUMENTS`; returns exit code, stdout and stderr, which has no traceback."""
        process = self.start(*arguments, **environment)
        out, err = process.communicate(timeout=100)
        assert "Traceback" not in err
        return process.returncode, out, err

    def read(self, name="golden/train.otg"):
        """Return the text of a file."""
        return (self.folder / name).read_text(encoding="utf-8")

    def write(self, name, text):
        """Write a file."""
        (self.folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def shell(tmp_path):
    """Return a folder with the golden `train`."""
    made = Shell(tmp_path)
    code, _, err = made.golden("capture", "train", *RUN)
    assert code == 0, err
    yield made
    made.end()


@pytest.mark.parametrize("arguments", [[], ["--nothing"], ["nothing"], ["compare", "--nothing"]])
def test_a_wrong_command_line_is_code_5(tmp_path, arguments):
    """2 means that a golden is missing, so no mistake in the command line may end with it."""
    assert Shell(tmp_path).golden(*arguments)[0] == 5


@pytest.mark.parametrize("name", ["", ".", "..", "/", "models/", "models/..", ".otg"])
def test_a_name_that_names_no_file_is_refused_before_the_command_runs(tmp_path, name):
    """An empty variable of a script does not become a hidden file, at the root of the machine at the worst."""
    code, _, err = Shell(tmp_path).golden("capture", name, *RUN, WAIT="never")

    assert code == 5
    assert "it names no file" in err
    assert [path.name for path in tmp_path.iterdir()] == ["train.py"]


def test_a_folder_that_takes_no_files_is_told_before_the_command_runs(shell):
    """Hours of training are not lost to a place that cannot be written; the code is not that of a change."""
    code, _, err = shell.golden("capture", "new", "--dir", "train.py/deep", *RUN, WAIT="never")

    assert code == 5
    assert "train.py' cannot be used: Not a directory" in err


@pytest.mark.parametrize("option", ["--output", "--report"])
def test_a_report_that_cannot_be_written_is_code_5_and_names_the_place(shell, option):
    """A full or read-only disk does not look like changed behaviour, which is 1."""
    code, _, err = shell.golden("compare", "train", "--timing", "off", option, "train.py/report", *RUN)

    assert code == 5
    assert "train.py" in err
    assert "cannot be used" in err


def test_a_reader_that_has_gone_does_not_turn_a_change_into_a_pass(shell):
    """`golden compare ... | head` in a script with pipefail still fails where the golden does not fit."""
    shell.golden("capture", "big", *RUN, STEPS="1000")
    process = shell.start(
        "compare", "big", "--timing", "off", "--format", "html", *RUN, STEPS="1000", RATE="0.2"
    )
    process.stdout.close()

    with process.stderr as stderr:
        assert stderr.read() == ""
    assert process.wait(timeout=100) == 1


def test_a_file_that_is_no_text_is_no_report(shell):
    """`explain` of a binary file says so."""
    (shell.folder / "report.json").write_bytes(b"\x7fELF\xd0\xff")

    code, _, err = shell.golden("explain", "report.json")

    assert code == 5
    assert "'report.json' cannot be used: it is no JSON" in err


def test_json_that_is_nested_too_deep_is_no_candidate(shell):
    """A file of telemetry that would exhaust the stack is refused as any other that is no OTLP."""
    shell.write("deep.json", '{"resourceSpans":' + "[" * 100_000)

    code, _, err = shell.golden("compare", "train", "deep.json")

    assert code == 4
    assert "deep.json: its JSON is nested too deep" in err


def test_a_golden_as_candidate_is_refused_for_what_it_is(shell):
    """The text says what to give, not that a golden is no protobuf."""
    code, _, err = shell.golden("compare", "train", "golden/train.otg")

    assert code == 5
    assert "a golden can be no candidate" in err


def test_a_run_that_the_command_did_not_record_is_told_with_those_it_did(shell):
    """`--select` of a name there is not lists the names, and no temporary store that is gone already."""
    code, _, err = shell.golden("compare", "train", "--select", "nope", *RUN)

    assert code == 5
    assert "recorded no run of this name or id, but 'mlp'" in err
    assert "otel-experiments-golden-" not in err


def test_nan_is_refused_with_the_option_that_allows_it(shell):
    """The text names the option of the command line that was used."""
    code, _, err = shell.golden("capture", "nan", *RUN, LOSS="nan")

    assert code == 4
    assert "--allow-nonfinite" in err
    assert shell.golden("capture", "nan", "--allow-nonfinite", *RUN, LOSS="nan")[0] == 0


def test_of_two_captures_of_one_name_the_second_is_refused(shell):
    """A golden that appears while the command runs is not written over."""
    second, _ = shell.start_waiting("capture", "race", *RUN, RATE="0.7")
    assert shell.golden("capture", "race", *RUN)[0] == 0
    files = [shell.read("golden/race.otg"), shell.read("golden/race.otg.stats")]
    shell.write("go", "on")

    _, err = second.communicate(timeout=100)

    assert second.returncode == 5
    assert "race.otg is there already" in err
    assert [shell.read("golden/race.otg"), shell.read("golden/race.otg.stats")] == files
    assert sorted(path.name for path in (shell.folder / "golden").glob(".*")) == []


def test_ctrl_c_leaves_the_golden_as_it_was(shell):
    """An update that is interrupted ends with 130 and says that goldens are whole."""
    before = shell.read()
    process, _ = shell.start_waiting("update", "train", *RUN, RATE="0.7")

    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=100)

    assert process.returncode == 130
    assert err.endswith("Interrupted. No golden is half written.\n")
    assert shell.read() == before


def test_an_edited_golden_is_updated_or_sealed_as_its_error_says(shell):
    """What the text of the error proposes works: `update`, and `upgrade` of a golden that is named."""
    edited = shell.read().replace("policy structural", "policy strict")
    shell.write("golden/train.otg", edited)
    code, _, err = shell.golden("compare", "train", "--timing", "off", *RUN)
    assert code == 3
    assert "golden upgrade golden/train.otg" in err
    assert shell.golden("upgrade")[0] == 3  # all goldens: none is sealed that nobody named

    assert shell.golden("upgrade", "golden/train.otg")[:2] == (
        0, "golden/train.otg: rewritten\n1 of 1 goldens rewritten.\n",
    )  # fmt: skip
    _, out, _ = shell.golden("compare", "train", "--timing", "off", *RUN)
    assert "policy strict" in out

    shell.write("golden/train.otg", edited)
    assert shell.golden("update", "train", *RUN)[0] == 0
    assert "policy strict" in shell.golden("compare", "train", "--timing", "off", *RUN)[1]


@pytest.mark.parametrize(("text", "found"), [("<<<<<<< HEAD\n", "conflict markers"), ("", "it is empty")])
def test_a_golden_that_cannot_be_read_is_deleted_and_captured_as_its_error_says(shell, text, found):
    """The text proposes what works: `update` would refuse the file for the same reason."""
    shell.write("golden/train.otg", text)
    code, _, err = shell.golden("update", "train", *RUN)
    assert code == 3
    assert found in err
    assert "delete it and record it again" in err

    (shell.folder / "golden" / "train.otg").unlink()

    assert shell.golden("capture", "train", *RUN)[0] == 0


def test_goldens_are_listed_by_name_beside_a_long_reason(shell):
    """What is wrong with a golden gives way on a narrow terminal, not what it is called."""
    shell.write("golden/one_with_a_long_name.otg", "no golden " * 20)

    code, out, _ = shell.golden("ls", COLUMNS="80")

    assert code == 0
    assert "golden/one_with_a_long_name.otg " in out


def test_reports_of_goldens_of_one_name_do_not_overwrite_each_other(shell):
    """Two goldens called `train` in two folders leave two reports in one; each is replaced by its own next one."""
    shell.golden("capture", "other/train.otg", *RUN)
    for _ in range(2):
        for golden in ("golden/train.otg", "other/train.otg"):
            code, _, _ = shell.golden(
                "compare", golden, "--timing", "off", "--report", "report", *RUN, RATE="0.2"
            )
            assert code == 1

    reports = sorted(Path(shell.folder, "report").glob("*.json"))

    assert len(reports) == 2
    assert {json.loads(path.read_text())["golden"]["name"] for path in reports} == {
        "golden/train.otg", "other/train.otg",
    }  # fmt: skip


def test_exported_spans_keep_the_library_that_made_them(shell):
    """A golden's own run, written by `export spans`, differs in nothing but the metrics, which are not in it."""
    subprocess.run([sys.executable, "train.py"], cwd=shell.folder, check=True)
    exported = [sys.executable, "-c", SCRIPT, "export", "spans", "-o", "spans.jsonl"]
    subprocess.run(exported, cwd=shell.folder, check=True, capture_output=True)

    _, out, _ = shell.golden("compare", "train", "spans.jsonl", "--timing", "off", "--format", "json")

    assert {finding["code"] for finding in json.loads(out)["findings"]} == {"metric-removed"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("x = = 3", "it is no TOML"),
        ("[tool.otel-experiments]\ngolden = 3", "it is no list of tables"),
        ("[tool.otel-experiments.golden]\nignore = ['run']", "it is no list of tables"),
    ],
)
def test_a_project_file_that_cannot_be_read_is_told_before_the_command_runs(shell, text, found):
    """A mistake in pyproject.toml is a setting (5), not a change (1), and costs no training."""
    shell.write("pyproject.toml", text)

    code, _, err = shell.golden("compare", "train", *RUN, WAIT="never")

    assert code == 5
    assert found in err


@pytest.mark.parametrize(
    ("before", "after"),
    [("at 0", "at 0..99999999999999999999"), ("  0 0.5", "  0 half"), ("runs 1\n", "runs many\n")],
)
def test_an_edited_golden_that_is_not_understood_is_refused(shell, before, after):
    """Sealing an edit takes what can be read, and refuses the rest with the code of an invalid golden."""
    text = shell.read()
    assert before in text
    shell.write("golden/train.otg", text.replace(before, after))

    code, _, err = shell.golden("upgrade", "train")

    assert code == 3
    assert "cannot be used" in err


@pytest.mark.parametrize("damage", [{"findings": None}, {"policy": 3}, {"golden": {}}])
def test_a_report_that_was_changed_is_refused(shell, damage):
    """`explain` of a report that lacks something says so."""
    _, out, _ = shell.golden("compare", "train", "--timing", "off", "--format", "json", *RUN, RATE="0.2")
    shell.write("report.json", json.dumps(json.loads(out) | damage))

    code, _, err = shell.golden("explain", "report.json")

    assert code == 5
    assert "it was changed" in err


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": [{"resource": {"attributes": [{"key": 7}]}}]},
        {"resourceSpans": [{"scopeSpans": [{"scope": {"attributes": [{"key": []}]}, "spans": []}]}]},
        {"resourceSpans": [{"scopeSpans": [{"spans": [{
            "traceId": "1" * 32, "spanId": "1" * 16, "startTimeUnixNano": 1e999,
        }]}]}]},
    ],
)  # fmt: skip
def test_telemetry_of_another_shape_is_no_candidate(shell, document):
    """JSON that is nearly OTLP ends with 4 and the file's name."""
    shell.write("spans.json", json.dumps(document))

    code, _, err = shell.golden("compare", "train", "spans.json")

    assert code == 4
    assert "spans.json (line 1): OTLP/JSON: " in err


@pytest.mark.parametrize("patient", [False, True], ids=["dies of it", "writes a checkpoint first"])
def test_sigterm_ends_the_command_too_and_leaves_nothing(shell, tmp_path_factory, patient):
    """What a CI system or `timeout` ends does not leave a training alone, nor a store in the temporary folder."""
    temporary = tmp_path_factory.mktemp("temporary")
    handler = (
        "lambda *_: (time.sleep(0.5), Path('checkpoint').touch(), os._exit(0))"
        if patient
        else "signal.SIG_DFL"
    )
    shell.write(
        "train.py",
        f"import signal\n{PROGRAM}".replace(
            'if os.environ.get("WAIT")',
            f"signal.signal(signal.SIGTERM, {handler})\nif os.environ.get('WAIT')",
        ),
    )
    before = shell.read()

    process, pid = shell.start_waiting("update", "train", *RUN, TMPDIR=str(temporary))
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=30)

    assert (process.returncode, "Traceback" in err) == (143, False), err
    assert not Path(f"/proc/{pid}").exists()
    assert (shell.folder / "checkpoint").exists() == patient
    assert list(temporary.iterdir()) == []
    assert shell.read() == before
