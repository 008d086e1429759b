"""What a run's resource says about where it ran."""

import subprocess

import pytest

import otel_experiments as ox
from otel_experiments.record.environment import distributed_attributes, git_attributes, without_credentials
from otel_experiments.semconv import attributes as attr


@pytest.fixture
def checkout(tmp_path):
    """Return a git checkout with one commit, made by git itself, and its revision."""

    def git(*arguments):
        command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    git("init", "-q", "-b", "topic/one")
    (tmp_path / "train.py").write_text("pass")
    git("add", ".")
    git("commit", "-qm", "first")
    git("remote", "add", "origin", "https://user:secret@host.example/team/repo.git")
    return tmp_path, git


def test_the_checkout_is_read_without_running_git(checkout):
    """Revision, branch and remote come from the files; credentials stay out."""
    folder, git = checkout
    (folder / "deep" / "er").mkdir(parents=True)

    found = git_attributes(folder / "deep" / "er")

    assert found == {
        attr.VCS_REF_HEAD_REVISION: git("rev-parse", "HEAD"),
        attr.VCS_REF_HEAD_NAME: "topic/one",
        attr.VCS_REF_HEAD_TYPE: "branch",
        attr.VCS_REPOSITORY_URL_FULL: "https://host.example/team/repo.git",
    }


def test_packed_refs_worktrees_and_detached_heads_are_read(checkout, tmp_path_factory):
    """All the forms that a checkout's HEAD takes lead to the revision."""
    folder, git = checkout
    revision = git("rev-parse", "HEAD")
    git("pack-refs", "--all")
    assert git_attributes(folder)[attr.VCS_REF_HEAD_REVISION] == revision

    tree = tmp_path_factory.mktemp("tree") / "work"
    git("worktree", "add", "-q", str(tree), "-b", "other")
    found = git_attributes(tree)
    assert (found[attr.VCS_REF_HEAD_REVISION], found[attr.VCS_REF_HEAD_NAME]) == (revision, "other")

    git("checkout", "-q", "--detach")
    found = git_attributes(folder)
    assert found[attr.VCS_REF_HEAD_REVISION] == revision
    assert attr.VCS_REF_HEAD_NAME not in found


def test_a_folder_outside_of_git_and_a_broken_checkout_say_nothing(tmp_path):
    """Nothing is found, nothing is raised."""
    assert git_attributes(tmp_path) == {}
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_bytes(b"\xff\xfe")
    assert git_attributes(tmp_path) == {}


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:token@host/x.git", "https://host/x.git"),
        ("git@host:team/x.git", "git@host:team/x.git"),
        ("/srv/x.git", "/srv/x.git"),
    ],
)
def test_credentials_never_leave_a_url(url, shown):
    """User and password go; what needs none stays as it is."""
    assert without_credentials(url) == shown


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"RANK": "3", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}, (3, 1, 4)),
        ({"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NTASKS": "2"}, (0, 0, 2)),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_LOCAL_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"},
            (1, 1, 2),
        ),
        ({"RANK": "0", "WORLD_SIZE": "1"}, None),
        ({"RANK": "x", "WORLD_SIZE": "4"}, None),
        ({}, None),
    ],
    ids=["torchrun", "slurm", "openmpi", "alone", "nonsense", "nothing"],
)
def test_ranks_come_from_the_launcher(environ, expected):
    """torchrun, SLURM and Open MPI say which rank this is; a world of one has none."""
    found = distributed_attributes(environ)

    names = (attr.ML_DISTRIBUTED_RANK, attr.ML_DISTRIBUTED_LOCAL_RANK, attr.ML_DISTRIBUTED_WORLD_SIZE)
    assert found == ({} if expected is None else dict(zip(names, expected, strict=True)))


def test_standard_variables_name_the_service(configure, monkeypatch):
    """OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES are on every run; our own identity is beside them."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "vision")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab,host.name=mine")
    configure()
    with ox.start_run("r", experiment="e") as run:
        pass

    resource = ox.run("r").resource
    assert (resource[attr.SERVICE_NAME], resource["deployment.environment.name"]) == ("vision", "lab")
    assert (resource[attr.ML_RUN_ID], resource[attr.ML_EXPERIMENT_NAME]) == (run.id, "e")
    assert resource[attr.HOST_NAME] == "mine"


def test_without_a_name_the_project_is_the_folder(configure, tmp_path):
    """`unknown_service` helps nobody."""
    configure()
    with ox.start_run("r"):
        pass

    assert ox.run("r").resource[attr.SERVICE_NAME] == tmp_path.name
