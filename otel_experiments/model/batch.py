"""What is written in one transaction: the journal decodes into it, exporters fill it, every store applies it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
    from otel_experiments.model.attachment import Attachment, Detachment
    from otel_experiments.model.edit import RunEdit, RunPurge
    from otel_experiments.model.instrument import InstrumentPoint
    from otel_experiments.model.journal_report import JournalReport
    from otel_experiments.model.log import LogRecord
    from otel_experiments.model.metric import Direction, PointBlock
    from otel_experiments.model.received import ReceivedRequest
    from otel_experiments.model.run import Owner, ParamValue, Run, RunState
    from otel_experiments.model.span import Span
    from otel_experiments.model.unsent import Unsent


@dataclass(frozen=True, slots=True)
class RunStateChange:
    """A run took another state.

    `paused_total_ns`, `paused_count` and `paused_dropped_count` are totals so far, so that applying the
    change twice changes nothing.

    `is_root`: a root span that was received says so, of which a run may have several, a process each. `received_on` is the
    host of the process that took it in, where it came over OTLP: runs that this host has recorded itself know better. No
    journal has these two.
    """

    run_id: str
    state: RunState
    time_ns: int
    reason: str = ""
    error_type: str = ""
    paused_total_ns: int = 0
    paused_count: int = 0
    paused_dropped_count: int = 0
    attempt: int = 1
    owner: Owner | None = None
    is_root: bool = False
    received_on: str = ""


@dataclass(frozen=True, slots=True)
class RunSighting:
    """What received telemetry says of its run beside its own content: who it is, and that it is there.

    `run` is in the state RUNNING from the earliest time seen. It fills what the store does not know of the run and
    blanks nothing; a run's own record replaces it. `is_root`: it is the run's root span, made by the process that owns
    the run, which says more than other processes' telemetry.
    """

    run: Run
    is_root: bool = False


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The run's process was alive at `time_ns`."""

    run_id: str
    time_ns: int


@dataclass(frozen=True, slots=True)
class ParamSet:
    """A parameter took a value; the latest `time_ns` wins, and stores keep earlier ones. `key` is dotted, `value` no mapping.

    What a rank above 0 was told has its negative number for the time: it is the run's where no lower rank was told. Copies
    of params on a received root span have negative times below all those.
    """

    run_id: str
    key: str
    value: ParamValue
    time_ns: int


@dataclass(frozen=True, slots=True)
class TagSet:
    """A tag took a value (None removes it); the latest `time_ns` wins, negative ones as in `ParamSet`."""

    run_id: str
    key: str
    value: str | None
    time_ns: int


@dataclass(frozen=True, slots=True)
class SummarySet:
    """A value of a run's summary that the program set itself; the latest `time_ns` wins, as in `ParamSet`."""

    run_id: str
    key: str
    value: ParamValue
    time_ns: int


@dataclass(frozen=True, slots=True)
class MetricDefinition:
    """How a metric is to be read. `pattern` is a name or a glob such as `val/*`; empty texts say nothing.

    `direction` is the one that is better, `step_metric` the metric that is the x axis, `summary` what the run's summary
    has of it: words of `SUMMARY_WORDS`, with commas between. `is_hidden`: tables and charts of all metrics leave it out; None says
    nothing, False shows what a glob hides.
    """

    run_id: str
    pattern: str
    direction: Direction | None = None
    step_metric: str = ""
    summary: str = ""
    is_hidden: bool | None = None


@dataclass(frozen=True, slots=True)
class SharedTrace:
    """A trace that may have spans and log records of a run beside such as name none: these join the run.

    `run_ids` are the runs that what is written in the same batch names in this trace. `points_of` makes the points of a run
    of spans that join it; None where none are made.
    """

    trace_id: str
    run_ids: frozenset[str] = frozenset()
    points_of: Callable[[str, Sequence[Span]], list[PointBlock]] | None = None


@dataclass(frozen=True, slots=True)
class JournalAdvance:
    """The batch covers one journal segment from `start_offset` to `end_offset` (bytes)."""

    segment_id: str
    start_offset: int
    end_offset: int


@dataclass(slots=True)
class WriteBatch:
    """Everything that goes into the store in one transaction, in the order of the fields.

    Applying a batch is idempotent but for `points`, whose exactly-once delivery rests on `journal`: a store
    refuses the whole batch when a segment's stored offset is not the advance's `start_offset`.

    `unsent` writes rows anew, `sent` removes them. After that, what comes from a journal (`journal` is not empty) counts
    as not sent in every row that its runs have.

    `shared_traces` are traces in which what names no run joins the run of others, if there is one.

    `purges` come before all else, and `revivals` before them: ids of runs that were purged, of which the batch brings the
    whole. Nothing else that a batch says of a purged run is stored.

    `received` are requests of other programs that a journal held. Whoever merges turns them into the other fields and
    empties it; no store takes it.

    `journal_reports` say what the journals of the recording host still hold; of each journal the latest one counts. Only
    stores that other hosts reach are given any.
    """

    runs: list[Run] = field(default_factory=list)
    sightings: list[RunSighting] = field(default_factory=list)
    state_changes: list[RunStateChange] = field(default_factory=list)
    heartbeats: list[Heartbeat] = field(default_factory=list)
    params: list[ParamSet] = field(default_factory=list)
    tags: list[TagSet] = field(default_factory=list)
    summaries: list[SummarySet] = field(default_factory=list)
    metric_definitions: list[MetricDefinition] = field(default_factory=list)
    points: list[PointBlock] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    log_records: list[LogRecord] = field(default_factory=list)
    instrument_points: list[InstrumentPoint] = field(default_factory=list)
    shared_traces: list[SharedTrace] = field(default_factory=list)
    journal: list[JournalAdvance] = field(default_factory=list)
    unsent: list[Unsent] = field(default_factory=list)
    sent: list[Unsent] = field(default_factory=list)
    received: list[ReceivedRequest] = field(default_factory=list)
    detach: list[Detachment] = field(default_factory=list)
    attach: list[Attachment] = field(default_factory=list)
    artifacts: list[ArtifactLogged] = field(default_factory=list)
    artifact_uses: list[ArtifactUsed] = field(default_factory=list)
    artifact_aliases: list[AliasSet] = field(default_factory=list)
    edits: list[RunEdit] = field(default_factory=list)
    purges: list[RunPurge] = field(default_factory=list)
    revivals: list[str] = field(default_factory=list)
    journal_reports: list[JournalReport] = field(default_factory=list)

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)


Unpack = Callable[[WriteBatch], list[str]]
"""Turns the requests that a batch received into runs, spans, points and so on of the same batch.

It returns what could not be read of them, one text each, and leaves none in the batch.
"""
