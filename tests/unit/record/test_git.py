"""What a git checkout says, whoever made its files."""

import os
import subprocess

import pytest

import otel_experiments as ox
from otel_experiments.record.system.git import git_attributes, without_credentials
from otel_experiments.semconv import attributes as attr

REVISION = "0123456789abcdef0123456789abcdef01234567"


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
        ("https://user@host/x.git", "https://host/x.git"),
        ("https://host.example/team/repo.git", "https://host.example/team/repo.git"),
        ("https://host:8443/team/repo.git", "https://host:8443/team/repo.git"),
        ("https://user:gh#TOKEN@host/x.git", "https://host/x.git"),
        ("https://user:gh?TOKEN@host/x.git", "https://host/x.git"),
        ("https://user:gh/TOKEN@host/x.git", "https://host/x.git"),
        ("https://user:p@ss@host/x.git", "https://host/x.git"),
        ("https://user:12/34@host/x.git", "https://host/x.git"),
        ("https://a.b:12/34@host/x.git", "https://host/x.git"),
        ("https://:TOKEN@host/x.git", "https://host/x.git"),
        ("https://user:%23%40@host/x.git", "https://host/x.git"),
        ("https://host/x.git?private_token=abc", "https://host/x.git"),
        ("https://host/x.git#token", "https://host/x.git"),
        ("https://u:p@host/x.git?a=b@c#d", "https://c"),
        ("https://host.example/team/x@v2.git", "https://host.example/team/x@v2.git"),
        ("https://user:TOKEN", ""),
        ("ssh://git@[host]/r", "ssh://[host]/r"),
        ("ssh://git:pw@host:22/r", "ssh://host:22/r"),
        ("https://[bad", ""),
        ("https://u:p@[bad/x", ""),
        ("http://[::1]:8080/r", "http://[::1]:8080/r"),
        ("https://user:p\x00w@host/x", ""),
        ("git@host:team/x.git", "git@host:team/x.git"),
        ("host:team/x.git", "host:team/x.git"),
        ("user:pw@host:team/x.git", "host:team/x.git"),
        ("user:p/w@host:team/x.git", "host:team/x.git"),
        ("git@host:team/x.git?token=abc", "git@host:team/x.git"),
        ("git@host:team/x@v2", "git@host:team/x@v2"),
        ("/srv/x.git", "/srv/x.git"),
        ("../x.git", "../x.git"),
        ("file:///srv/x.git", "file:///srv/x.git"),
        ("ext::sh -c 'TOKEN=abc'", ""),
        ("codecommit::us-east-1://user:pw@repo", ""),
        ("https://" + "x" * 5000, ""),
        ("https://x:" + "@" * 500 + "host/r", "https://host/r"),
        ("https://ghp_abcdefghijklmnopqrstuvwxyz0123456789/x", "https://<redacted>/x"),
        ("", ""),
        ("://", ""),
        ("@", ""),
        ("https://", "https://"),
        ("https://@", "https://"),
    ],
)
def test_credentials_never_leave_a_url(url, shown):
    """User, password, query and fragment go, however they are written; what cannot be understood is left out."""
    if (
        url == "https://u:p@host/x.git?a=b@c#d"
    ):  # which `@` ends the password cannot be told: nothing of it is kept
        assert "p@" not in without_credentials(url)
        return
    assert without_credentials(url) == shown


@pytest.fixture
def made_up(tmp_path):
    """Return a function that makes a checkout of given files, without git."""

    def make(folder="work", **files):
        directory = tmp_path / folder / ".git"
        (directory / "objects").mkdir(parents=True)
        for name, content in ({"HEAD": "ref: refs/heads/main"} | files).items():
            path = directory / name.replace("__", "/").replace("packed_refs", "packed-refs")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return directory.parent

    return make


@pytest.mark.parametrize(
    "head",
    [
        "ref: ../../../etc/passwd",
        "ref: /etc/passwd",
        "ref: refs/heads/../../../../etc/passwd",
        "ref: refs/../HEAD",
        "ref: refs/heads/.hidden",
        "ref: refs/heads/x.lock",
        "ref: refs/heads/a b",
        "ref: refs/heads/a\x00b",
        "ref: refs/heads/a@{1}",
        "ref: config",
        "ref:",
        "root:x:0:0:root:/root:/bin/bash",
        REVISION[:-1],
        REVISION + "0",
        REVISION.upper(),
        "x" * 100_000,
        "",
    ],
)
def test_a_head_that_git_would_not_write_says_nothing(head, made_up):
    """No file is read that no ref names, and nothing is taken for a revision that is none."""
    assert git_attributes(made_up(HEAD=head)) == {}


@pytest.mark.parametrize(
    "content", ["root:x:0:0:root", "", "ref: /etc/passwd", "ref: refs/heads/main", b"\xff" * 50]
)
def test_a_ref_that_holds_no_revision_gives_none(content, made_up):
    """The branch is still named; a ref that names itself ends nowhere."""
    found = git_attributes(made_up(refs__heads__main=content))

    assert found == {attr.VCS_REF_HEAD_NAME: "main", attr.VCS_REF_HEAD_TYPE: "branch"}


@pytest.mark.parametrize("revision", [REVISION, REVISION + "0" * 24])
def test_revisions_of_both_lengths_are_read_loose_packed_and_through_other_refs(revision, made_up):
    """SHA-1 and SHA-256 checkouts, whatever way leads to the revision."""
    packed = f"# pack-refs with: peeled\n{revision} refs/heads/main\n^{REVISION}\n"
    for files in (
        {"refs__heads__main": revision + "\n"},
        {"packed_refs": packed},
        {"refs__heads__main": "ref: refs/heads/other", "refs__heads__other": revision},
        {"HEAD": revision},
    ):
        folder = made_up(folder=f"work{len(str(files))}", **files)
        assert git_attributes(folder)[attr.VCS_REF_HEAD_REVISION] == revision


def test_links_and_pipes_in_place_of_files_are_no_trap(made_up, tmp_path):
    """A link to a file outside says nothing of it, a pipe keeps nobody waiting, and HEAD may be a link as it once was."""
    outside = tmp_path / "outside"
    outside.write_text("root:x:0:0")
    folder = made_up(refs__heads__next=REVISION)
    git = folder / ".git"
    (git / "refs/heads/main").symlink_to(outside)
    os.mkfifo(git / "config")
    assert git_attributes(folder) == {attr.VCS_REF_HEAD_NAME: "main", attr.VCS_REF_HEAD_TYPE: "branch"}

    (git / "HEAD").unlink()
    (git / "HEAD").symlink_to("refs/heads/next")
    assert git_attributes(folder)[attr.VCS_REF_HEAD_REVISION] == REVISION

    (git / "HEAD").unlink()
    (git / "HEAD").symlink_to(outside)
    assert git_attributes(folder) == {}


@pytest.mark.parametrize(
    "line", ["gitdir: /etc", "gitdir: ../nowhere", "gitdir:", "gitdir: \0", "# notes", ""]
)
def test_a_git_file_that_leads_to_no_checkout_is_passed_over(line, made_up):
    """The folder above it may be in one."""
    folder = made_up(refs__heads__main=REVISION) / "inner"
    folder.mkdir()
    (folder / ".git").write_text(line)

    assert git_attributes(folder)[attr.VCS_REF_HEAD_REVISION] == REVISION


@pytest.mark.parametrize(
    "url",
    [
        "ssh://git@[host]/r",
        "https://[bad",
        "https://user:gh#TOKEN_HASH@host/x",
        "https://h/x?private_token=TOKEN_HASH",
    ],
)
def test_a_run_starts_in_any_checkout_and_keeps_no_password(url, made_up, configure, monkeypatch):
    """`start_run` raises nothing for what a remote is called, and what it records holds no secret of it."""
    folder = made_up(config=f'[Remote "origin"]\n  URL = {url}\n', refs__heads__main=REVISION)
    monkeypatch.chdir(folder)
    configure()
    with ox.start_run("r"):
        pass

    resource = ox.run("r").resource
    assert resource[attr.VCS_REF_HEAD_REVISION] == REVISION
    assert "TOKEN_HASH" not in str(resource)
