"""Build one program from Go modules, in a folder that is gone afterwards.

Nothing is installed: what `go` fetches and compiles stays in its own caches, and the program goes to the folder of the
kept ones.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from made_programs import Program

LAST_LINES = 3
"""How many of the last lines of a failed command are the reason."""


class BuildError(Exception):
    """A program cannot be had here; the text says why."""


@dataclass(frozen=True, slots=True)
class Go:
    """The `go` on the path, with a time at which it has to be done."""

    deadline_s: float

    def __call__(self, *arguments: str, cwd: Path) -> None:
        """Run `go` with these arguments."""
        self.run("go", *arguments, cwd=cwd)

    def run(self, *command: str, cwd: Path) -> str:
        """Run a command, and everything that it starts, until the deadline at most; return what it printed."""
        settings = {"GOTOOLCHAIN": "local", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
        with subprocess.Popen(
            command,
            cwd=cwd,
            env=os.environ | settings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                printed, _ = process.communicate(timeout=max(self.deadline_s - time.monotonic(), 0.0))
            except BaseException as error:
                os.killpg(process.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                message = (
                    f"`{' '.join(command[:3])}` ran out of time; what is compiled is kept for the next try"
                )
                raise BuildError(message) from None
        if process.returncode != 0:
            last = (
                " / ".join(printed.strip().splitlines()[-LAST_LINES:]) or f"exit status {process.returncode}"
            )
            message = f"`{' '.join(command[:3])}` failed: {last}"
            raise BuildError(message)
        return printed


def build(program: Program, *, file: Path, go: Go) -> None:
    """Build a program and see it run, then move it to `file`, which another process may do at the same time.

    Raises:
        BuildError: it cannot be had here.
    """
    with tempfile.TemporaryDirectory(prefix="unfinished.", dir=file.parent) as name:
        folder = Path(name)
        tool, built = folder / "tool", folder / "built"
        tool.mkdir()
        go("mod", "init", "backends.test/tool", cwd=tool)
        go("get", "-tool", f"{program.package}@{program.version}", cwd=tool)
        if program.manifest is None:
            _compile(program.package, to=built, tags=program.tags, cwd=tool, go=go)
        else:
            builder = folder / "builder"
            _compile(program.package, to=builder, tags="", cwd=tool, go=go)
            source = folder / "source"
            manifest = folder / "builder.yaml"
            manifest.write_text(_with_output(program.manifest, source), encoding="utf-8")
            go.run(str(builder), "--config", str(manifest), "--skip-compilation", cwd=folder)
            _compile(".", to=built, tags=program.tags, cwd=source, go=go)
        go.run(str(built), *program.version_arguments, cwd=folder)
        built.replace(file)


def _compile(package: str, *, to: Path, tags: str, cwd: Path, go: Go) -> None:
    go("build", "-trimpath", "-tags", tags, "-ldflags", "-s -w", "-o", str(to), package, cwd=cwd)


def _with_output(manifest: Path, folder: Path) -> str:
    """Return the manifest with another output folder."""
    text, changed = re.subn(
        r"(?m)^(\s+output_path:).*$", lambda m: f"{m[1]} {folder}", manifest.read_text(encoding="utf-8")
    )
    if changed != 1:
        message = f"{manifest} has {changed} lines `output_path:`; write one, below `dist:`"
        raise BuildError(message)
    return text
