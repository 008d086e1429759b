"""Reviewing pending goldens one by one: what changed in the text, then accept, reject, skip or show."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.files import load_golden

_QUESTION = "[a]ccept, [r]eject, [s]kip, show [w]hole, [q]uit? "


@dataclass(slots=True)
class Reviewed:
    """What was decided."""

    accepted: list[Path] = field(default_factory=list)
    rejected: list[Path] = field(default_factory=list)
    skipped: list[Path] = field(default_factory=list)


def describe_pending(pending: Path) -> str:
    """Return the difference between an accepted golden and its pending one, as a unified diff."""
    golden = golden_paths.golden_of_pending(pending)
    before = golden.read_text(encoding="utf-8").splitlines() if golden.exists() else []
    after = pending.read_text(encoding="utf-8").splitlines()
    lines = difflib.unified_diff(
        before, after, golden.name if before else "nothing", pending.name, lineterm="", n=2
    )
    return "\n".join(lines)


def review_pending(
    pending: Sequence[Path], *, ask: Callable[[str], str], say: Callable[[str], object]
) -> Reviewed:
    """Ask about each pending golden and do what is answered.

    Args:
        pending: the pending files.
        ask: asks a question and returns the answer; its end of input ends the review.
        say: prints a text.

    Raises:
        GoldenInvalidError: an accepted file is no golden; it stays pending.
    """
    done = Reviewed()
    for number, path in enumerate(pending, start=1):
        say(f"\n{path} ({number} of {len(pending)})\n{describe_pending(path)}")
        while True:
            try:
                answer = ask(_QUESTION).strip().lower()[:1]
            except EOFError:
                answer = "q"
            if answer == "w":
                say(path.read_text(encoding="utf-8"))
            elif answer == "a":
                load_golden(path)
                done.accepted.append(golden_paths.accept(path))
                break
            elif answer == "r":
                golden_paths.reject(path)
                done.rejected.append(path)
                break
            elif answer in {"s", "q"}:
                done.skipped.append(path)
                break
        if answer == "q":
            done.skipped += pending[number:]
            break
    return done
