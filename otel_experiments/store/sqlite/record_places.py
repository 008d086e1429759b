"""Where the fields of spans and traces are in the documented schema: columns of their rows, and JSON of attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.codec.values import dump_value
from otel_experiments.model.search import AttributeField, RecordField, SearchField
from otel_experiments.model.span import SpanKind, StatusCode
from otel_experiments.store.semantics.search import no_field
from otel_experiments.store.sqlite.search import Binder, Place, Tie


@dataclass(frozen=True, slots=True)
class RecordPlaces:
    """The fields of the rows of one table.

    Attributes:
        of_what: what the rows are.
        table: the table.
        key: its key.
        columns: the SQL of each field, by name.
        last: what the results are sorted by at last.
        attributes: the column that holds attributes; empty where there is none.
    """

    of_what: str
    table: str
    key: str
    columns: Mapping[str, str]
    last: tuple[Tie, ...]
    attributes: str = field(default="")

    def of(self, wanted: SearchField, binder: Binder) -> Place:
        """Return where a field is.

        Raises:
            QueryError: it is no field of these rows.
        """
        match wanted:
            case RecordField(_, name, "text"):
                column = self._column(wanted, name)
                return Place(f"ifnull({column} <> '', 0)", text=f"nullif({column}, '')")
            case RecordField(_, name):
                column = self._column(wanted, name)
                return Place(f"{column} is not null", number=column)
            case AttributeField(key) if self.attributes:
                return self._attribute(key, binder)
        raise no_field(wanted, self.of_what)

    def sorted_by(self, wanted: SearchField, alias: str, binder: Binder) -> tuple[list[str], str]:
        """Return the columns that a field sorts by; no join is needed.

        Raises:
            QueryError: it is no field of these rows.
        """
        del alias
        match wanted:
            case RecordField(_, name, "text"):
                return [f"nullif({self._column(wanted, name)}, '')"], ""
            case RecordField(_, name):
                return [self._column(wanted, name)], ""
            case AttributeField(key) if self.attributes:
                of = self._attribute(key, binder)
                kind = (
                    f"(case when {of.truth} is not null then 0 when {of.number} is not null then 1 "
                    f"when {of.text} <> '' then 2 end)"
                )
                return [kind, f"coalesce({of.truth}, {of.number}, nullif({of.text}, ''))"], ""
        raise no_field(wanted, self.of_what)

    def ties(self) -> tuple[Tie, ...]:
        """Return what the results are sorted by at last."""
        return self.last

    def _attribute(self, key: str, binder: Binder) -> Place:
        bound = binder.bind(key)
        found = f"ox_attribute(cast({self.attributes} as blob), {bound}, "
        # The substring spares the parsing of almost all rows that do not have the key.
        has_key = "1"
        if key.isascii() and not key.startswith("$"):
            has_key = f"instr({self.attributes}, {binder.bind(dump_value(key))}) > 0"
        return Place(
            f"({has_key} and {found}'any') is not null)",
            lambda condition: f"({has_key} and ifnull({condition}, 0))",
            f"({has_key} and {found}'nan') is not null)",
            number=f"{found}'number')",
            text=f"{found}'str')",
            truth=f"{found}'bool')",
            lists=f"{found}'list')",
            of_type=lambda kind: f"{found}'{kind}') is not null",
        )

    def _column(self, wanted: RecordField, name: str) -> str:
        if wanted.of != self.of_what or name not in self.columns:
            raise no_field(wanted, self.of_what)
        return self.columns[name]


_KINDS: Final = " ".join(f"when {int(kind)} then '{kind.name.lower()}'" for kind in SpanKind)
_STATUSES: Final = " ".join(f"when {int(status)} then '{status.name.lower()}'" for status in StatusCode)
SPAN_PLACES: Final = RecordPlaces(
    of_what="span",
    table="spans",
    key="spans.span_key",
    columns={
        "name": "spans.name",
        "duration": "((spans.end_ns - spans.start_ns) / 1e9)",
        "status": f"(case spans.status {_STATUSES} end)",
        "status_message": "spans.status_message",
        "kind": f"(case spans.kind {_KINDS} end)",
        "started": "(spans.start_ns / 1e9)",
        "ended": "(spans.end_ns / 1e9)",
        "run_id": "spans.run_id",
        "trace_id": "spans.trace_id",
        "span_id": "spans.span_id",
        "parent_span_id": "spans.parent_span_id",
    },
    last=(
        Tie("spans.start_ns"),
        # Index: unique (trace_id, span_id). Of a span that is gone meanwhile, all that began with it come again.
        Tie(
            "spans.span_key",
            shown=("spans.trace_id", "spans.span_id"),
            found="coalesce((select span_key from spans where trace_id = {} and span_id = {}), -1)",
        ),
    ),
    attributes="spans.attributes",
)
