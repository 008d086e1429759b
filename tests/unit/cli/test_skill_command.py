"""`otel-experiments skill`: the file that says to coding agents how to use the product."""

import re

import pytest
import yaml
from click.testing import CliRunner

from otel_experiments.cli.root import root


def run(*arguments):
    """Run the command; return its exit code, what it printed and what it complained of."""
    answer = CliRunner().invoke(root, ["skill", *arguments])
    return answer.exit_code, answer.stdout, answer.stderr


def test_the_skill_has_a_name_and_a_description():
    """Agents choose a skill by the front matter, which has a bounded length."""
    code, text, _ = run()
    front = yaml.safe_load(re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)[1])

    assert code == 0
    assert front["name"] == "otel-experiments"
    assert 50 < len(front["description"]) <= 1024
    assert len(text.splitlines()) < 500


def test_it_is_installed_where_agents_look(tmp_path):
    """Below a folder of skills, made where it is missing; an older file is replaced."""
    folder = tmp_path / ".claude" / "skills"
    path = folder / "otel-experiments" / "SKILL.md"
    path.parent.mkdir(parents=True)
    path.write_text("older")

    code, told, _ = run("--install", str(folder))

    assert (code, told) == (0, f"Wrote {path}.\n")
    assert path.read_text(encoding="utf-8") == run()[1]
    assert [one.name for one in path.parent.iterdir()] == ["SKILL.md"]


@pytest.mark.parametrize("in_the_way", ["skills", "skills/otel-experiments"])
def test_where_it_cannot_be_written_is_said(tmp_path, in_the_way):
    """A file in the place of a folder: exit code 2 and a text, no traceback."""
    (tmp_path / in_the_way).parent.mkdir(exist_ok=True)
    (tmp_path / in_the_way).write_text("a file")

    code, _, told = run("--install", str(tmp_path / "skills"))

    assert code == 2
    assert "The skill cannot be written" in told
    assert "--install DIR" in told
