"""Aliases of stored artifacts: set, moved and taken away, also by two processes at once and beside a running training."""

import subprocess
import sys

import pytest

import otel_experiments as ox
from otel_experiments.errors import ArtifactAliasError, ArtifactNotFoundError, ConfigurationError
from otel_experiments.model.artifact import AliasSet, ArtifactLogged
from otel_experiments.model.batch import WriteBatch
from otel_experiments.store import open_store

RUN = "a" * 32
FIRST, SECOND = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


@pytest.fixture
def path(tmp_path):
    """A store with two versions of a model, and an image."""
    path = tmp_path / "experiments.db"
    logged = [
        ArtifactLogged(RUN, "digits", "model", FIRST, 1),
        ArtifactLogged(RUN, "digits", "model", SECOND, 2),
        ArtifactLogged(RUN, "digits", "img", f"sha256:{'3' * 64}", 3, role="media"),
    ]
    with open_store(path) as store:
        store.apply(WriteBatch(artifacts=logged))
    return path


def test_an_alias_is_set_moved_and_taken_away(path):
    """Each report says where it pointed before, and where it points now."""
    first = ox.set_alias("model:v0", "best", store=path)
    assert (first.before, first.now, first.version, first.is_done) == (None, FIRST, 0, True)
    assert ox.artifact("model:best", store=path).version == 0

    moved = ox.set_alias("model", "best", store=path)
    assert (moved.before, moved.now, moved.version, moved.is_done) == (FIRST, SECOND, 1, True)
    assert ox.artifact("model:v0", store=path).aliases == ()

    gone = ox.remove_alias("model", "best", store=path)
    assert (gone.before, gone.now, gone.version, gone.is_done) == (SECOND, None, None, True)
    with pytest.raises(ArtifactNotFoundError):
        ox.artifact("model:best", store=path)
    assert ox.remove_alias("model", "best", store=path).before is None


@pytest.mark.parametrize("alias", ["latest", "v3", "a/b", "a:b", "", " ", "\0", "x" * 10_000])
def test_what_nothing_can_be_called_is_refused(path, alias):
    """`latest` and versions move by themselves; a name that could not be typed is none."""
    with pytest.raises(ArtifactAliasError) as caught:
        ox.set_alias("model", alias, store=path)
    with pytest.raises(ArtifactAliasError):
        ox.remove_alias("model", alias, store=path)
    assert len(str(caught.value)) < 500


def test_media_have_no_aliases(path):
    """An image that is found by its digest is no artifact with versions."""
    with pytest.raises(ArtifactAliasError, match="media have no aliases"):
        ox.set_alias("33333333", "best", store=path)


def test_an_artifact_that_is_not_there_gets_no_alias(path):
    """The error names the nearest, and nothing is written."""
    with pytest.raises(ArtifactNotFoundError, match="Did you mean"):
        ox.set_alias("modle", "best", store=path)
    with open_store(path, read_only=True) as store:
        assert store.sql("select count(*) from artifact_aliases")[1] == [(0,)]


def test_an_alias_that_was_set_later_elsewhere_stays(path):
    """A process whose clock is ahead has set it: the report says that it points elsewhere."""
    with open_store(path) as store:
        ahead = AliasSet("digits", "model", "best", SECOND, 2**62, RUN)
        store.apply(WriteBatch(artifact_aliases=[ahead]))

    report = ox.set_alias("model:v0", "best", store=path)

    assert (report.now, report.version, report.is_done) == (SECOND, 1, False)


def test_two_processes_that_set_an_alias_at_once_are_both_told_the_truth(path):
    """Ten times each: at the end it points where the last of them set it, and none of them fails."""
    code = """
import sys
import otel_experiments as ox
sys.stdin.read(1)
for _ in range(10):
    report = ox.set_alias(f"model:{sys.argv[2]}", "best", store=sys.argv[1])
    assert report.is_done or report.version != int(sys.argv[2][1:]), report
print(report.version)
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path), version],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for version in ("v0", "v1")
    ]  # fmt: skip
    ends = [child.communicate("g", timeout=120) for child in children]

    assert [stderr for _, stderr in ends] == ["", ""]
    now = ox.artifact("model:best", store=path).version
    assert now in {int(stdout) for stdout, _ in ends}


def test_an_alias_is_set_while_this_process_records(tmp_path, path):
    """Beside a running training, in its own store: the run goes on, and readers see the alias at once."""
    ox.configure(store=path, system_metrics_s=0.0, capture_git=False)
    try:
        with ox.start_run("train", experiment="digits") as run:
            run.log({"loss": 1.0}, step=0)
            assert ox.set_alias("model:v0", "best").is_done
            run.log({"loss": 0.5}, step=1)
            assert ox.artifact("model:best").version == 0
    finally:
        ox.shutdown()
    assert ox.run("train", store=path).metrics["loss"].count == 2


def test_a_store_on_a_network_filesystem_takes_no_alias(path, monkeypatch):
    """There the journals are the truth; the error says what to do."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_NETWORK_FILESYSTEM", "true")

    with pytest.raises(ConfigurationError, match="network filesystem"):
        ox.set_alias("model", "best", store=path)
