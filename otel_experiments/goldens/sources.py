"""What a user may name as one side of a comparison: a golden, a file of telemetry, a store, a stored run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from otel_experiments._opening import open_reader
from otel_experiments.capture import capture_file, capture_run, capture_store, is_telemetry_file
from otel_experiments.errors import GoldenMissingError, GoldenRuleError, StoreNotFoundError
from otel_experiments.golden.baseline import Golden, make_golden
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.files import load_golden
from otel_experiments.model.store_location import SQLITE_START, StoreLocation


def default_folder() -> Path:
    """Return where goldens lie when nobody says it: `tests/golden` in a project with tests, else `golden`."""
    return Path("tests/golden") if Path("tests").is_dir() else Path("golden")


def golden_path(name: str, folder: Path | None = None) -> Path:
    """Return the file of a golden: a path ending in `.otg` is taken as it is, a name lies in the folder.

    Raises:
        GoldenRuleError: it has no name, as `tests/` or the empty text.
    """
    if name.rpartition("/")[2] in {
        "",
        ".",
        "..",
        golden_paths.SUFFIX,
        golden_paths.SUFFIX + golden_paths.PENDING,
    }:
        raise GoldenRuleError(
            rule=f"golden {name!r}", why="it names no file", fix="Give the golden a name, such as train."
        )
    if name.endswith((golden_paths.SUFFIX, golden_paths.SUFFIX + golden_paths.PENDING)):
        return Path(name)
    return (folder or default_folder()) / f"{name}{golden_paths.SUFFIX}"


def read_golden_side(
    text: str,
    *,
    store: str | StoreLocation,
    folder: Path | None = None,
    select: str | None = None,
    rules: Rules = DEFAULT_RULES,
) -> Golden:
    """Return the golden that a name or path means, or the one that a file, store or run makes.

    Raises:
        GoldenMissingError: it is neither a golden nor anything that could be made into one.
        GoldenError: it cannot be used.
    """
    path = golden_path(text, folder)
    if path.exists():
        return load_golden(path)
    if text.endswith(golden_paths.SUFFIX):
        raise GoldenMissingError(path=text, update=f"otel-experiments golden capture {text} -- COMMAND")
    try:
        runs = read_runs([text], store=store, select=select)
    except (StoreNotFoundError, LookupError) as exc:
        raise GoldenMissingError(
            path=str(path), update=f"otel-experiments golden capture {text} -- COMMAND"
        ) from exc
    return make_golden(runs, name=text, rules=rules)


def read_runs(
    texts: Sequence[str], *, store: str | StoreLocation, select: str | None = None
) -> list[CapturedRun]:
    """Return the runs that files, stores and ids of stored runs mean.

    Files of telemetry are read together, so that spans may lie in one and metric points in another.

    Raises:
        RunNotFoundError: a text is neither a file nor a run of the store.
        TelemetryDecodeError: a file is no OTLP.
        GoldenError: a run cannot be used.
        StoreError: a store cannot be read.
    """
    goldens = [
        text
        for text in texts
        if text.endswith((golden_paths.SUFFIX, golden_paths.SUFFIX + golden_paths.PENDING))
    ]
    if goldens:
        raise GoldenRuleError(
            rule=goldens[0],
            why="a golden can be no candidate, for it holds no run",
            fix="Give a run, a store or a file of telemetry; two goldens are texts: diff compares them.",
        )
    files = [text for text in texts if _is_telemetry(text)]
    found: list[CapturedRun] = list(capture_file(*files)) if files else []
    for text in texts:
        if text in files:
            continue
        if _is_store(text):
            found.append(capture_store(text, select=select, name=text))
        else:
            with open_reader(store) as reader:
                found.append(capture_run(reader.run(text)))
    return found


def _is_telemetry(text: str) -> bool:
    return is_telemetry_file(text) or (Path(text).is_file() and not _is_store(text))


def _is_store(text: str) -> bool:
    path = Path(os.fspath(text))
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(SQLITE_START)) == SQLITE_START
