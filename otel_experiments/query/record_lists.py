"""What a run recorded beside points and spans, in lists that can be had as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.query.frames.framed import Framed

if TYPE_CHECKING:
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.search import Expression
    from otel_experiments.query.frames.columns import Columns


class LogRecordList(Framed, list["LogRecord"]):
    """Log records and events by time: a list, and a table with one row each and a column `attributes.KEY` for each attribute."""

    __slots__ = ()

    def where(self, condition: str | Expression) -> LogRecordList:
        """Return those of which a search expression is true: `text.contains("nan") and severity >= 13`.

        Args:
            condition: an expression over `text` (the body, where it is a text), `event_name`, `severity`, `time`,
                `attributes["key"]`, ...; what is not there fulfils no comparison.

        Raises:
            SearchSyntaxError: it cannot be understood; the error points at the place.
        """
        from otel_experiments.query.search.parser import parse_search  # noqa: PLC0415 - few search
        from otel_experiments.query.search.records import LOG_RECORDS  # noqa: PLC0415 - as above
        from otel_experiments.store.semantics.record_values import log_values  # noqa: PLC0415 - as above
        from otel_experiments.store.semantics.search import check, matches  # noqa: PLC0415 - as above

        wanted = parse_search(condition, subject=LOG_RECORDS) if isinstance(condition, str) else condition
        check(wanted)
        return LogRecordList(record for record in self if matches(wanted, log_values(record)))

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
