"""What an agent may change, where it is allowed: tags, notes, names."""

import subprocess

import pytest
from mcp.shared.exceptions import MCPError

import otel_experiments as ox
from tests.integration.agents.conftest import COMMAND, connected


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A folder with two runs, and two of one name."""
    folder = tmp_path_factory.mktemp("edited")
    ox.configure(store=folder / "experiments.db")
    for name in ("base", "first", "twin", "twin"):
        with ox.start_run(name, tags={"old": "1"}):
            pass
    ox.shutdown()
    return folder


@pytest.fixture(scope="module")
def editor(store):
    """A client of a server that may edit."""
    with connected(store, "--allow-edits") as found:
        yield found


def test_nothing_is_changed_unless_it_is_allowed(store):
    """The tools are not there, and a call says how they come."""
    with connected(store) as agent:
        assert {name for name, tool in agent.tools().items() if not tool.annotations.read_only_hint} == set()
        with pytest.raises(MCPError, match="--allow-edits"):
            agent.call("tag_run", run="base", tags={"a": "b"})


def test_runs_are_tagged_noted_and_renamed(editor):
    """With --allow-edits; what was changed is in the answer, and in the store."""
    edits = {name for name, tool in editor.tools().items() if not tool.annotations.read_only_hint}
    tagged = editor.data("tag_run", run="first", tags={"team": "🦊", "old": None})
    editor.data("write_note", run="first", text="# First")
    noted = editor.data("write_note", run="first", text="More.", append=True)
    editor.data("rename_run", run="first", name="../better")
    found = editor.data("show_run", run="../better")

    assert edits == {"tag_run", "write_note", "rename_run"}
    assert tagged["tags"] == {"team": "🦊"}
    assert noted["note"] == found["page"]["note"] == "# First\n\nMore."
    assert found["page"]["tags"] == {"team": "🦊"}


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("tag_run", {"run": "twin", "tags": {"a": "b"}}, "twin"),
        ("tag_run", {"run": "nobody", "tags": {"a": "b"}}, "No run 'nobody'"),
        ("tag_run", {"run": "base", "tags": {"": "b"}}, "cannot be used"),
        ("tag_run", {"run": "base", "tags": {"a": 5}}, "an object of texts"),
        ("write_note", {"run": "base", "text": "x" * (2 << 20)}, "note"),
        ("rename_run", {"run": "base", "name": ""}, "cannot be used"),
    ],
)  # fmt: skip
def test_edits_that_cannot_be_are_refused(editor, tool, arguments, text):
    """A name that two runs have, a run that is not there, values that are none: nothing is changed."""
    assert text in editor.error(tool, **arguments)
    assert editor.data("search_runs", where="name == 'base' and tags.old == '1'")["total"] == 1


def test_a_store_that_is_only_read_is_said(store):
    """A bundle takes no edits, and the error says so."""
    subprocess.run([COMMAND, "bundle", "base", "-o", "one.oxb"], cwd=store, check=True, capture_output=True)
    with connected(store, "--allow-edits", "--store", "one.oxb") as agent:
        assert agent.data("search_runs")["total"] == 1
        assert "one.oxb" in agent.error("rename_run", run="base", name="other")
