"""What is not committed in a checkout, whoever made it."""

import hashlib
import os
import shutil
import signal
import subprocess
import threading

import pytest

from otel_experiments.record.snapshot import git_state as subject
from otel_experiments.record.snapshot.git_state import MAX_PATCH_BYTES, Git


def git_state(folder, **options):
    """Return what git says of a folder."""
    return Git().state(folder, **options)


@pytest.fixture
def git(tmp_path):
    """Run git in a checkout with one committed file."""

    def run(*arguments):
        command = ["git", "-c", "user.name=n", "-c", "user.email=e@x", *arguments]
        return subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout

    run("init", "-q")
    (tmp_path / "train.py").write_text("lr = 0.1\n")
    run("add", ".")
    run("commit", "-qm", "first")
    return run


def test_a_clean_checkout_says_so(tmp_path, git):
    """Nothing changed: not dirty, and no patch."""
    assert git_state(tmp_path) == {"is_dirty": False, "changed_count": 0}


def test_the_patch_brings_another_checkout_to_the_same_state(tmp_path, git):
    """What is kept is what `git apply` takes, staged changes included, from a folder below the root too."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "train.py").write_text("lr = 0.2\n")
    (tmp_path / "new.py").write_text("x = 1\n")
    git("add", "new.py")

    found = git_state(tmp_path / "deep")

    assert (found["is_dirty"], found["changed_count"]) == (True, 2)
    patch = found["patch"].encode()
    assert found["patch_size_bytes"] == len(patch)
    assert found["patch_hash"] == f"sha256:{hashlib.sha256(patch).hexdigest()}"
    git("reset", "-q", "--hard")
    (tmp_path / "kept.patch").write_bytes(patch)
    git("apply", "kept.patch")
    assert (tmp_path / "train.py").read_text() == "lr = 0.2\n"
    assert (tmp_path / "new.py").read_text() == "x = 1\n"


def test_files_that_git_does_not_know_are_named_up_to_a_limit(tmp_path, git, monkeypatch):
    """Untracked files make a checkout dirty; all are counted, the first ones named, whatever their names hold."""
    monkeypatch.setattr(subject, "MAX_NAMES", 2)
    for name in ("a b.txt", "ü\nx.txt", "z.txt"):
        (tmp_path / name).write_text("x")

    found = git_state(tmp_path)

    assert (found["is_dirty"], found["changed_count"], found["untracked_count"]) == (True, 0, 3)
    assert found["untracked"] == ["a b.txt", "z.txt"]
    assert "patch" not in found


@pytest.mark.parametrize("place", ["experiments.db", "runs/deep/experiments.db"])
def test_what_recording_writes_makes_no_checkout_dirty(tmp_path, git, place):
    """The store, its journals and artifacts are no change of the code, in a folder of their own either."""
    store = tmp_path / place
    store.parent.mkdir(parents=True, exist_ok=True)
    for name in ("experiments.db", "experiments.db-wal"):
        store.with_name(name).write_text("x")
    (store.parent / "experiments.db.journals").mkdir()
    (store.parent / "experiments.db.journals" / "1.oxj").write_text("x")

    assert git_state(tmp_path, store=store)["is_dirty"] is False
    assert git_state(tmp_path)["is_dirty"] is True
    (store.parent / "other.txt").write_text("x")
    assert git_state(tmp_path, store=store)["is_dirty"] is True


def test_a_renamed_file_counts_once(tmp_path, git):
    """Git names both names of a renamed file; the old one is no file of its own."""
    git("mv", "train.py", "fit.py")
    (tmp_path / "other.py").write_text("x")

    found = git_state(tmp_path)

    assert (found["changed_count"], found["untracked"]) == (1, ["other.py"])


@pytest.mark.parametrize(("excess", "is_kept"), [(0, True), (1, False)])
def test_a_patch_that_is_too_large_is_left_out_and_said(tmp_path, git, monkeypatch, excess, is_kept):
    """Size and digest tell two runs with different patches apart where the patch itself is too large to keep."""
    (tmp_path / "train.py").write_text("lr = 0.3\n" * 20)
    size = len(git("diff", "HEAD"))
    monkeypatch.setattr(subject, "MAX_PATCH_BYTES", size - excess)

    found = git_state(tmp_path)

    assert found["patch_size_bytes"] == size
    assert ("patch" in found) is is_kept
    assert ("more than" in found.get("problem", "")) is not is_kept
    assert MAX_PATCH_BYTES == 256 << 10


def test_a_folder_without_git_says_nothing(tmp_path):
    """No checkout: nothing is known, and nothing is wrong."""
    assert git_state(tmp_path) == {}


def test_a_bare_repository_says_nothing(tmp_path):
    """A bare repository has no files that could differ."""
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)

    assert git_state(tmp_path) == {}


def test_a_broken_repository_is_told_with_the_words_of_git(tmp_path, git):
    """The problem is a sentence of git's, not an exception."""
    (tmp_path / ".git" / "index").write_bytes(b"no index")

    assert "index" in git_state(tmp_path)["problem"]


def test_before_the_first_commit_there_is_no_patch(tmp_path):
    """Without a HEAD there is nothing to compare with, which is said."""
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "train.py").write_text("x")
    subprocess.run(["git", "add", "."], cwd=tmp_path, check=True)

    found = git_state(tmp_path)

    assert (found["is_dirty"], found["changed_count"]) == (True, 1)
    assert "HEAD" in found["problem"]


def test_a_repository_of_another_user_is_not_read(tmp_path, git):
    """Git refuses it, since its settings could run programs; the refusal is told."""
    if os.geteuid():
        pytest.skip("only root can give a folder to another user")
    for path in (tmp_path, tmp_path / ".git"):
        os.chown(path, 12345, 12345)

    assert "dubious ownership" in git_state(tmp_path)["problem"]


def test_nothing_that_the_repository_names_is_run(tmp_path, git, tmp_path_factory):
    """A pager, an external diff, a text conversion and a file system monitor of its settings stay what they are: texts."""
    folder = tmp_path_factory.mktemp("bin")
    marker, program = folder / "was-run", folder / "program"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    git("config", "filter.y.clean", str(program))
    git("config", "filter.y.required", "true")
    for key in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv", "pager.diff"):
        git("config", key, str(program))
    (tmp_path / ".gitattributes").write_text("*.py diff=x filter=y\n")
    (tmp_path / "train.py").write_text("lr = 0.4\n")

    assert "lr = 0.4" in git_state(tmp_path)["patch"]
    assert not marker.exists()


def test_variables_of_git_do_not_lead_elsewhere(tmp_path, git, monkeypatch):
    """A program that is started by a hook of git has GIT_DIR of another repository."""
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))

    assert git_state(tmp_path) == {"is_dirty": False, "changed_count": 0}


def test_a_program_that_handles_its_children_has_no_child_of_ours(tmp_path, git):
    """A handler for SIGCHLD would be called for git, which the program has not started."""
    called = []
    before = signal.signal(signal.SIGCHLD, lambda *_: called.append(1))
    try:
        found = git_state(tmp_path)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert found == {"problem": "git was not run: the program handles SIGCHLD"}
    assert called == []


def test_a_program_with_children_gets_none_of_ours(tmp_path, git):
    """`os.wait` returns any child: where the program has some of its own, no other comes between."""
    child = os.fork()
    if child == 0:
        signal.pause()
    try:
        assert git_state(tmp_path) == {"problem": "git was not run: the program has child processes"}
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert git_state(tmp_path) == {"is_dirty": False, "changed_count": 0}


def test_a_patch_applies_whatever_the_settings_make_of_what_people_read(tmp_path, git):
    """A binary file is in it; prefixes, context and colours of the user's settings are not."""
    for key, value in (
        ("diff.noprefix", "true"),
        ("diff.context", "0"),
        ("color.ui", "always"),
        ("diff.renames", "copies"),
    ):
        git("config", key, value)
    (tmp_path / "weights.bin").write_bytes(bytes(range(256)) * 4)
    git("add", "weights.bin")
    (tmp_path / "train.py").write_text("lr = 0.1\n# ü\n")

    found = git_state(tmp_path)
    git("reset", "-q", "--hard")
    (tmp_path / "kept.patch").write_text(found["patch"])
    git("apply", "kept.patch")

    assert "problem" not in found
    assert (tmp_path / "weights.bin").read_bytes() == bytes(range(256)) * 4
    assert (tmp_path / "train.py").read_text() == "lr = 0.1\n# ü\n"


def test_large_binary_files_are_named_and_not_kept(tmp_path, git):
    """The text of the other files is kept all the same, and it is said."""
    (tmp_path / "weights.bin").write_bytes(os.urandom(MAX_PATCH_BYTES))
    git("add", "weights.bin")
    (tmp_path / "train.py").write_text("lr = 0.5\n")

    found = git_state(tmp_path)

    assert found["problem"] == "binary files are named in the patch and not kept"
    assert "+lr = 0.5" in found["patch"]
    assert "weights.bin" in found["patch"]


def test_bytes_that_are_no_text_are_told(tmp_path, git):
    """A file in another encoding is in the patch, which then changes it: that is said."""
    (tmp_path / "train.py").write_bytes("lr = 0.1 # é\n".encode("latin-1"))

    assert git_state(tmp_path)["problem"] == "the patch is changed where files are not UTF-8"


def test_git_that_hangs_is_ended_with_the_program(tmp_path, git, monkeypatch, tmp_path_factory):
    """Nothing of ours goes on when the program is over."""
    folder = tmp_path_factory.mktemp("bin")
    started = folder / "started"
    os.mkfifo(started)
    (folder / "git").write_text(f"#!/bin/sh\necho $$ > {started}\nexec {shutil.which('sleep')} 600\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    running, found = Git(), []
    thread = threading.Thread(target=lambda: found.append(running.state(tmp_path)))
    thread.start()
    pid = int(started.read_text())

    running.stop()
    thread.join()

    assert found == [{"problem": "git was stopped at the end of the program"}]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_without_git_nothing_is_tried(tmp_path, monkeypatch):
    """Where git is not installed that is said."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert git_state(tmp_path) == {"problem": "git was not run: it is not installed"}


def test_git_that_takes_too_long_is_stopped(tmp_path, git, monkeypatch, tmp_path_factory):
    """A huge repository costs the run nothing but this sentence."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "git").write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 600\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))

    assert Git(timeout_s=0.2).state(tmp_path) == {"problem": "git took more than 0.2 s"}
