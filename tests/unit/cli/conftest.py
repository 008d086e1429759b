"""The command line run in this process, at 80 columns and without a terminal."""

import json

import pytest
from click.testing import CliRunner

from otel_experiments.cli.root import root


class Terminal:
    """Runs commands against one store; keeps nothing between two of them."""

    def __init__(self, store):
        self.store = store

    def run(self, *arguments, typed=None, **environment):
        """Return the result of `otel-experiments ARGUMENTS --store STORE`."""
        env = {"COLUMNS": "80", "OTEL_EXPERIMENTS_STORE": str(self.store), "NO_COLOR": None, **environment}
        return CliRunner().invoke(root, list(arguments), input=typed, env=env, prog_name="otel-experiments")

    def text(self, *arguments, **environment):
        """Return what the command prints; it has to succeed."""
        result = self.run(*arguments, **environment)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        return result.stdout

    def json(self, *arguments):
        """Return what the command prints with `--json`, strictly read."""

        def refuse(name):
            raise AssertionError(name)

        return json.loads(self.text(*arguments, "--json"), parse_constant=refuse)


@pytest.fixture
def terminal(jobs_path):
    """Return the command line over the six runs."""
    return Terminal(jobs_path)


@pytest.fixture
def empty_terminal(tmp_path):
    """Return the command line over a store that does not exist."""
    return Terminal(tmp_path / "none.db")
