"""Searches by where a run ran and by what it logged as artifacts."""

from __future__ import annotations

import pytest

from otel_experiments.model.artifact import AliasSet, ArtifactLogged
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.query.search.parser import parse_field
from otel_experiments.semconv import attributes as attr
from otel_experiments.store import open_store
from otel_experiments.store.semantics.run_facts import version_key

OLD, NEW = "a" * 32, "b" * 32


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def reader(request):
    """Two runs: an old one with Python 3.9, and a new one with 3.11 that logged two versions of a model."""
    store = open_store(request.param)
    batch = WriteBatch()
    for run_id, name, python, branch in ((OLD, "old", "3.9.18", "main"), (NEW, "new", "3.11.4", "lr")):
        resource = {
            attr.VCS_REF_HEAD_REVISION: run_id[:1] * 40,
            attr.VCS_REF_HEAD_NAME: branch,
            attr.PROCESS_RUNTIME_VERSION: python,
            attr.HOST_NAME: f"gpu-{name}",
            attr.PROCESS_COMMAND: "train.py",
            attr.PROCESS_COMMAND_ARGS: ["train.py", "--name", name],
        }
        batch.runs.append(Run(run_id, "e", name, RunState.SUCCEEDED, 1, resource=resource))
    for digit, time_ns, size in (("1", 1, 10), ("2", 2, 2000)):
        digest = f"sha256:{digit * 64}"
        batch.artifacts.append(
            ArtifactLogged(NEW, "e", "model", digest, time_ns, size_bytes=size, type="model")
        )
    batch.artifact_aliases.append(AliasSet("e", "model", "best", f"sha256:{'2' * 64}", 1))
    batch.artifact_aliases.append(AliasSet("e", "model", "worst", f"sha256:{'1' * 64}", 1))
    store.apply(batch)
    with Reader(store) as opened:
        yield opened


@pytest.mark.parametrize(
    "where",
    [
        'git.commit.startswith("bbbb")', 'git.branch == "lr"', 'environment.python >= "3.10"', 'host.endswith("new")',
        'command.contains("--name new")', 'artifacts["model"].size > 1024 * 1.5', 'artifacts["model"].size / 1000 == 2',
        'artifacts["model"].digest.startswith("sha256:22")', 'artifacts["model"].type == "model"',
        'artifacts["model"].aliases.contains("best")', '"latest" in artifacts["model"].aliases',
        'artifacts.contains("model")', 'not ("worst" in artifacts.model.aliases) and exists(artifacts.model)',
        "artifacts.count == 2",
    ],
)  # fmt: skip
def test_a_run_is_found_by_where_it_ran_and_what_it_logged(reader, where):
    """Git, Python, host, command and the last artifact of a name find the run that has them, in every store."""
    assert [run.name for run in reader.runs(where)] == ["new"]


def test_versions_of_python_sort_as_versions(reader):
    """Python 3.9 comes before 3.11, as an order and as a comparison."""
    assert [run.name for run in reader.runs(order="environment.python")] == ["old", "new"]
    assert [run.name for run in reader.runs('environment.python < "3.11"')] == ["old"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("git.branch", "lr"), ("command", "train.py --name new"), ("artifacts.model.size", 2000),
        ("artifacts.model.aliases", ["latest", "best"]), ("artifacts.other.size", None), ("git.repository", None),
    ],
)  # fmt: skip
def test_a_run_shows_what_a_search_compares(reader, field, value):
    """A column of a table of runs holds what the search for the same field looks at."""
    assert reader.run("new").value(parse_field(field)) == value


def test_versions_are_ordered_by_their_numbers():
    """Development versions come before the release, and ten after nine."""
    versions = [
        "1.0.dev1",
        "1.0a1",
        "1.0b2",
        "1.0rc2",
        "1.0rc10",
        "1.0",
        "1.0.1",
        "1.9",
        "1.10",
        "1.10.post1",
        "2",
    ]

    keys = [version_key(version) for version in versions]
    assert sorted(keys) == keys
    assert len(set(keys)) == len(keys)
    assert version_key("2.1.0+cu118") == version_key("v2.1")
    assert version_key("trunk") < version_key("0.1")
