"""What the checkout holds: files that belong there, and no database that a test or a try-out left behind."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IN_THE_ROOT = {
    ".ci", ".gitignore", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "action.yml", "benchmarks",
    "changelog.d", "docs", "examples", "otel_experiments", "pyproject.toml", "semconv", "tests",
}  # fmt: skip
"""Files and folders of the root; what is new is listed here when a reviewer has looked at it."""

MAY_COME = {".github", ".gitattributes", "collector-config"}
"""What may be added without a change of this test."""

DATABASES = {f"tests/data/store_v{version}.db" for version in (1, 2, 3, 4, 5, 6, 7)}
"""Test data that is a database on purpose: a store of each former schema."""


@pytest.fixture(scope="module")
def tracked():
    """Return the files that git tracks, and those that it would take up with `git add`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    if done.returncode or not done.stdout:
        pytest.skip("this is no git checkout")
    return [name.decode() for name in done.stdout.split(b"\0") if name and (ROOT / name.decode()).is_file()]


def test_the_root_holds_what_is_listed(tracked):
    """A file that a mistake made in the root, such as a store called `memory`, does not get into a commit."""
    found = {name.partition("/")[0] for name in tracked}

    assert found - MAY_COME == IN_THE_ROOT


def test_no_tracked_file_is_a_database_but_the_test_data(tracked):
    """By its first bytes, whatever it is called."""
    found = set()
    for name in tracked:
        with (ROOT / name).open("rb") as file:
            if file.read(16).startswith(b"SQLite format 3\x00"):
                found.add(name)

    assert found == DATABASES
