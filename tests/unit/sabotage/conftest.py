"""The tool that breaks the product on purpose, importable here, and a small checkout for it to break."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
TOOL = ROOT / ".ci/sabotage"
MODULE = '''"""Sizes."""


def is_large(size):
    """Say whether a size is large."""
    return size > 10


def total(sizes):
    """Add up."""
    found = 0
    for size in sizes:
        found += size
    return found
'''
TESTS = """from otel_experiments.room.size import is_large, total


def test_large():
    assert is_large(11)
    assert not is_large(5)


def test_total():
    assert total([1, 2]) == 3
"""


class Checkout:
    """A git repository with the tool, one module and its tests."""

    def __init__(self, root):
        self.root = root

    def write(self, name, text):
        """Write a file."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def git(self, *arguments):
        """Run git and return what it prints."""
        names = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *names, *arguments], cwd=self.root, capture_output=True, text=True, check=True
        ).stdout

    def commit(self):
        """Commit all there is."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "room: change a size")

    def sabotage(self, *options):
        """Run the tool and return its result."""
        command = [sys.executable, self.root / ".ci/sabotage", "--budget-s", "100", *options]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path):
    """Return a repository of one commit."""
    made = Checkout(tmp_path / "checkout")
    shutil.copytree(TOOL, made.root / ".ci/sabotage", ignore=shutil.ignore_patterns("__pycache__"))
    made.write("otel_experiments/__init__.py", "")
    made.write("otel_experiments/pytest_plugin.py", '"""The entry point of the installed package."""\n')
    made.write("otel_experiments/room/__init__.py", "")
    made.write("otel_experiments/room/size.py", MODULE)
    made.write("tests/unit/room/test_size.py", TESTS)
    made.write("pytest.ini", "[pytest]\naddopts = --import-mode=importlib\n")
    made.write(".gitignore", "__pycache__\n.hypothesis\n")
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit()
    return made


@pytest.fixture(scope="session")
def tool():
    """Return what the tool is made of: its modules by name."""
    before = set(sys.modules)
    sys.path.insert(0, str(TOOL))
    try:
        import change
        import explained
        import mutant
        import nearness
        import trial

        yield {module.__name__: module for module in (change, explained, mutant, nearness, trial)}
    finally:
        sys.path.remove(str(TOOL))
        for name in set(sys.modules) - before:
            if str(getattr(sys.modules[name], "__file__", "")).startswith(str(TOOL)):
                del sys.modules[name]
