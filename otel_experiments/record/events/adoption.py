"""Adopting the application's LoggerProvider: log records and events that are emitted inside a run land in it.

A provider is adopted by its public `add_log_record_processor` (`base/provider_watch.py` finds it). What it hands to the
application's exporters stays as it was: only the copy that is stored in the run says which run it belongs to.
Importing this module does not import the SDK's logs, which takes as long as all the rest.
"""

from __future__ import annotations

import logging
import sys
import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import trace

from otel_experiments.codec.from_sdk import log_record_from_sdk
from otel_experiments.codec.text import shown
from otel_experiments.journal.encode import encode_log_record
from otel_experiments.model.log import LogRecord
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.current import RUN_KEY, active_runs, find_run
from otel_experiments.record.base.guard import logger
from otel_experiments.record.base.otel_internals import logger_provider_finder
from otel_experiments.record.base.provider_watch import ProviderKind
from otel_experiments.record.base.room import why_not_kept
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import (
        LoggerProvider,
        LogRecordProcessor,
        ReadableLogRecord,
        ReadWriteLogRecord,
    )

    from otel_experiments.record.base.ports import RunPort

_MAX_HELD: Final = 2048
"""As many as the SDK's batch processor holds."""
_run_ids: Final[dict[int, tuple[weakref.ref[object], str]]] = {}
"""The runs of adopted records, by the identity of their attributes, for our own exporter, which comes later.

A batch processor of the SDK's exports a copy of the record without its context; the attributes are the same object.
"""
_held: Final[dict[int, tuple[object, str]]] = {}
"""The same of attributes that have no weak references, such as a `dict` that a processor put there: the latest ones."""


class AdoptingLogProcessor:
    """Sits on the application's provider and brings into the run what is emitted while a run is current.

    It has the methods of `LogRecordProcessor` without deriving from it. It holds no pipeline: a provider outlives
    `configure()` and `shutdown()`, and can give no processor back.
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record to the journal of the run that is current, if one is."""
        if not active_runs:
            return
        run = None
        try:
            run = _run_of(log_record)
            if run is None or not run.pipeline.has_telemetry:
                return
            if run.gate.is_closed:
                run.gate.refuse("event" if log_record.log_record.event_name else "log record")
                return
            _write(run, log_record)
            _remember(log_record.log_record.attributes, run.id)
        except Exception as error:  # a processor's exception would reach user code
            if is_interruption(error):
                raise
            _tell(run, log_record, error)

    def enabled(self, **_: object) -> bool:
        """Say that we want no record that the application's processors do not want: their exporters would get it."""
        return False

    def shutdown(self) -> None:
        """Do nothing: what was recorded is not the application's to close."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's interface
        """Say that all is written: it was, before `emit` returned."""
        return True


def adopted_record(data: ReadableLogRecord | ReadWriteLogRecord) -> LogRecord:
    """Return a record of the application's as the run has it: with the run's id, where it was emitted inside of one."""
    record = log_record_from_sdk(data)
    if record.run_id is not None:
        return record
    run_id = _run_id_of(data)
    return record if run_id is None else _of_run(record, run_id)


def _run_id_of(data: ReadableLogRecord | ReadWriteLogRecord) -> str | None:
    """Return the run of a record that is exported: after it was adopted, or before that, in the thread that emits it.

    That one run is on says nothing here: a batch may have waited since before the run.
    """
    given = data.log_record
    known = _run_ids.get(id(given.attributes))
    if known is not None:
        return known[1]
    held = _held.get(id(given.attributes))
    if held is not None:
        return held[1]
    named = given.context.get(RUN_KEY) if given.context else None
    run_id = trace.format_trace_id(given.trace_id or 0) if named is None else str(getattr(named, "id", ""))
    return run_id if run_id in active_runs else None


def _remember(attributes: object, run_id: str) -> None:
    key = id(attributes)
    try:
        _run_ids[key] = weakref.ref(attributes, lambda _: _run_ids.pop(key, None)), run_id
    except TypeError:
        if attributes is None:
            return
        _held[key] = attributes, run_id
        while len(_held) > _MAX_HELD:
            _held.pop(next(iter(_held), key), None)


def _run_of(data: ReadableLogRecord | ReadWriteLogRecord) -> RunPort | None:
    given = data.log_record
    # A record that an application makes by itself may have no context, and knows the run by its trace.
    return find_run(given.context) or active_runs.get(trace.format_trace_id(given.trace_id or 0))


def _of_run(record: LogRecord, run_id: str) -> LogRecord:
    return replace(record, attributes={**record.attributes, attr.ML_RUN_ID: run_id}, run_id=run_id)


def _write(run: RunPort, data: ReadWriteLogRecord) -> None:
    record = _of_run(log_record_from_sdk(data), run.id)
    references, journal = run.pipeline.references, run.pipeline.journal
    resource = references.resource(data.resource, lambda: record.resource)
    scope = references.scope(data.instrumentation_scope, lambda: record.scope)
    is_kept = journal.append(
        encode_log_record(record, resource.number, scope.number), (resource.declaration, scope.declaration)
    )
    if not is_kept:
        run.guard.lost(*why_not_kept(journal, "Log records"))


def _tell(run: RunPort | None, data: ReadWriteLogRecord, error: Exception) -> None:
    if run is None:
        text = "A log record of the application was not looked at: %r"
        tell(logger, text, error, level=logging.DEBUG)
        return
    name = str(getattr(data.log_record, "event_name", None) or "")
    run.guard.lost(
        "foreign log record",
        lambda: f"Log record {shown(name)} of the application was not adopted: {error!r}",
        name=name,
        error=error,
    )


_processor: Final = AdoptingLogProcessor()


def _adopt(provider: LoggerProvider) -> None:
    provider.add_log_record_processor(cast("LogRecordProcessor", _processor))


def _ask() -> object:
    with SignalsWait("opentelemetry._logs"):
        from opentelemetry import _logs  # noqa: PLC0415 - only where the environment names a provider

    return _logs.get_logger_provider()


def _sdk_class() -> type | None:
    module = sys.modules.get("opentelemetry.sdk._logs")
    return getattr(module, "LoggerProvider", None)


PROVIDERS: Final = ProviderKind(
    name="LoggerProvider",
    items="log records",
    added="log record processor",
    variable="OTEL_PYTHON_LOGGER_PROVIDER",
    getter="get_logger",
    adder="add_log_record_processor",
    finder=logger_provider_finder,
    ask=_ask,
    sdk_class=_sdk_class,
    adopt=_adopt,
)
"""What finds and adopts them."""
