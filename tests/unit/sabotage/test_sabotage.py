"""Breaking a checkout on purpose: what is printed, what counts, and what is left as it was."""

import dataclasses
import shutil
from pathlib import Path, PurePosixPath

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
BOUNDARY = "size.py is_large | return size > 10 => return size >= 10"
WITHIN = ("--within", "otel_experiments/room/size.py")


def test_what_no_test_notices_is_printed_with_its_place_and_change(checkout):
    """A boundary without a test survives, is shown by file, line and difference, and fails the run."""
    result = checkout.sabotage(*WITHIN)

    assert result.returncode == 1
    assert "survived  otel_experiments/room/size.py:6  comparison" in result.stdout
    assert "          - return size > 10\n          + return size >= 10\n" in result.stdout
    assert "caught    otel_experiments/room/size.py:13  +/-" in result.stdout
    assert "1 survived (at most 0)" in result.stdout
    assert BOUNDARY in result.stdout


def test_a_bound_on_survivors_is_kept(checkout):
    """As many as --most names may survive."""
    result = checkout.sabotage(*WITHIN, "--most", "1")

    assert result.returncode == 0, result.stdout + result.stderr


def test_a_survivor_that_is_explained_does_not_count(checkout):
    """A reason in the file takes a mutant out."""
    checkout.write("tests/sabotage_explained.txt", f"# Why\n{BOUNDARY}\n    No size is 10.\n")

    result = checkout.sabotage(*WITHIN)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "1 explained" in result.stdout


def test_an_explanation_of_code_that_is_gone_is_an_error(checkout):
    """An entry whose line is no longer there is named, before anything is run."""
    checkout.write(
        "tests/sabotage_explained.txt", "size.py is_large | return a > 1 => return a >= 1\n    Old.\n"
    )

    result = checkout.sabotage(*WITHIN)

    assert result.returncode == 1
    assert "code that is gone" in result.stdout
    assert "return a > 1 => return a >= 1" in result.stdout


def test_every_explanation_of_this_checkout_is_of_code_that_is_there(tool):
    """The file that explains survivors follows the code: an entry goes with its line."""
    reasons = tool["explained"].read_explained(ROOT / "tests/sabotage_explained.txt")

    assert tool["explained"].stale_entries(ROOT, reasons) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{BOUNDARY}\n", "write the reason"),
        (f"{BOUNDARY}\n  Why.\n{BOUNDARY}\n  Why.\n", "stands twice"),
        ("  Why.\n", "no entry above it"),
    ],
)
def test_each_explanation_is_an_entry_and_a_reason(tool, tmp_path, text, expected):
    """A file of explanations that lacks one of the two is refused."""
    path = tmp_path / "explained.txt"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(tool["explained"].ExplainedError, match=expected):
        tool["explained"].read_explained(path)


def test_the_checkout_is_never_changed(checkout):
    """The breaks are made in a copy, which takes with it what is not committed yet."""
    checkout.write("tests/unit/room/test_boundary.py", "from otel_experiments.room.size import is_large\n\n\n"
                   "def test_boundary():\n    assert not is_large(10)\n")  # fmt: skip
    before = checkout.git("status", "--porcelain")

    result = checkout.sabotage(*WITHIN)

    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 survived" in result.stdout
    assert checkout.git("status", "--porcelain") == before
    assert not [
        path for path in checkout.root.rglob("*.pyc") if ".ci" not in path.parts
    ]  # the tool may have its own


def test_a_test_that_fails_without_a_change_is_left_out(checkout):
    """It is named, and does not count as one that notices."""
    checkout.write("tests/unit/room/test_broken.py", "from otel_experiments.room.size import is_large\n\n\n"
                   "def test_broken():\n    assert is_large(1)\n")  # fmt: skip

    result = checkout.sabotage(*WITHIN)

    assert "fail without a change:\n  tests/unit/room/test_broken.py::test_broken" in result.stdout
    assert "1 survived" in result.stdout


def test_lines_that_no_test_reaches_are_listed_apart(checkout):
    """They are shown, since a test may reach them in a process that is not traced."""
    checkout.write("otel_experiments/room/alone.py", "def small(size):\n    return size < 3\n")

    result = checkout.sabotage("--within", "otel_experiments/room/alone.py")

    assert result.returncode == 0
    assert "unreached otel_experiments/room/alone.py:2" in result.stdout
    assert "3 on lines that no test near them reaches" in result.stdout


def test_a_mutant_that_hangs_is_caught(checkout, tool, tmp_path):
    """Tests that do not come to an end have noticed."""
    checkout.write(
        "otel_experiments/room/size.py", "def count(n):\n    while n > 0:\n        n -= 1\n    return n\n"
    )
    checkout.write("tests/unit/room/test_size.py", "from otel_experiments.room.size import count\n\n\n"
                   "def test_count():\n    assert count(3) == 0\n")  # fmt: skip
    (tmp_path / "work").mkdir()
    copy = dataclasses.replace(tool["trial"].Copy.of(checkout.root, tmp_path / "work/0"), start_s=4)
    path = PurePosixPath("otel_experiments/room/size.py")
    mutants = tool["mutant"].mutants_of(path, (checkout.root / path).read_text(encoding="utf-8"))
    endless = next(mutant for mutant in mutants if mutant.after == "n += 1")

    outcome = copy.tried(endless, ["tests/unit/room/test_size.py::test_count"], expected_s=0)

    assert outcome is tool["trial"].Outcome.CAUGHT
    assert (copy.folder / path).read_text(encoding="utf-8") == (checkout.root / path).read_text(
        encoding="utf-8"
    )


def test_only_lines_that_a_branch_changes_are_broken(checkout, tool):
    """On a branch the lines since it left the main one count, committed or not, and no test or generated file."""
    checkout.git("checkout", "--quiet", "-b", "branch")
    text = (checkout.root / "otel_experiments/room/size.py").read_text(encoding="utf-8")
    checkout.write("otel_experiments/room/size.py", text.replace("found = 0", "found = 0 + 0"))
    checkout.write("otel_experiments/semconv/names.py", "X = 1\n")
    checkout.write("tests/unit/room/test_more.py", "X = 1\n")
    checkout.commit()
    checkout.write("otel_experiments/room/new.py", "X = 1\n")
    checkout.git("add", "--intent-to-add", "otel_experiments/room/new.py")
    change = tool["change"]

    base = change.branch_point(checkout.root)

    assert change.changed_lines(checkout.root, base) == {
        PurePosixPath("otel_experiments/room/size.py"): {11},
        PurePosixPath("otel_experiments/room/new.py"): {1},
    }


def test_on_the_main_branch_the_newest_commits_are_the_change(checkout):
    """A fresh clone has no branch to compare with: commits are taken until there are enough lines."""
    checkout.write("otel_experiments/room/new.py", "X = 1\n")
    checkout.commit()

    few = checkout.sabotage("--sample", "1", "--most", "9")
    more = checkout.sabotage("--sample", "2", "--most", "9")

    assert "1 of 1 mutants of the lines of the newest 1 commits" in few.stdout
    assert "of the lines of the newest 2 commits" in more.stdout


def test_a_shallow_clone_is_enough(checkout, tmp_path):
    """Where the history ends, all lines belong to the change, and some are drawn; the same ones again next time."""
    checkout.write("otel_experiments/room/new.py", "X = 1\n")
    checkout.commit()
    shallow = type(checkout)(tmp_path / "shallow")
    checkout.git("clone", "--quiet", "--depth", "1", f"file://{checkout.root}", str(shallow.root))

    first, again = (shallow.sabotage("--sample", "3", "--most", "9", "--jobs", "1") for _ in range(2))

    assert first.returncode == 0, first.stdout + first.stderr
    assert "3 of" in first.stdout

    def places(result):
        return [line for line in result.stdout.splitlines() if "otel_experiments/" in line]

    assert places(first) == places(again)


def test_an_unknown_revision_or_module_is_named(checkout):
    """What git or the tree does not know is said, with exit code 2."""
    revision = checkout.sabotage("--base", "nowhere")
    module = checkout.sabotage("--within", "otel_experiments/nothing.py")

    assert revision.returncode == module.returncode == 2
    assert "nowhere" in revision.stderr
    assert "otel_experiments/nothing.py is no module" in module.stderr


def test_tests_of_a_module_are_nearer_than_others(checkout, tool):
    """Tests that import a module come first, then those of its folder or with its names; the rest is left out."""
    shutil.move(
        checkout.root / "tests/unit/room/test_size.py", checkout.root / "tests/unit/room/test_first.py"
    )
    checkout.write("tests/unit/room/test_door.py", "import otel_experiments\n")
    checkout.write("tests/integration/test_names.py", "import otel_experiments as ox\nox.total([1])\n")
    checkout.write("tests/unit/other/test_far.py", "import otel_experiments\n")
    checkout.write("tests/unit/other/test_user.py", "from otel_experiments.user import f\n")
    checkout.write("otel_experiments/user.py", "from otel_experiments.room.size import total as f\n")

    near = (
        tool["nearness"]
        .Nearness(checkout.root, ("tests/unit", "tests/integration"), "otel_experiments")
        .near([PurePosixPath("otel_experiments/room/size.py")])
    )

    assert [path.stem for path in near] == ["test_first", "test_door", "test_names", "test_user"]
