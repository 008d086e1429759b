"""Attaching stored telemetry without a run to a run, and taking it back: where the store, a mapping and edits meet."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from os import PathLike
from typing import Final, Literal

from otel_experiments._chosen_store import editing
from otel_experiments.edit import attach as _edit
from otel_experiments.edit.attach import AttachReport, PointsOf
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.attachment import TelemetryQuery
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.interruption import pass_on
from otel_experiments.query import Reader
from otel_experiments.store import Store

Time = str | datetime
"""A point in time: ISO 8601, such as `2026-01-31 18:30`; without an offset it is meant in local time."""

_TRACE_DIGITS: Final = 32


def attach(
    run: str,
    *,
    trace: str | None = None,
    service: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    resource: Mapping[str, str | bool | int | float | None] | None = None,
    store: str | PathLike[str] | StoreObject | None = None,
) -> AttachReport:
    """Attach telemetry that belongs to no run to a run: spans, log records, data points of instruments.

    No attribute is changed, and `detach` takes it back. Gauges, and span events that carry numbers, become series of the
    run, on the axis of their steps as the mapping has them. Telemetry that arrives later is attached by the same call.

    Args:
        run: an id, the beginning of one, or a name that no other run has.
        trace: a trace id, or the beginning of one.
        service: the name of a service, with or without its namespace.
        since: what starts at this time or later.
        until: what starts before this time.
        resource: attributes of the resource and their values; None asks only whether it has the attribute.
        store: where the run is; by default the store that this process records into, else that of the settings.

    Raises:
        ConfigurationError: nothing says what is meant, a time or trace id cannot be understood, or `since` is not before `until`.
        RunNotFoundError: there is no such run.
        AmbiguousRunError: several runs are called so.
        MappingFileError: the mapping beside the store cannot be used.
        StoreError: the store cannot be read or written.
    """
    if not (trace or service or since or until or resource):
        raise ConfigurationError(
            f"Nothing says what is to be attached to run {run!r}.\n"
            f"  Name a trace, a service, a time or an attribute of the resource; otel-experiments attach{_typed(store)} lists what there is."
        )
    with _editing(store) as (reader, opened, points_of):
        run_id = reader.only_run(run).id
        query = _query(opened, None, trace, service, since, until, resource, attached_to=run_id)
        return _edit.attach(opened, run_id, query, time_ns=time.time_ns(), points_of=points_of)


def detach(
    run: str,
    *,
    trace: str | None = None,
    service: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    resource: Mapping[str, str | bool | int | float | None] | None = None,
    store: str | PathLike[str] | StoreObject | None = None,
) -> AttachReport:
    """Take back what was attached to a run: all of it, or what the arguments mean, which are those of `attach`.

    It belongs to no run again, and the points that came of it leave the run's series. What the run brought itself stays.

    Raises:
        ConfigurationError: a time or trace id cannot be understood.
        RunNotFoundError: there is no such run.
        AmbiguousRunError: several runs are called so.
        MappingFileError: the mapping beside the store cannot be used.
        StoreError: the store cannot be read or written.
    """
    with _editing(store) as (reader, opened, points_of):
        run_id = reader.only_run(run).id
        query = _query(opened, run_id, trace, service, since, until, resource)
        return _edit.detach(opened, run_id, query, points_of=points_of)


def telemetry_query(
    store: Store,
    *,
    trace: str | None = None,
    service: str | None = None,
    since: Time | None = None,
    until: Time | None = None,
    resource: Mapping[str, str | bool | int | float | None] | None = None,
) -> TelemetryQuery:
    """Return what arguments of `attach` mean of the telemetry without a run.

    Raises:
        ConfigurationError: a time or trace id cannot be understood.
    """
    return _query(store, None, trace, service, since, until, resource)


def _query(
    store: Store,
    run_id: str | None,
    trace: str | None,
    service: str | None,
    since: Time | None,
    until: Time | None,
    resource: Mapping[str, str | bool | int | float | None] | None,
    attached_to: str | None = None,
) -> TelemetryQuery:
    query = TelemetryQuery(
        run_id=run_id,
        service=service or None,
        since_ns=_time_ns(since, "since"),
        until_ns=_time_ns(until, "until"),
        resource=tuple((resource or {}).items()),
    )
    if query.since_ns is not None and query.until_ns is not None and query.since_ns >= query.until_ns:
        raise ConfigurationError(
            f"The time since ({since}) is not before the time until ({until}), so that nothing lies between them.\n"
            "  Name the earlier time with since, the later one with until."
        )
    return query if not trace else _of_trace(store, query, trace, attached_to)


def _of_trace(store: Store, query: TelemetryQuery, trace: str, attached_to: str | None) -> TelemetryQuery:
    wanted = trace.strip().lower().replace("-", "")
    if not wanted or len(wanted) > _TRACE_DIGITS or any(digit not in "0123456789abcdef" for digit in wanted):
        raise ConfigurationError(
            f"Trace {trace!r} cannot be looked for: it is no hexadecimal number of up to {_TRACE_DIGITS} digits.\n"
            f"  Copy a trace id, or its beginning, from: otel-experiments attach --store {shlex.quote(store.location)}"
        )
    found = _traces(store, query.run_id, wanted) or _traces(store, attached_to, wanted)
    if len(found) > 1:
        shown = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        raise ConfigurationError(
            f"Trace {trace!r} is the beginning of {len(found)} trace ids: {shown}.\n  Give more digits."
        )
    return replace(query, trace_id=found[0] if found else wanted)


def _typed(store: str | PathLike[str] | StoreObject | None) -> str:
    """Return `--store PATH` as it has to be typed behind a command, with a space before it; nothing where none was given."""
    if store is None:
        return ""
    address = os.fspath(store) if isinstance(store, (str, os.PathLike)) else str(StoreLocation.parse(store))
    return f" --store {shlex.quote(address)}"


def _traces(store: Store, run_id: str | None, beginning: str) -> list[str]:
    groups = store.telemetry_groups(TelemetryQuery(run_id), by_trace=True)
    return [one.trace_id for one in groups if one.trace_id is not None and one.trace_id.startswith(beginning)]


def _time_ns(given: Time | None, name: Literal["since", "until"]) -> int | None:
    if given is None or given == "":
        return None
    try:
        moment = given if isinstance(given, datetime) else datetime.fromisoformat(given)
        return round(moment.timestamp() * 1e9)
    except (ValueError, OverflowError, OSError) as error:
        pass_on(error)
        raise ConfigurationError(
            f"The time {name} is {given!r}, which is no date.\n"
            '  Write it as "2026-01-31", "2026-01-31 18:30" or "2026-01-31T18:30:00Z".'
        ) from error


@contextmanager
def _editing(store: str | PathLike[str] | StoreObject | None) -> Iterator[tuple[Reader, Store, PointsOf]]:
    """Give a reader over all that was recorded for a store, the store open for writing, and what makes points for it."""
    from otel_experiments.importers.otlp.attached import points_of_store  # noqa: PLC0415 - 20 ms that few need

    with editing(store, refused="Nothing can be attached", done_there="attach") as (reader, opened):
        yield reader, opened, points_of_store(StoreLocation.parse(opened.location).beside)
