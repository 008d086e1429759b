"""The script that makes the real programs of the tests, as a process, with a cache in the test's folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
TOOL = ROOT / ".ci/backends"


@pytest.fixture
def make(tmp_path):
    """Return a function that runs the script and returns what was printed.

    `go` and `apt-get` are shell scripts, or missing.
    """
    programs = tmp_path / "bin"
    programs.mkdir()

    def run(*arguments, go=None, apt_get=None, **environment):
        scripts = {name: body for name, body in (("go", go), ("apt-get", apt_get)) if body is not None}
        for name, body in scripts.items():
            file = programs / name
            file.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
            file.chmod(file.stat().st_mode | stat.S_IXUSR)
        path = f"{programs}:/bin" if scripts else str(programs)
        completed = subprocess.run(
            [sys.executable, TOOL, *arguments],
            env={"PATH": path, "CI_CACHE": str(tmp_path / "cache"), "HOME": os.environ["HOME"]} | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (completed.returncode, completed.stderr) == (0, "")
        return completed.stdout

    return run


@pytest.fixture
def programs(monkeypatch, tmp_path):
    """Return the module that says what is built and where it is kept; the cache is in the test's folder."""
    monkeypatch.syspath_prepend(str(TOOL))
    monkeypatch.setenv("CI_CACHE", str(tmp_path / "cache"))
    import made_programs

    yield made_programs
    sys.modules.pop("made_programs")
