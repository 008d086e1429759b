"""One mutant, tried in a copy of the tree by the tests that reach it; the checkout is never changed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mutant import Mutant

HERE = Path(__file__).resolve().parent
PYTEST_OPTIONS = (
    "-p",
    "no:xdist",
    "-p",
    "no:cov",
    "--hypothesis-seed=0",
    "--color=no",
    "--no-header",
    "--tb=line",
)
SLOWER = 5
"""How much longer than before the tests may take until they count as hanging."""


class Outcome(Enum):
    """What the tests made of a mutant."""

    CAUGHT = "caught"
    SURVIVED = "survived"
    UNREACHED = "unreached"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the tree, in which a worker changes one module at a time."""

    folder: Path
    start_s: float = 15.0
    """What a start of pytest may take on a busy machine."""

    @classmethod
    def of(cls, root: Path, folder: Path) -> Copy:
        """Copy what git knows of a checkout, or would add, as it is on disk."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=root, capture_output=True, check=True,
        ).stdout.decode()  # fmt: skip
        for name in filter(None, listed.split("\0")):
            source, target = root / name, folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target)
        (folder.parent / f"{folder.name}.tmp").mkdir()
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a test run that imports this copy and leaves its files beside it."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("OTEL_", "PYTEST_", "COV"))
        }
        return kept | {
            "PYTHONPATH": f"{self.folder}:{HERE}",
            "PYTHONDONTWRITEBYTECODE": "1",  # a module changed twice in a second would keep its old byte code
            "PYTHONHASHSEED": "0",
            "TMPDIR": str(self.folder.parent / f"{self.folder.name}.tmp"),
        }

    @property
    def pytest_options(self) -> tuple[str, ...]:
        """What every run of pytest gets."""
        return PYTEST_OPTIONS

    def tried(self, mutant: Mutant, tests: list[str], *, expected_s: float) -> Outcome:
        """Return what these tests make of a mutant; tests that hang have caught it."""
        module = self.folder / mutant.path
        original = module.read_bytes()
        chosen = self.folder.parent / f"{self.folder.name}.tests"
        chosen.write_text("\n".join(tests), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-x", "-q", *self.pytest_options, f"@{chosen}"]
        module.write_text(mutant.changed, encoding="utf-8")
        try:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, start_new_session=True,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                code = process.wait(self.start_s + SLOWER * expected_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        finally:
            module.write_bytes(original)
        return Outcome.SURVIVED if code == 0 else Outcome.CAUGHT
