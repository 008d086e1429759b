"""Removes the middle of what a run printed, when it printed much, as every store does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.store.semantics.output import (
    FIRST_BYTES,
    LAST_BYTES,
    SLACK_BYTES,
    output_bytes,
    surplus,
)

if TYPE_CHECKING:
    from otel_experiments.model.log import LogRecord


def trim_output(records: dict[str, LogRecord], news: dict[str, LogRecord]) -> None:
    """Trim the runs of which `news` has output."""
    for run_id in output_bytes(news.values()):
        mine = sorted((one.time_ns, key) for key, one in records.items() if one.run_id == run_id)
        sizes = [(key, output_bytes([records[key]]).get(run_id, 0)) for _, key in mine]
        sizes = [(key, size) for key, size in sizes if size]
        if sum(size for _, size in sizes) > FIRST_BYTES + LAST_BYTES + SLACK_BYTES:
            for key in surplus(sizes):
                del records[key]
