"""Records of the standard library's `logging` in the run that is current, where the setting `logging` asks for them.

The handler sits on a logger above the root logger, not on the root logger. There a handler would change the program:
`logging.basicConfig` would do nothing, since the root logger has a handler; `dictConfig` and `basicConfig(force=True)` would
take ours away; and warnings of a program that has not set up logging would not be printed (decision 0031). No logger's
level is changed, and nothing is there until the first run that wants it.

It takes no lock, so that a signal handler or a forked child may log at any moment.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as context_api
from opentelemetry import trace

from otel_experiments.codec.from_sdk import resource_from_sdk
from otel_experiments.codec.text import text_of
from otel_experiments.journal.encode import encode_log_record
from otel_experiments.model.log import LogRecord
from otel_experiments.model.span import Scope
from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.current import active_runs, find_run
from otel_experiments.record.base.exceptions import exception_attributes
from otel_experiments.record.base.guard import THREAD_PREFIX
from otel_experiments.record.base.otel_internals import is_instrumentation_suppressed
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.record.events.writer import kept_attributes
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import PipelinePort, RunPort

_OWN: Final = ("otel_experiments", "opentelemetry", "grpc")
"""Loggers of what records and sends: what they say of a record would be a record again."""
_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else is what the program gave as `extra`."""
_MAX_SCOPES: Final = 1024
_MAX_SEVERITY: Final = 24
"""SeverityNumber of logs.proto."""
_MAX_DEPTH: Final = 2
"""A record may be logged while another is written: by a signal handler, or by the `repr` of an object in `extra`."""
_PLAIN: Final = (str, bool, int, float, bytes, type(None))


class RunLoggingHandler(logging.Handler):
    """Writes records into the run that is current where they are logged, at the level that the run's settings ask for."""

    def __init__(self) -> None:
        super().__init__()
        self._scopes: dict[str, Scope] = {}
        self._here = threading.local()

    def createLock(self) -> None:  # noqa: N802 - the name that logging gave it
        """Have no lock: a record is written without one."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Write the record, and print it where the program has set up no logging, as without us."""
        if active_runs:
            self.emit(record)
        if not logging.root.handlers:
            _print_as_last_resort(record)
        return True

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record to the journal of the run, if one is current that wants it. Raises nothing of its own."""
        run = None
        try:
            context = context_api.get_current()
            run = find_run(context)
            if run is None or not _is_wanted(run.pipeline, record, context):
                return
            if run.gate.is_closed:
                run.gate.refuse("log record")
                return
            depth = getattr(self._here, "depth", 0)
            if depth >= _MAX_DEPTH:  # describing one record logs another, without end
                return
            self._here.depth = depth + 1
            try:
                self._write(run, record, is_inner=depth > 0)
            finally:
                self._here.depth = depth
        except Exception as error:  # it would come out of the program's call that logs
            if is_interruption(error):
                raise
            if run is not None:
                what = f"A record of logger {record.name!r} was not recorded: {text_of(error)}"
                run.guard.lost("log record", what, name=record.name, error=error)

    def _write(self, run: RunPort, record: logging.LogRecord, *, is_inner: bool) -> None:
        pipeline = run.pipeline
        references = pipeline.references
        given_resource, given_scope = run.providers.resource, self._scope(record.name)
        resource = references.resource(given_resource, lambda: resource_from_sdk(given_resource))
        scope = references.scope(given_scope, lambda: given_scope)
        attributes = pipeline.redactor.mapping(
            _attributes_of(record, is_inner=is_inner), "log record's attribute"
        )
        kept, dropped = kept_attributes(attributes, pipeline.span_limits)
        span = trace.get_current_span(run.context_here()).get_span_context()
        made = LogRecord(
            time_ns=int(record.created * 1e9),
            observed_time_ns=pipeline.clock(),
            severity_number=severity_of(record.levelno),
            severity_text=record.levelname,
            body=pipeline.redactor.text(_message_of(record)),
            attributes=kept,
            trace_id=trace.format_trace_id(span.trace_id) if span.trace_id else None,
            span_id=trace.format_span_id(span.span_id) if span.span_id else None,
            flags=int(span.trace_flags),
            dropped_attributes_count=dropped,
            resource=resource.value,
            scope=given_scope,
            run_id=run.id,
        )
        is_kept = pipeline.journal.append(
            encode_log_record(made, resource.number, scope.number),
            (resource.declaration, scope.declaration),
        )
        if not is_kept:
            run.guard.lost(*why_not_kept(pipeline.journal, "Log records"))

    def _scope(self, name: str) -> Scope:
        found = self._scopes.get(name)
        if found is None:
            if len(self._scopes) >= _MAX_SCOPES:
                self._scopes.clear()
            found = self._scopes[name] = Scope(name)
        return found


def severity_of(level: int) -> int:
    """Return the SeverityNumber of a level of `logging`: DEBUG 5, INFO 9, WARNING 13, ERROR 17, CRITICAL 21.

    Source: OpenTelemetry's logs data model, SeverityNumber; levels between the five lie between theirs.
    """
    return min(_MAX_SEVERITY, max(1, level * 4 // 10 + 1))


def _is_wanted(pipeline: PipelinePort, record: logging.LogRecord, context: context_api.Context) -> bool:
    level = pipeline.settings.logging
    if level is None or record.levelno < level or not pipeline.has_telemetry:
        return False
    return not (
        record.name.partition(".")[0] in _OWN
        or (record.threadName or "").startswith(THREAD_PREFIX)
        or is_instrumentation_suppressed(context)
    )


def _message_of(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # arguments that do not fit, or raise: the program's handlers say so
        if is_interruption(error):
            raise
        return text_of(record.msg)


def _attributes_of(record: logging.LogRecord, *, is_inner: bool) -> Mapping[str, Any]:
    found: dict[str, Any] = {
        attr.CODE_FILE_PATH: record.pathname,
        attr.CODE_FUNCTION_NAME: record.funcName,
        attr.CODE_LINE_NUMBER: record.lineno,
        attr.CODE_STACKTRACE: record.stack_info,
        attr.THREAD_NAME: record.threadName,
    }
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        found |= exception_attributes(error)
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    if is_inner:  # an object that logs when it is described would do so again
        extra = {
            key: value if type(value) in _PLAIN else type(value).__name__ for key, value in extra.items()
        }
    return {**{key: value for key, value in found.items() if value is not None}, **extra}


class _UnseenHandlers(list[logging.Handler]):
    """Handlers that records reach, and that are no sign of logging being set up for who asks `hasHandlers`."""

    def __bool__(self) -> bool:
        return False


_handler: Final = RunLoggingHandler()
_above: Final = logging.Logger("otel_experiments.above_root")  # noqa: LOG001 - `getLogger` would put it below the root
_users: Final[set[int]] = set()


def take_logging(pipeline: PipelinePort) -> None:
    """Have what is logged reach the runs of this pipeline, where its settings ask for it; safe to call again."""
    if pipeline.settings.logging is None or id(pipeline) in _users:
        return
    _users.add(id(pipeline))
    _above.handlers = _UnseenHandlers([_handler])
    top: logging.Logger = logging.root
    while top.parent is not None and top is not _above:
        top = top.parent
    if top is not _above:
        top.parent = _above


def leave_logging(pipeline: PipelinePort) -> None:
    """Let go of what `take_logging` took, when no other pipeline needs it; safe to call again."""
    _users.discard(id(pipeline))
    below: logging.Logger | None = logging.root
    while not _users and below is not None:
        if below.parent is _above:
            below.parent = _above.parent
        below = below.parent


def _print_as_last_resort(record: logging.LogRecord) -> None:
    """Do what `logging` does with a record that no handler takes: ours is none that the program knows of."""
    last_resort = logging.lastResort
    if last_resort is None or record.levelno < last_resort.level:
        return
    named = logging.root.manager.loggerDict.get(record.name)
    at: logging.Logger | None = named if isinstance(named, logging.Logger) else logging.root
    while at is not None and at is not _above:
        if at.handlers:
            return
        at = at.parent
    last_resort.handle(record)
