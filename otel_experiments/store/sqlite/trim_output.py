"""Removes the middle of what a run printed, when it printed much."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from otel_experiments.model.log import LogRecord
from otel_experiments.semconv.events import ML_RUN_OUTPUT
from otel_experiments.store.semantics.output import ROW_BYTES, SLACK_BYTES, output_bytes, surplus

# Index: log_records_by_run.
_SIZES: Final = (
    "select log_record_id, length(body) + ? from log_records where run_id = ? and event_name = ?"
    " order by time_ns, log_record_id"
)
_REMOVE: Final = "delete from log_records where log_record_id = ?"


class OutputTrimmer:
    """Looks at a run's output when this process has written so much of it that it may be too much."""

    def __init__(self) -> None:
        self._written_bytes: dict[str, int] = {}

    def after(self, connection: sqlite3.Connection, records: Sequence[LogRecord]) -> None:
        """Trim the runs of which these records were written, where it is time."""
        for run_id, size_bytes in output_bytes(records).items():
            written_bytes = self._written_bytes.pop(run_id, 0) + size_bytes
            if written_bytes <= SLACK_BYTES:
                self._written_bytes[run_id] = written_bytes
                continue
            sizes = connection.execute(_SIZES, (ROW_BYTES, run_id, ML_RUN_OUTPUT.name)).fetchall()
            connection.executemany(_REMOVE, ((key,) for key in surplus(sizes)))
