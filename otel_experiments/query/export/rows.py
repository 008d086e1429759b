"""An export of one kind of thing in one format: which there are, what a file's ending means, and the writing itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO, Final, Literal, get_args

from otel_experiments.errors import ConfigurationError
from otel_experiments.query.export import text as out
from otel_experiments.query.export.records import RECORDS, RecordKind, parts_of
from otel_experiments.query.export.text import OnRun, Tally, TextSink, ignore_run
from otel_experiments.query.frames.columns import Columns
from otel_experiments.query.frames.point_columns import FILE_KINDS, file_columns
from otel_experiments.query.frames.record_columns import kinds_of
from otel_experiments.query.reader import Reader
from otel_experiments.query.run_columns import RunKinds, run_columns
from otel_experiments.query.run_view import RunView

What = Literal["runs", "points", "spans", "events", "logs", "instruments", "artifacts", "media", "otlp"]
Format = Literal["csv", "jsonl", "json", "parquet", "proto"]
TextFormat = Literal["csv", "jsonl", "json"]
WHAT: Final[tuple[What, ...]] = get_args(What)
ENDINGS: Final[Mapping[str, Format]] = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".proto": "proto",
    ".binpb": "proto",
    ".pb": "proto",
}
_FLAT: Final[tuple[Format, ...]] = ("csv", "jsonl", "json", "parquet")
_NESTED: Final[tuple[Format, ...]] = ("jsonl", "json", "csv", "parquet")
FORMATS: Final[Mapping[What, tuple[Format, ...]]] = {
    "runs": _FLAT,
    "points": _FLAT,
    "spans": _NESTED,
    "events": _NESTED,
    "logs": _NESTED,
    "instruments": _NESTED,
    "artifacts": _NESTED,
    "media": _NESTED,
    "otlp": ("jsonl", "proto"),
}
"""What each thing is written as, first what it is by default."""


def format_of(path: str, what: What) -> Format:
    """Return the format that a file's name asks for; the default where it has no ending.

    Raises:
        ConfigurationError: its ending stands for another format than those that are written.
    """
    name = path.replace("\\", "/").rpartition("/")[2]
    stem, dot, ending = name.rpartition(".")
    if not dot or not stem:
        return FORMATS[what][0]
    found = ENDINGS.get(f".{ending.lower()}")
    if found == "json" and what == "otlp":
        found = "jsonl"  # the Collector's file exporter calls a file of a request a line .json, and readers take it
    if found is None or found not in FORMATS[what]:
        endings = [
            one for one, form in ENDINGS.items() if form in FORMATS[what] or (what, form) == ("otlp", "json")
        ]
        raise ConfigurationError(
            f"{path!r}: nothing is written in the format .{ending}.\n"
            f"  Endings that work: {', '.join(endings)}; or say the format: {FORMATS[what][0]}."
        )
    return found


class RowExport:
    """Rows of one kind, of some runs.

    Args:
        reader: where they are.
        runs: whose; None for all runs and what belongs to no run.
        what: which kind.
        metric: with points, only those of metrics of such a name.
        spreadsheet_safe: with CSV, texts that a spreadsheet would run as a formula get an apostrophe in front.
        on_run: called after each run with the rows so far.
    """

    def __init__(
        self,
        reader: Reader,
        runs: Sequence[RunView] | None,
        what: What,
        *,
        metric: str = "*",
        spreadsheet_safe: bool = False,
        on_run: OnRun = ignore_run,
    ) -> None:
        self._reader = reader
        self._runs = runs
        self._what = what
        self._metric = metric
        self._is_safe = spreadsheet_safe
        self._on_run = on_run

    def write_text(self, form: TextFormat, sink: TextSink) -> int:
        """Write CSV, JSON Lines or one JSON document; returns the rows."""
        if form == "csv":
            return self._write_csv(sink)
        if form == "jsonl":
            return self._write_lines(sink)
        document = out.JsonDocument(sink)
        count = self._write_lines(document)
        document.end()
        return count

    def _write_csv(self, sink: TextSink) -> int:
        reader, on_run, is_safe = self._reader, self._on_run, self._is_safe
        if self._what == "runs":
            return out.runs_to_csv(reader, self._all_runs, sink, spreadsheet_safe=is_safe, on_run=on_run)
        if self._what == "points":
            return out.points_to_csv(
                reader, self._all_runs, sink, metric=self._metric, spreadsheet_safe=is_safe, on_run=on_run
            )
        return out.records_to_csv(
            self._kind, reader, self._runs, sink, spreadsheet_safe=is_safe, on_run=on_run
        )

    def _write_lines(self, sink: TextSink) -> int:
        reader, on_run = self._reader, self._on_run
        if self._what == "runs":
            return out.runs_to_jsonl(reader, self._all_runs, sink, on_run=on_run)
        if self._what == "points":
            return out.points_to_jsonl(reader, self._all_runs, sink, metric=self._metric, on_run=on_run)
        return out.records_to_jsonl(self._kind, reader, self._runs, sink, on_run=on_run)

    def write_parquet(self, sink: BinaryIO) -> int:
        """Write Parquet; returns the rows.

        Raises:
            MissingPackageError: pyarrow is not installed.
        """
        from otel_experiments.query.export.parquet import write_parquet  # noqa: PLC0415 - few need it

        if self._what == "runs":
            kinds = RunKinds()
            for page in self._reader.pages(self._all_runs):
                for run in page:
                    kinds.see(run)
            found = kinds.kinds()
            pages = self._reader.pages(self._all_runs)
            parts = (run_columns(page, len(page), kinds=found) for page in pages)
            return write_parquet(sink, found, self._counted(parts))
        if self._what == "points":
            return write_parquet(sink, FILE_KINDS, self._points())
        make = RECORDS[self._kind].columns
        return write_parquet(sink, kinds_of(make(())), self._records())

    @property
    def _all_runs(self) -> Sequence[RunView]:
        return self._reader.runs() if self._runs is None else self._runs

    @property
    def _kind(self) -> RecordKind:
        assert self._what in RECORDS
        return self._what  # type: ignore[return-value] # as the line above says

    def _counted(self, parts: Iterator[Columns]) -> Iterator[Columns]:
        rows = 0
        for part in parts:
            yield part
            rows += part.length
            self._on_run(rows)

    def _points(self) -> Iterator[Columns]:
        tally = Tally(self._on_run)
        found = out.series_of(self._reader, self._all_runs, self._metric, tally.end_run)
        for run, series in found:
            for part in file_columns(run.id, series):
                tally.rows += part.length
                yield part

    def _records(self) -> Iterator[Columns]:
        tally = Tally(self._on_run)
        for part in parts_of(self._kind, self._reader, self._runs, tally.end_run):
            tally.rows += len(part)
            yield RECORDS[self._kind].columns(part)
