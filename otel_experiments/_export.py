"""What is stored into a file of rows or of OTLP."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from otel_experiments._chosen_store import open_chosen
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.query import Reader, RunView
from otel_experiments.query.anonymous import anonymous
from otel_experiments.query.chosen import chosen_runs
from otel_experiments.query.export.otlp import ExportReport, export_otlp
from otel_experiments.query.export.rows import FORMATS, WHAT, Format, RowExport, What, format_of
from otel_experiments.query.export.whole_file import whole_file


def export(  # noqa: PLR0913 - one argument an option of the command
    what: What,
    path: str | os.PathLike[str],
    runs: str | RunView | Iterable[str | RunView] | None = None,
    *,
    where: str | None = None,
    experiment: str | None = None,
    form: Format | None = None,
    metric: str = "*",
    anonymize: bool = False,
    salt: str | None = None,
    store: str | os.PathLike[str] | StoreObject | None = None,
    on_progress: Callable[[int, int], None] = lambda *_: None,
) -> ExportReport:
    """Write runs, points, spans, events, log records, data points, artifacts or media into a file, one a row, or all as OTLP.

    The file appears whole or not at all, and a part of it is in memory at a time: `ox.export("points", "points.parquet")`.
    The bytes of artifacts and media are in none of these files: `bundle` takes them along.

    Args:
        what: `runs`, `points`, `spans`, `events`, `logs`, `instruments`, `artifacts`, `media`, or `otlp`.
        path: the file; its ending says the format.
        runs: ids, beginnings of ids, or names (the newest run of a name), or runs that were read.
        where: a search expression; all runs that match. Without `runs`, `where` and `experiment` it is all runs, and what
            belongs to none.
        experiment: only runs of this experiment.
        form: `csv`, `jsonl`, `json` (one array), `parquet`, or for OTLP `jsonl` or `proto`; by default what the ending says.
        metric: with points, only metrics of such a name; `*` and `?` make it a glob.
        anonymize: whether ids become others, and what says who and where is left out.
        salt: any text: the same one gives the same ids in each anonymous export, so that files of several go together.
        store: where the runs are; by default the store that this process records into, else that of the settings.
        on_progress: called after each run with how many runs are written, and how many rows.

    Raises:
        ConfigurationError: nothing is written in such a format.
        RunNotFoundError: there is no such run.
        QueryError: the expression cannot be understood.
        MissingPackageError: Parquet is to be written, and pyarrow is not installed.
        StoreError: the store cannot be read.
        OSError: the file cannot be written.
    """
    chosen = _format(what, os.fspath(path), form)
    is_all = runs is None and where is None and experiment is None
    with open_chosen(store) as opened:
        reader: Reader = opened
        found = chosen_runs(reader, runs, where=where, experiment=experiment)
        if anonymize:
            reader, found = anonymous(reader, found, salt=salt)
        with whole_file(Path(path)) as sink:
            if what == "otlp":
                return _export_otlp(reader, found, sink, chosen, unattached=is_all, on_progress=on_progress)
            done = _Counted(on_progress)
            rows = RowExport(reader, None if is_all else found, what, metric=metric, on_run=done)
            count = _write(rows, chosen, sink)
    return ExportReport(run_count=len(found), written=Counter({what: count}))


def _export_otlp(
    reader: Reader,
    runs: Sequence[RunView],
    sink: BinaryIO,
    form: Format,
    *,
    unattached: bool,
    on_progress: Callable[[int, int], None],
) -> ExportReport:
    return export_otlp(
        reader.store,
        [run.record for run in runs],
        sink,
        form="proto" if form == "proto" else "json",
        unattached=unattached,
        on_progress=lambda report: on_progress(report.run_count, report.written.total()),
    )


def _format(what: What, path: str, form: Format | None) -> Format:
    if what not in WHAT:
        raise ConfigurationError(f"Nothing is exported as {what!r}.\n  Give one of: {', '.join(WHAT)}.")
    if form is None:
        return format_of(path, what)
    if form not in FORMATS[what]:
        raise ConfigurationError(
            f"Of {what} nothing is written as {form!r}.\n  Give one of: {', '.join(FORMATS[what])}."
        )
    return form


def _write(rows: RowExport, form: Format, sink: BinaryIO) -> int:
    if form == "parquet":
        return rows.write_parquet(sink)
    # CSV brings its line ends, which text mode must not touch.
    text = io.TextIOWrapper(sink, encoding="utf-8", newline="")
    try:
        assert form != "proto"
        return rows.write_text(form, text)
    finally:
        text.flush()
        text.detach()


class _Counted:
    """Counts runs, and hands on the rows so far."""

    def __init__(self, tell: Callable[[int, int], None]) -> None:
        self._tell = tell
        self._runs = 0

    def __call__(self, rows: int) -> None:
        self._runs += 1
        self._tell(self._runs, rows)
