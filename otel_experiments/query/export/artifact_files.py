"""Artifacts and media as files of a folder, with an index that says what each is.

A file lies below the run's id and the name it was logged under, in characters that every filesystem takes. The index has one
object a line, as `export artifacts` and `export media` write them, and `path`: where the file is in the folder, null where its
bytes could not be had.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

from otel_experiments.errors import ArtifactDamagedError, ArtifactMissingError
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.export.whole_file import whole_file
from otel_experiments.query.json_values import json_line, plain_step
from otel_experiments.query.media_view import MediaItem
from otel_experiments.query.plain import plain_artifact, plain_media_item
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_view import RunView

INDEX: Final = "index.jsonl"
_UNSAFE: Final = re.compile(r"[^\w.-]+")
_SUFFIX: Final = re.compile(r"\.\w{1,16}\Z")
_LONGEST: Final = 60
_SHOWN: Final = 5
_ENDINGS: Final[Mapping[str, str]] = {
    "image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/gif": ".gif", "image/svg+xml": ".svg",
    "text/plain": ".txt", "text/html": ".html", "text/markdown": ".md", "application/json": ".json",
    "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/mpeg": ".mp3", "video/mp4": ".mp4", "video/webm": ".webm",
    "application/vnd.apache.parquet": ".parquet", "text/csv": ".csv",
}  # fmt: skip
"""The ending of a file that had no name."""


@dataclass(slots=True)
class FilesReport:
    """What was written into a folder.

    Attributes:
        count: how many artifacts or media were written.
        missing_count: how many could not be: their bytes are not there, or damaged.
        problems: why, for the first of these.
    """

    count: int = 0
    missing_count: int = 0
    problems: list[str] = field(default_factory=list)


def write_files(
    reader: Reader,
    runs: Sequence[RunView],
    role: Literal["artifacts", "media"],
    folder: Path,
    *,
    on_run: Callable[[int], None] = lambda _: None,
) -> FilesReport:
    """Write the artifacts or the media of these runs into a folder, and an index of them.

    Args:
        reader: where the runs are.
        runs: whose.
        role: which of both.
        folder: it is made where it is missing; what is in it stays, but for files of the same names.
        on_run: called after each run with how many files there are so far.

    Raises:
        OSError: the folder takes no file.
    """
    report = FilesReport()
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / INDEX) as index:
        for page in reader.pages(runs):
            for run in page:
                for view in _views(run, role):
                    path = _write(view, folder, report)
                    facts = plain_media_item(view) if isinstance(view, MediaItem) else plain_artifact(view)
                    line = json_line({**facts, "path": path})
                    index.write(line.encode() + b"\n")
                on_run(report.count)
    return report


def _views(run: RunView, role: Literal["artifacts", "media"]) -> Iterator[ArtifactView]:
    if role == "artifacts":
        yield from run.artifacts.all()
        return
    for series in run.media.values():
        yield from series


def _write(view: ArtifactView, folder: Path, report: FilesReport) -> str | None:
    """Write one of them; return where it is in the folder, None where it could not be had."""
    path = path_of(view)
    target = folder / path
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        view.download(target, overwrite=True)
    except (ArtifactMissingError, ArtifactDamagedError) as error:
        report.missing_count += 1
        if len(report.problems) < _SHOWN and str(error) not in report.problems:
            report.problems.append(str(error))
        return None
    report.count += 1
    return path


def path_of(view: ArtifactView) -> str:
    """Return where a file lies: `RUN/NAME/STEP-INDEX-DIGEST.png`; the digest keeps apart what is alike otherwise."""
    record = view.record
    digits = view.digest.partition(":")[2][:8]
    step = "" if record.step is None else f"{plain_step(record.step)}-"
    version = f"v{view.version}-" if view.version is not None else f"{record.index}-"
    ending = "" if view.is_folder else _ending(view)
    return "/".join(map(_safe, (view.run_id[:12], view.name, f"{step}{version}{digits}{ending}")))


def _ending(view: ArtifactView) -> str:
    found = _SUFFIX.search(view.file_name)
    return found[0] if found else _ENDINGS.get(view.media_type.partition(";")[0], "")


def _safe(name: str) -> str:
    """Return a part of a path that is a name on every system, and never another folder, whatever a store says it is."""
    text = _UNSAFE.sub("_", name).lstrip(".")[:_LONGEST]
    return text or "_"
