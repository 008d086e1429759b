"""What is asked of a store, as data: filters over runs and spans, free of SQL and of any syntax."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from otel_experiments.model.position import Position

RunFieldName = Literal[
    "run_id", "name", "experiment", "state", "group", "condition", "hypothesis", "reason", "error_type",
    "parent_run_id", "created", "started", "ended", "duration", "attempt", "artifacts", "note", "pinned", "archived",
    "removed",
]  # fmt: skip
"""Times are seconds since the Unix epoch, `duration` seconds without pauses, as people write them.

`artifacts` is how many there are, by name and content, without media. `pinned`, `archived` and `removed` are the time of that edit; a run without the mark does not have the field.
"""

Visibility = Literal["listed", "kept", "archived", "removed", "hidden", "present", "all"]
"""Which runs are seen: `listed` ones are neither archived nor removed, `hidden` ones are one of the two, `kept` ones are not
removed, and `present` are all but what is left of purged ones."""

MetricStat = Literal[
    "last", "min", "max", "mean", "best", "count", "nan_count",
    "first_step", "last_step", "min_step", "max_step", "best_step",
]  # fmt: skip
FactName = Literal[
    "git.commit", "git.branch", "git.repository", "environment.python", "host", "command", "key"
]
"""What the resource of a run tells of where it ran, and the key it was started with. `environment.python` is ordered as versions are, 3.9 before 3.11."""
ArtifactPart = Literal["digest", "type", "size", "aliases"]
"""Of the artifact that a run logged last under a name; `size` in bytes, `aliases` as they point now."""
SpanStat = Literal["count", "errors", "total", "mean", "min", "max", "p50", "p95", "p99"]
"""What is known of the ended spans of one name in a run. Times are seconds; percentiles are within 1 %."""
OrderingOperator = Literal["==", "!=", "<", "<=", ">", ">="]
ComparisonOperator = Literal[
    "==", "!=", "<", "<=", ">", ">=", "in", "not in", "contains", "startswith", "endswith", "matches",
]  # fmt: skip
"""`contains`: substring of a string or element of a list. `matches`: Python regular expression, searched.

A tuple is the values of `in` and `not in`; with `==` and `!=` it is a list that is compared as a whole.
"""
ArithmeticOperator = Literal["+", "-", "*", "/"]

Literal_ = str | bool | int | float | None
SearchValue = Literal_ | tuple[Literal_, ...]


@dataclass(frozen=True, slots=True)
class RunField:
    """A column of the run itself. `state` is the computed state, LOST included."""

    name: RunFieldName


@dataclass(frozen=True, slots=True)
class ParamField:
    """A parameter by dotted key. A run without it never matches, not even `!=`."""

    key: str


@dataclass(frozen=True, slots=True)
class SummaryField(ParamField):
    """A value that the program set in the summary of its run, by dotted key; compared as a param is."""


@dataclass(frozen=True, slots=True)
class TagField:
    """A tag by key."""

    key: str


@dataclass(frozen=True, slots=True)
class MetricField:
    """A number of a metric's summary. `phase` None asks for the series without a phase, else any single one."""

    name: str
    stat: MetricStat = "last"
    phase: str | None = None


@dataclass(frozen=True, slots=True)
class FactField:
    """Where a run ran: a text, which a run has unless it is empty."""

    name: FactName


@dataclass(frozen=True, slots=True)
class DirtyField:
    """Whether the checkout had what was not committed, by the run's snapshot; true or false."""


@dataclass(frozen=True, slots=True)
class PackageField:
    """The version of a package that was installed, by the run's snapshot; ordered as versions are."""

    name: str


@dataclass(frozen=True, slots=True)
class ArtifactField:
    """A part of the artifact that the run logged last under a name, media left out."""

    name: str
    part: ArtifactPart = "digest"


@dataclass(frozen=True, slots=True)
class SpanStatField:
    """A number of the ended spans of one name in a run; a run without such spans does not have it."""

    name: str
    stat: SpanStat = "count"


@dataclass(frozen=True, slots=True)
class EventCountField:
    """How many events of one name a run has; a run without any does not have it."""

    name: str


@dataclass(frozen=True, slots=True)
class LogTextField:
    """The text of each log record of a run, printed lines and events among them; one that fits is enough."""


@dataclass(frozen=True, slots=True)
class RecordField:
    """What a span, a log record, a trace or an artifact says of itself, in a search for such.

    Attributes:
        of: what is searched.
        name: what the field is called in an expression.
        kind: what it holds; a time is a number of seconds since the Unix epoch.
    """

    of: Literal["span", "log record", "trace", "artifact"]
    name: str
    kind: Literal["text", "number", "time"] = "text"


@dataclass(frozen=True, slots=True)
class AttributeField:
    """An attribute of a span or a log record, or what was said of an artifact (its metadata), by key; of any type."""

    key: str


SearchField = (
    RunField | ParamField | TagField | MetricField | SpanStatField | EventCountField | LogTextField
    | FactField | DirtyField | PackageField | ArtifactField | RecordField | AttributeField
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A number that is calculated of fields and numbers, as a float. Without one of its fields there is none; nor by zero."""

    operator: ArithmeticOperator
    left: Operand
    right: Operand


Operand = SearchField | Arithmetic | int | float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`. Integers and floats compare as numbers; other type pairs never match."""

    field: SearchField
    operator: ComparisonOperator
    value: SearchValue


@dataclass(frozen=True, slots=True)
class Calculated:
    """`left operator right`, numbers that are calculated. A run without one of the fields, and NaN, never match."""

    left: Operand
    operator: OrderingOperator
    right: Operand


@dataclass(frozen=True, slots=True)
class IsNan:
    """The number is NaN."""

    field: SearchField


@dataclass(frozen=True, slots=True)
class Exists:
    """The run has the field at all."""

    field: SearchField


@dataclass(frozen=True, slots=True)
class And:
    """All of the operands hold."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the operands holds."""

    operands: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The operand does not hold. A run without the field does not match the operand, so it matches this."""

    operand: Expression


Expression = Comparison | Calculated | IsNan | Exists | And | Or | Not


@dataclass(frozen=True, slots=True)
class Order:
    """A sort key; runs without the field (and NaN) come last in both directions."""

    field: SearchField
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which runs, in which order, how many. Ties are broken by creation time, newest first.

    A removed run is found only where `visibility` asks for it. `after` leaves out what stands up to a position.
    """

    where: Expression | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    visibility: Visibility = "kept"
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """Which spans. All given conditions must hold.

    `hides_removed` leaves out those of removed runs. `attributes` compares values exactly; a None asks only whether the span has the attribute.
    `where` is a search over the fields of spans. Units: durations are nanoseconds; an open span has no duration and never matches a
    duration bound. Results are ordered by `order`, then by start time. `after` leaves out what stands up to a position.
    """

    run_id: str | None = None
    trace_id: str | None = None
    name: str | None = None
    name_glob: str | None = None
    min_duration_ns: int | None = None
    max_duration_ns: int | None = None
    is_error: bool | None = None
    attributes: tuple[tuple[str, str | bool | int | float | None], ...] = field(default=())
    limit: int | None = None
    offset: int = 0
    hides_removed: bool = False
    where: Expression | None = None
    order: tuple[Order, ...] = ()
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class TraceQuery:
    """Which traces, in which order, how many. Those that began last come first, and those of removed runs are left out.

    `after` leaves out what stands up to a position.
    """

    where: Expression | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    after: Position | None = None
