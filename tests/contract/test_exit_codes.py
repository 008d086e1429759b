"""The exit codes: one table for each group, and the pages and help texts that must agree with it."""

import re
from pathlib import Path

import click
import pytest

import otel_experiments
from otel_experiments import errors
from otel_experiments.cli.exit import GOLDEN_MEANINGS, MEANINGS, ExitCode, exit_code_of, golden_exit_code_of
from otel_experiments.cli.golden.group import command as golden
from otel_experiments.cli.root import root
from otel_experiments.errors import GoldenExitCode

PAGES = Path(otel_experiments.__file__).parent.parent / "docs" / "reference"
GOLDEN_ERRORS = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.GoldenError)
]


def test_the_numbers_never_change():
    """Scripts and CI depend on them: a number is added, and none is changed or used again."""
    assert [(code.name, int(code)) for code in ExitCode] == [
        ("OK", 0),
        ("UNEXPECTED", 1),
        ("USAGE", 2),
        ("STORE", 3),
        ("NOT_FOUND", 4),
        ("QUERY", 5),
        ("MISSING_PACKAGE", 6),
        ("MISSING_TOOL", 7),
        ("NOT_SENT", 8),
        ("NOT_ALL", 9),
        ("INTERRUPTED", 130),
    ]
    assert [(code.name, int(code)) for code in GoldenExitCode] == [
        ("EQUAL", 0),
        ("CHANGED", 1),
        ("MISSING", 2),
        ("INVALID", 3),
        ("NO_CANDIDATE", 4),
        ("CONFIGURATION", 5),
        ("UNDECIDED", 6),
    ]


@pytest.mark.parametrize(
    ("page", "head", "meanings"),
    [("cli.md", "code", MEANINGS), ("golden.md", "exit code", GOLDEN_MEANINGS)],
    ids=["cli", "golden"],
)
def test_the_reference_page_says_what_each_code_means(page, head, meanings):
    """Who looks up a code finds it on the page of its group, with its meaning."""
    text = (PAGES / page).read_text(encoding="utf-8")
    table = text.partition(f"| {head} | means |\n")[2].partition("\n\n")[0]
    rows = [
        (int(code), meaning) for code, meaning in re.findall(r"^\| (\d+) \| (.+) \|$", table, re.MULTILINE)
    ]

    assert rows == [(int(code), meaning.text) for code, meaning in meanings.items()]


def test_help_lists_each_code():
    """The help of a group ends with its codes."""
    assert root.epilog == (
        "Exit codes: 0 done, 1 unexpected, 2 usage, 3 store, 4 not found, 5 query, 6 missing package, "
        "7 missing program, 8 not sent, 9 not all read or written, 130 interrupted."
    )
    assert golden.epilog == (
        "Exit codes: 0 equal, 1 changed, 2 golden missing, 3 golden invalid, 4 command failed or no whole candidate, "
        "5 usage or configuration, 6 not decided (with --require-decision)."
    )


@pytest.mark.parametrize("group", [root, golden], ids=["root", "golden"])
def test_every_command_of_a_table_is_there(group):
    """A command that help lists can be run."""
    context = click.Context(group)

    assert [group.get_command(context, name).name for name in group.list_commands(context)]


@pytest.mark.parametrize("kind", GOLDEN_ERRORS)
def test_every_golden_error_carries_a_code_of_golden_checks(kind):
    """The command line and the pytest plugin show the same number for an error."""
    assert isinstance(kind.exit_code, GoldenExitCode)


@pytest.mark.parametrize(
    ("error", "code", "golden_code"),
    [
        (errors.StoreNotFoundError(path="x"), ExitCode.STORE, GoldenExitCode.NO_CANDIDATE),
        (errors.MissingToolError(tool="a", purpose="b", install="c"), ExitCode.MISSING_TOOL, GoldenExitCode.CONFIGURATION),
        (errors.JournalError("x"), ExitCode.STORE, GoldenExitCode.NO_CANDIDATE),
        (errors.NoActiveRunError(action="log"), ExitCode.NOT_FOUND, GoldenExitCode.NO_CANDIDATE),
        (errors.GoldenMissingError(path="x", update="y"), ExitCode.UNEXPECTED, GoldenExitCode.MISSING),
        (errors.TelemetryDecodeError(source="x", found="y"), ExitCode.NOT_ALL, GoldenExitCode.NO_CANDIDATE),
    ],
)  # fmt: skip
def test_an_error_has_the_code_of_its_group(error, code, golden_code):
    """One error ends a reading command and a golden check each with what it means there."""
    assert (exit_code_of(error), golden_exit_code_of(error)) == (code, golden_code)
