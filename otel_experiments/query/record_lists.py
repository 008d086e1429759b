"""What a run recorded beside points and spans, in lists that can be had as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.query.frames.framed import Framed

if TYPE_CHECKING:
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.log import LogRecord
    from otel_experiments.query.frames.columns import Columns


class LogRecordList(Framed, list["LogRecord"]):
    """Log records and events by time: a list, and a table with one row each and a column `attributes.KEY` for each attribute."""

    __slots__ = ()

    def _columns(self) -> Columns:
        from otel_experiments.query.frames.record_columns import log_columns  # noqa: PLC0415 - few need it

        return log_columns(self, expands=True)

    def __repr__(self) -> str:
        return f"LogRecordList({len(self)})"


class InstrumentPointList(Framed, list["InstrumentPoint"]):
    """Data points by time: a list, and a table with one row each and a column `attributes.KEY` for each attribute."""

    __slots__ = ()

    def _columns(self) -> Columns:
        from otel_experiments.query.frames.record_columns import instrument_columns  # noqa: PLC0415 - few need it

        return instrument_columns(self, expands=True)

    def __repr__(self) -> str:
        return f"InstrumentPointList({len(self)})"
