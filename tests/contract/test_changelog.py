"""The fragments of the changelog, and how they become a release."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
SCRIPT = ROOT / ".ci/collect-changelog.py"
FRAGMENTS = sorted(path for path in (ROOT / "changelog.d").glob("*.md") if path.name != "README.md")


def collect(folder, *arguments):
    """Run the script in a folder."""
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("path", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_is_one_sentence_or_more_for_users(path):
    """A fragment is named for its change and kind, and is one paragraph that starts and ends as a sentence does."""
    text = path.read_text(encoding="utf-8")

    assert re.fullmatch(r"[a-z0-9-]+\.(added|changed|deprecated|removed|fixed)\.md", path.name)
    assert re.fullmatch(r"[A-Z`][^\n]*\.\n", text)


def test_a_release_collects_the_fragments(tmp_path):
    """A release puts the fragments above the last release, by kind and name, and clears the folder."""
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    for name in ("b.added", "a.added", "z.fixed"):
        (folder / f"{name}.md").write_text(f"About {name}.\n")
    shutil.copy(ROOT / "changelog.d/README.md", folder)
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\nPreface.\n\n## 0.1.0 - 2026-01-01\n\n### Added\n\n- All.\n"
    )

    answer = collect(tmp_path, "0.2.0", "2026-02-01")

    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "CHANGELOG.md").read_text() == (
        "# Changelog\n\nPreface.\n\n"
        "## 0.2.0 - 2026-02-01\n\n### Added\n\n- About a.added.\n- About b.added.\n\n### Fixed\n\n- About z.fixed.\n\n"
        "## 0.1.0 - 2026-01-01\n\n### Added\n\n- All.\n"
    )
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_a_fragment_of_an_unknown_kind_stops_the_release(tmp_path):
    """A misspelt kind is named, and nothing is changed."""
    (tmp_path / "changelog.d").mkdir()
    (tmp_path / "changelog.d/a.improved.md").write_text("A.\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n")

    answer = collect(tmp_path, "0.2.0", "2026-02-01")

    assert answer.returncode == 1
    assert "a.improved.md is not named SLUG.KIND.md" in answer.stderr
    assert (tmp_path / "CHANGELOG.md").read_text() == "# Changelog\n"
