"""Goldens read from and written to files."""

from __future__ import annotations

import os
from pathlib import Path

from otel_experiments.errors import GoldenInvalidError, GoldenMissingError
from otel_experiments.golden.baseline import Golden
from otel_experiments.golden.file import read_golden, write_golden, write_stats
from otel_experiments.goldens import paths as golden_paths


def load_golden(
    path: Path, *, update: str = "otel-experiments golden capture", is_sealed: bool = True
) -> Golden:
    """Return the golden of a file, with its times where the file beside it has some.

    Without `is_sealed` a file is taken that was edited by hand, as long as it can be read.

    Args:
        path: the file, `NAME.otg`.
        is_sealed: whether the digest in the last line has to fit.
        update: the command that makes the file, for the error.

    Raises:
        GoldenMissingError: there is no such file; `update` is the command that makes it.
        GoldenInvalidError: it cannot be read or trusted.
    """
    stats = golden_paths.stats_path(path)
    if path.name.endswith(golden_paths.PENDING):
        stats = golden_paths.pending_path(golden_paths.stats_path(golden_paths.golden_of_pending(path)))
    return read_golden(
        _read(path, update=update),
        path=_shown(path),
        stats=_read(stats) if stats.exists() else None,
        is_sealed=is_sealed,
    )


def save_golden(path: Path, golden: Golden, *, is_new: bool = False) -> None:
    """Write the golden's structure, configuration and curves; with `is_new` only where there is no file yet.

    Args:
        path: the file, `NAME.otg`.
        golden: what is written.
        is_new: whether there must be no file yet.

    Raises:
        FileExistsError: there is one, and `is_new`.
        GoldenRuleError: a second accepted behaviour has no reason.
        OSError: the file cannot be written.
    """
    golden_paths.write_text(path, write_golden(golden), is_new=is_new)


def save_stats(path: Path, golden: Golden, *, is_pending: bool = False) -> None:
    """Write the golden's times beside the file `path`, or beside its pending one."""
    if golden.timing:
        target = golden_paths.stats_path(path)
        golden_paths.write_text(
            golden_paths.pending_path(target) if is_pending else target, write_stats(golden)
        )


def _read(path: Path, *, update: str = "") -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError as exc:
        raise GoldenMissingError(path=_shown(path), update=update) from exc
    except (UnicodeDecodeError, OSError) as exc:
        raise GoldenInvalidError(
            path=_shown(path),
            line=None,
            found=f"it cannot be read: {exc}",
            fix="Restore it from version control.",
        ) from exc


def _shown(path: Path) -> str:
    """Return the path as people would type it here."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if relative.startswith("..") else relative
