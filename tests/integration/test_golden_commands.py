"""`otel-experiments golden ...` on real programs: each command, each exit code, each form of report."""

import json
import os
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from otel_experiments.goldens.files import load_golden, save_golden

PROGRAM = """
import os, sys
import otel_experiments as ox

RATE = 0.1
bad = float(os.environ.get("BAD", "0"))
with ox.start_run("mlp", config={"lr": RATE}) as run:
    for epoch in run.epochs(2):
        for step in run.steps(range(3), spans=True):
            with run.stage("forward"):
                pass
            run.log({"loss": 1 / (1 + 3 * epoch + step) + bad}, step=3 * epoch + step)
sys.exit(int(os.environ.get("CODE", "0")))
"""
RUN = ["--", sys.executable, "train.py"]


class Shell:
    """A folder with a training script, and the command line in it."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "train.py").write_text(PROGRAM)

    def golden(self, *arguments, typed="", **environment):
        """Run `otel-experiments golden ARGUMENTS`; returns the finished process."""
        env = {**os.environ, "COLUMNS": "120", "PYTHONDONTWRITEBYTECODE": "1", **environment}
        script = "from otel_experiments.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", script, "golden", *arguments],
            cwd=self.folder, env=env, input=typed, capture_output=True, text=True, timeout=100, check=False,
        )  # fmt: skip

    def change(self, before="RATE = 0.1", after="RATE = 0.5"):
        """Change the training script."""
        path = self.folder / "train.py"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after))

    def files(self):
        """Return the golden files."""
        folder = self.folder / "golden"
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture
def shell(tmp_path):
    """Return a folder without goldens."""
    return Shell(tmp_path)


@pytest.fixture
def kept(shell):
    """Return a folder with the golden `train`."""
    answer = shell.golden("capture", "train", "--runs", "2", *RUN)
    assert answer.returncode == 0, answer.stderr
    return shell


def test_capture_and_compare_an_equal_program(kept):
    """A captured golden accepts the same program; nothing but the golden and its times is written."""
    before = kept.files()

    answer = kept.golden("compare", "train", "--timing", "off", *RUN)

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout.startswith("golden matches: golden/train.otg")
    assert kept.files() == before == ["train.otg", "train.otg.stats"]
    assert not (kept.folder / "experiments.db").exists()


def test_a_change_is_code_1_and_its_report_names_it(kept):
    """A changed parameter fails with the span, the key and both values, and the command that accepts it."""
    kept.change()

    answer = kept.golden("compare", "train", "--timing", "off", *RUN)

    assert answer.returncode == 1
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith("FAIL")]
    assert line.split()[1] == "attr"
    assert "lr: 0.1 -> 0.5" in line
    assert "accept: otel-experiments golden update train -- " in answer.stdout


def test_a_slower_stage_is_accepted_with_its_times(shell):
    """Where only times failed, the command at the report's end is the one that takes them."""
    shell.change("                pass", "                sum(range(1_000_000))")
    assert shell.golden("capture", "train", "--runs", "5", *RUN).returncode == 0
    times = shell.folder / "golden" / "train.otg.stats"
    before = times.read_text()
    shell.change("range(1_000_000)", "range(5_000_000)")

    answer = shell.golden("compare", "train", "--confirm", "2", *RUN)

    assert (answer.returncode, "running the command once more" in answer.stderr) == (1, True)
    assert re.search(r"FAIL +slower +run default/epoch/step/stage forward ", answer.stdout), answer.stdout
    assert "accept: otel-experiments golden update train --timing -- " in answer.stdout
    assert shell.golden("update", "train", "--timing", *RUN).returncode == 0
    assert times.read_text() != before


SLOW_ONCE = """
                work = 160 if os.path.exists("slow") else 1  # a millisecond: whatever else runs makes it no slowdown
                sum(range(work * 50_000))
                if os.path.exists("once") and os.path.exists("slow"):
                    os.remove("slow")
"""


def test_times_alone_are_confirmed_by_more_runs(shell):
    """A run that was slow by luck passes once another was recorded; a program that is slow fails in all three."""
    shell.change("                pass\n", SLOW_ONCE)
    shell.change("for epoch in run.epochs(2):", "for epoch in run.epochs(1):")
    shell.change("range(3), spans=True", "range(1), spans=True")
    assert shell.golden("capture", "train", "--runs", "5", *RUN).returncode == 0
    told = "Only times differ; running the command once more to confirm it."

    (shell.folder / "slow").touch()
    slow = shell.golden("compare", "train", *RUN)
    (shell.folder / "once").touch()
    lucky = shell.golden("compare", "train", *RUN)
    (shell.folder / "slow").touch()
    hasty = shell.golden("compare", "train", "--confirm", "1", *RUN)

    assert (slow.returncode, slow.stderr.count(told)) == (1, 2), slow.stdout
    assert "3 candidates" in slow.stdout.splitlines()[0]
    assert "times alone failed in fewer, so 3 runs were recorded" in slow.stdout
    assert (lucky.returncode, lucky.stderr.count(told) in {1, 2}) == (0, True), lucky.stdout
    assert (hasty.returncode, hasty.stderr) == (1, ""), hasty.stdout


def test_a_metric_may_have_a_target_instead_of_values(kept):
    """With a target, losses that differ pass while they reach it at the same step, and fail where they do later."""
    kept.change("1 / (1 + 3 * epoch + step)", "1 / (1.001 + 3 * epoch + step)")
    reached = kept.golden("compare", "train", "--timing", "off", "--target", "loss<0.4", *RUN)
    refused = kept.golden("compare", "train", "--timing", "off", "--target", "loss", *RUN)
    kept.change("1 / (1.001 + 3 * epoch + step)", "2 / (1 + 3 * epoch + step)")
    later = kept.golden("compare", "train", "--timing", "off", "--target", "loss<0.4", *RUN)

    assert reached.returncode == 0, reached.stdout
    assert (refused.returncode, "--target 'loss<0.1'" in refused.stderr) == (5, True), refused.stderr
    assert (later.returncode, "converged-later" in later.stdout) == (1, True), later.stdout


def test_what_fails_by_itself_is_not_run_again(kept):
    """A changed parameter needs no more runs."""
    kept.change()

    answer = kept.golden("compare", "train", *RUN)

    assert (answer.returncode, answer.stderr) == (1, "")
    assert "1 candidate" in answer.stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "text"),
    [
        (["compare", "nothing", *RUN], {}, 2, "No golden at 'golden/nothing.otg'"),
        (["compare", "train", *RUN], {"CODE": "7"}, 4, "ended with exit code 7"),
        (["compare", "train", "--", sys.executable, "-c", "pass"], {}, 4, "no spans"),
        (["compare", "train", "no-such-program-or-run"], {}, 4, "No store"),
        (["compare", "train"], {}, 5, "Give either"),
        (["compare", "train", "--rtol", "loss", *RUN], {}, 5, "METRIC=NUMBER"),
        (["compare", "train", "--colour", *RUN], {}, 5, "--colour"),
        (["what"], {}, 5, "what"),
        (["capture", "train", *RUN], {}, 5, "is there already"),
        (["update", "train", *RUN], {"CI": "true"}, 5, "never written in CI"),
        (["capture", "nan", *RUN], {"BAD": "nan"}, 4, "allow_nonfinite"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else None,
)  # fmt: skip
def test_every_refusal_has_its_exit_code(kept, arguments, environment, code, text):
    """What cannot be compared is said on stderr with the documented code, and no file changes."""
    before = {name: (kept.folder / "golden" / name).read_bytes() for name in kept.files()}

    answer = kept.golden(*arguments, **environment)

    assert (answer.returncode, answer.stdout) == (code, ""), answer.stderr
    assert text in answer.stderr
    assert {name: (kept.folder / "golden" / name).read_bytes() for name in kept.files()} == before


def test_a_conflicted_golden_is_code_3(kept):
    """Conflict markers are named with their line."""
    path = kept.folder / "golden" / "train.otg"
    path.write_text(path.read_text().replace("runs 2\n", "<<<<<<< a\nruns 2\n=======\nruns 3\n>>>>>>> b\n"))

    answer = kept.golden("compare", "train", *RUN)

    assert answer.returncode == 3
    assert "golden/train.otg:7" in answer.stderr


def test_a_run_that_may_not_be_decided_is_code_6(kept):
    """With --require-decision a check that could not have seen a slowdown does not pass."""
    answer = kept.golden("compare", "train", "--require-decision", "--timing", "advisory", *RUN)

    assert answer.returncode in {0, 6}
    assert ("inconclusive" in answer.stdout) == (answer.returncode == 6)


def test_runs_that_differ_make_no_golden_without_a_reason(shell):
    """Runs of different structure are shown and refused; with a reason they become variants."""
    script = shell.folder / "train.py"
    script.write_text(PROGRAM.replace("run.epochs(2)", "run.epochs(2 + (os.getppid() + os.getpid()) * 0 + flip)").replace(
        "bad =", "flip = 1 if os.path.exists('flag') else 0\nopen('flag', 'w').close()\nbad ="))  # fmt: skip

    refused = shell.golden("capture", "train", "--runs", "2", *RUN)
    (shell.folder / "flag").unlink()
    accepted = shell.golden("capture", "train", "--runs", "2", "--reason", "a flag decides", *RUN)

    assert (refused.returncode, "count" in refused.stderr) == (4, True), refused.stderr
    assert "do 2 different things" in refused.stderr
    assert accepted.returncode == 0, accepted.stderr
    assert '"a flag decides"' in (shell.folder / "golden" / "train.otg").read_text()


def test_a_variant_is_accepted_in_its_environment_only(kept):
    """What a program does on another device is a variant there: the golden's own behaviour is not, and stays."""
    path = kept.folder / "golden" / "train.otg"
    golden = load_golden(path)
    save_golden(path, replace(golden, environment={**golden.environment, "device": "cuda"}))
    of_cuda = path.read_text().splitlines()
    kept.change("run.epochs(2)", "run.epochs(3)")

    unexplained = kept.golden("capture", "train", "--variant", "cpu", *RUN)
    added = kept.golden("capture", "train", "--variant", "cpu", "--reason", "one epoch more, no tuning", *RUN)
    same = kept.golden("compare", "train", "--timing", "off", *RUN)
    kept.change("run.epochs(3)", "run.epochs(2)")
    other = kept.golden("compare", "train", "--timing", "off", *RUN)

    assert (unexplained.returncode, "has no reason" in unexplained.stderr) == (5, True)
    assert added.returncode == 0, added.stderr
    assert 'variant cpu runs=1 device=cpu "one epoch more, no tuning"' in path.read_text()
    assert set(of_cuda[:-1]) < set(path.read_text().splitlines())
    assert same.returncode == 0, same.stdout
    assert (other.returncode, "count" in other.stdout) == (1, True), other.stdout

    updated = kept.golden("update", "train", *RUN)
    after = load_golden(path)

    assert updated.returncode == 0, updated.stderr
    assert after.environment["device"] == "cuda"
    assert [(one.name, one.environment, one.reason) for one in after.variants] == [
        ("", {}, ""),
        ("cpu", {"device": "cpu"}, "one epoch more, no tuning"),
    ]
    assert kept.golden("compare", "train", "--timing", "off", *RUN).returncode == 0


def test_a_variant_needs_another_environment(kept):
    """In the golden's own environment a change is accepted by an update, not as a variant beside it."""
    answer = kept.golden("capture", "train", "--variant", "more", "--reason", "why not", *RUN)

    assert (answer.returncode, "environment of the golden itself" in answer.stderr) == (5, True)


@pytest.mark.parametrize("form", ["text", "json", "junit", "md", "html", "github"])
def test_every_form_of_report_names_the_change(kept, form, tmp_path):
    """Each form is well made and holds the finding; GitHub's also fills the step summary."""
    kept.change()
    summary = tmp_path / "summary.md"

    answer = kept.golden(
        "compare", "train", "--timing", "off", "--format", form, *RUN, GITHUB_STEP_SUMMARY=str(summary)
    )

    assert answer.returncode == 1
    assert "ml.hyperparameter.lr" in answer.stdout
    match form:
        case "json":
            report = json.loads(answer.stdout)
            assert (report["schema_version"], report["exit_code"]) == (1, 1)
        case "junit":
            assert ET.fromstring(answer.stdout).attrib["failures"] == "1"
        case "html":
            assert answer.stdout.startswith("<!doctype html>") or answer.stdout.startswith("<!DOCTYPE html>")
        case "github":
            assert answer.stdout.startswith("::error file=golden/train.otg,line=")
            assert "ml.hyperparameter.lr" in summary.read_text()
    assert summary.exists() == (form == "github")


def test_the_report_goes_into_a_file_and_a_folder(kept):
    """-o writes the report, --report all forms of it; a finding of the JSON report is explained."""
    kept.change()

    answer = kept.golden(
        "compare",
        "train",
        "--timing",
        "off",
        "-o",
        "out.json",
        "--format",
        "json",
        "--report",
        "reports",
        *RUN,
    )
    explained = kept.golden("explain", "out.json", "--finding", "1")

    assert (answer.returncode, answer.stdout) == (1, "")
    assert sorted(path.suffix for path in (kept.folder / "reports").iterdir()) == [
        ".html",
        ".json",
        ".md",
        ".xml",
    ]
    assert explained.returncode == 0, explained.stderr
    assert "An attribute that is configuration has another value." in explained.stdout
    assert "golden     0.1" in explained.stdout
    assert kept.golden("explain", "out.json", "--finding", "99").returncode == 5
    assert kept.golden("explain", "train.py").returncode == 5


def test_update_changes_the_lines_of_the_change(kept):
    """An update takes the new behaviour with as many runs as before, and the program passes again."""
    path = kept.folder / "golden" / "train.otg"
    before = path.read_text().splitlines()
    kept.change()

    answer = kept.golden("update", "train", *RUN)

    after = path.read_text().splitlines()
    assert answer.returncode == 0, answer.stderr
    assert len([1 for old, new in zip(before, after, strict=True) if old != new]) == 2
    assert kept.golden("compare", "train", "--timing", "off", *RUN).returncode == 0


def test_the_same_runs_captured_twice_give_the_same_bytes(kept):
    """A golden made again from the same stored runs is byte-identical."""
    env = {"OTEL_EXPERIMENTS_STORE": "runs.db", "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0"}
    subprocess.run([sys.executable, "train.py"], cwd=kept.folder, env=os.environ | env, check=True)

    for name in ("a", "b"):
        answer = kept.golden("capture", name, "--from", "runs.db")
        assert answer.returncode == 0, answer.stderr

    for suffix in (".otg", ".otg.stats"):
        assert (kept.folder / "golden" / f"a{suffix}").read_bytes() == (
            kept.folder / "golden" / f"b{suffix}"
        ).read_bytes()


def test_stored_runs_and_files_are_sources(kept):
    """A golden from a command accepts the same program's stored run, by name and by id, and its exported spans."""
    env = os.environ | {"OTEL_EXPERIMENTS_STORE": "runs.db", "OTEL_EXPERIMENTS_SYSTEM_METRICS": "0"}
    subprocess.run([sys.executable, "train.py"], cwd=kept.folder, env=env, check=True)

    by_name = kept.golden("compare", "train", "mlp", "--store", "runs.db", "--timing", "off")
    by_store = kept.golden("compare", "train", "runs.db", "--timing", "off")
    shown = kept.golden("show", "mlp", "--store", "runs.db")

    assert (by_name.returncode, by_store.returncode) == (0, 0), by_name.stdout + by_name.stderr
    assert shown.stdout.startswith("otg 1\npolicy structural\n")


def test_pending_goldens_are_reviewed(kept):
    """Accept, reject, skip, show whole: what waits is decided one by one, or all at once, or listed."""
    text = (kept.folder / "golden" / "train.otg").read_text()
    pending = kept.folder / "golden" / "train.otg.new"
    pending.write_text(text)

    listed = kept.golden("review", "--list")
    skipped = kept.golden("review", typed="w\ns\n")
    rejected = kept.golden("review", typed="r\n")
    nothing = kept.golden("review")
    pending.write_text(text)
    accepted = kept.golden("review", "--accept")

    assert "train.otg.new" in listed.stdout
    assert skipped.stdout.endswith("0 accepted, 0 rejected, 1 left.\n"), skipped.stdout + skipped.stderr
    assert "otg 1" in skipped.stdout
    assert rejected.stdout.endswith("0 accepted, 1 rejected, 0 left.\n")
    assert nothing.stdout == "Nothing waits for review.\n"
    assert accepted.stdout == "1 accepted, 0 rejected, 0 left.\n"
    assert not pending.exists()
    pending.write_text("no golden")
    assert kept.golden("review", "--accept").returncode == 3
    assert pending.exists()
    assert kept.golden("review", "--accept", CI="1").returncode == 5


def test_goldens_are_listed_upgraded_and_pruned(kept):
    """Ls tells state and size, upgrade leaves the present format alone, prune deletes what lost its golden."""
    folder = kept.folder / "golden"
    (folder / "gone.otg.stats").write_text("{}")
    (folder / "broken.otg").write_text("nonsense")
    (folder / "next.otg.new").write_text("otg 1\n")

    listed = json.loads(kept.golden("ls", "--json").stdout)
    upgraded = kept.golden("upgrade", "train")
    tried = kept.golden("prune", "--dry-run")
    pruned = kept.golden("prune")

    states = {row["path"]: row["state"] for row in listed["goldens"]}
    assert states["golden/train.otg"] == "accepted"
    assert states["golden/next.otg"] == "pending"
    assert states["golden/broken.otg"].startswith("invalid: ")
    assert next(row["spans"] for row in listed["goldens"] if row["path"] == "golden/train.otg") == 15
    assert upgraded.stdout == "0 of 1 goldens rewritten.\n"
    assert "1 leftover found" in tried.stdout
    assert "1 leftover removed" in pruned.stdout
    assert not (folder / "gone.otg.stats").exists()
    assert (folder / "train.otg.stats").exists()
    assert "train.otg" in kept.golden("ls").stdout


def test_calibrating_tells_what_varies(shell):
    """Runs that differ in a number fail each other; the report says which metric and what would mend it."""
    script = shell.folder / "train.py"
    script.write_text(
        PROGRAM.replace("bad =", "import random\nbad = random.random() if 'VARY' in os.environ else")
    )

    steady = shell.golden("calibrate", "--runs", "3", "--timing", "off", *RUN)
    varying = shell.golden("calibrate", "--runs", "3", "--timing", "off", "--json", *RUN, VARY="1")

    assert steady.returncode == 0, steady.stderr + steady.stdout
    assert steady.stdout.startswith("0 of 3 equal runs failed")
    report = json.loads(varying.stdout)
    assert (varying.returncode, report["false_alarms"] > 0) == (1, True)
    assert {cause["group"] for cause in report["causes"]} == {"numbers"}
    assert (report["proposals"][0].split("   ")[0], report["remaining"]) == ("--volatile loss", 0)


BETWEEN_THE_FIRST_RUNS = """import pathlib, random
count = pathlib.Path("count.txt")
number = int(count.read_text()) if count.exists() else 0
count.write_text(str(number + 1))
bad = [0.0, 0.001, 0.0005][min(number, 2)]"""
"""What varies at random may leave what three runs have shown; this varies, and no later run leaves it."""


def test_what_calibrating_proposes_works_when_it_is_typed(shell):
    """The options it prints, given to capture and compare, make the program pass its own golden again and again."""
    script = shell.folder / "train.py"
    script.write_text(
        PROGRAM.replace("bad =", f"{BETWEEN_THE_FIRST_RUNS} #").replace(
            "run.log({", 'run.set_tag("x", "y"); run.log({"a jitter": random.random(), "step_time": random.random(), '
        ).replace('run.stage("forward")', 'run.stage("forward", nonce=random.randrange(10**9))')
    )  # fmt: skip

    report = json.loads(shell.golden("calibrate", "--runs", "3", "--timing", "off", "--json", *RUN).stdout)
    typed = [shlex.split(proposal.split("   ")[0]) for proposal in report["proposals"]]
    rules = [word for words in typed if words[0] != "--rtol" for word in words]
    tolerances = [word for words in typed if words[0] == "--rtol" for word in words]
    captured = shell.golden("capture", "train", "--runs", "2", *rules, *RUN)
    compared = shell.golden("compare", "train", "--timing", "off", *tolerances, *RUN)

    assert report["false_alarms"] == 3
    assert {tuple(words[:1]) for words in typed} == {("--volatile",), ("--rtol",)}
    assert captured.returncode == 0, captured.stderr
    assert compared.returncode == 0, compared.stdout


def test_rules_that_match_nothing_are_said_at_capture(shell):
    """A misspelt name is said when the golden is made, with the one that is there."""
    made = shell.golden("capture", "train", "--volatile", "los", "--volatile", "loss", *RUN)

    assert made.returncode == 0
    assert made.stderr.splitlines() == [
        "rule-unused: volatile los: no attribute or metric has this name; there is 'loss'"
    ]
