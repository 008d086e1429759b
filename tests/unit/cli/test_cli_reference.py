"""docs/reference/cli.md says what the command line does: every command, option and exit code."""

import re
from pathlib import Path

import click
import pytest

from otel_experiments.cli.root import root

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"
TEXT = PAGE.read_text(encoding="utf-8")
CONTEXT = click.Context(root)
COMMANDS = root.list_commands(CONTEXT)


def section(name):
    """Return the text below the heading of a command."""
    return re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_documented(name):
    """Each option and argument stands in the section of its command."""
    command = root.get_command(CONTEXT, name)
    options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}

    undocumented = {option for option in options - {"--store", "--json"} if f"`{option}" not in section(name) and f" {option} " not in section(name) and f"[{option}" not in section(name)}  # fmt: skip
    assert undocumented == set()
    assert ("--json" in options) == ("`--json`" in section(name))


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_documented_that_there_is_not(name):
    """Each option named in a section is one of the command's."""
    command = root.get_command(CONTEXT, name)
    options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}

    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", section(name))) <= options


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
