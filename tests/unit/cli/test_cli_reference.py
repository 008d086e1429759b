"""docs/reference/cli.md and golden.md say what the command line does: every command, option and exit code."""

import re
from pathlib import Path

import click
import pytest

from otel_experiments.cli.root import root

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
CONTEXT = click.Context(root)
COMMANDS = root.list_commands(CONTEXT)
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*")

GOLDEN = root.get_command(CONTEXT, "golden")
GOLDEN_COMMANDS = GOLDEN.list_commands(CONTEXT)
GOLDEN_SECTION = re.search(
    r"^## On the command line\n(.*?)(?=^## )", (PAGE.parent / "golden.md").read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
)[1]  # fmt: skip
GOLDEN_ROWS = {row[1]: row[0] for row in re.finditer(r"^\| `([a-z]+)\b.*$", GOLDEN_SECTION, re.MULTILINE)}


def section(name):
    """Return the text below the heading of a command."""
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)[1]


def all_options(name):
    """Return the options of a command, and of the commands below it; those of golden have a page of their own."""
    command = root.get_command(CONTEXT, name)
    found = [command]
    if isinstance(command, click.Group) and name != "golden":
        found += [command.get_command(CONTEXT, below) for below in command.list_commands(CONTEXT)]
    return {
        option
        for one in found
        for param in one.params
        if isinstance(param, click.Option)
        for option in (*param.opts, *param.secondary_opts)
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_documented(name):
    """Each option and argument stands in the section of its command."""
    options = all_options(name)

    undocumented = {option for option in options - {"--store", "--json"} if f"`{option}" not in section(name) and f" {option} " not in section(name) and f"[{option}" not in section(name)}  # fmt: skip
    assert undocumented == set()
    assert ("--json" in options) == ("`--json`" in section(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_there_is_not(name):
    """Each option named in a section is one of the command's."""
    options = all_options(name)

    assert set(OPTION.findall(section(name))) <= options


def options_of(command):
    """Return the long options of a command."""
    return {
        option
        for one in command.params
        if isinstance(one, click.Option)
        for option in one.opts
        if option.startswith("--")
    }


def test_every_command_of_golden_has_its_row():
    """The commands stand in the table in the order in which help lists them."""
    assert list(GOLDEN_ROWS) == GOLDEN_COMMANDS


@pytest.mark.parametrize("name", GOLDEN_COMMANDS)
def test_every_option_of_a_golden_command_is_documented(name):
    """Each option is in the row of its command, or in the text below the table where several commands have it."""
    command = GOLDEN.get_command(CONTEXT, name)
    documented = set(OPTION.findall(GOLDEN_SECTION))

    assert options_of(command) - documented == set()


@pytest.mark.parametrize("name", GOLDEN_COMMANDS)
def test_no_option_of_golden_is_documented_that_there_is_not(name):
    """Each option named in a row is one of the command's."""
    command = GOLDEN.get_command(CONTEXT, name)

    assert set(OPTION.findall(GOLDEN_ROWS[name])) <= options_of(command)


def test_every_command_has_its_section():
    """The commands stand in the page in the order in which help lists them."""
    assert [name for name in re.findall(r"^## (\w+)$", TEXT, re.MULTILINE) if name in COMMANDS] == COMMANDS


def test_the_documented_keys_of_a_run_are_those_that_are_printed(terminal):
    """The table of keys and the printed object agree, in their order."""
    (run,) = terminal.json("runs", "--where", 'name == "mlp-a"')["runs"]
    table = section("runs").split("A RUN:")[1].split("A SERIES:")[0]
    series = section("runs").split("A SERIES:")[1]

    assert re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `"))) == list(run)  # fmt: skip
    assert [key for key in re.findall(r"`(\w+)`", series) if key in run["metrics"][0] and key not in {"min", "max"}] == [
        key for key in run["metrics"][0] if key not in {"min", "max"}
    ]  # fmt: skip
