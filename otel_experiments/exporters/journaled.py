"""The way from exporters into a store: a journal, so that an exported batch is safe when `export` returns.

All exporters of a process that name the same store share one journal and one drain. A forked child appends to a
journal of its own, which the parent drains.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from otel_experiments.codec.values import dump_canonical
from otel_experiments.collect.drain import Drain
from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.journal_reports import reporter_for
from otel_experiments.errors import ConfigurationError, StoreError
from otel_experiments.importers.otlp import unpack_for
from otel_experiments.journal.encode import (
    encode_instrument_points,
    encode_log_record,
    encode_resource,
    encode_scope,
    encode_span,
)
from otel_experiments.journal.writer import Declaration, JournalWriter
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.other_stores import StoreObject
from otel_experiments.model.span import Resource, Scope, Span
from otel_experiments.model.store_location import STORE_VARIABLE, StoreLocation
from otel_experiments.process.file_mode import file_mode_of, parse_file_mode
from otel_experiments.process.fork import at_fork
from otel_experiments.store import Store, open_store

MODE_VARIABLE: Final = "OTEL_EXPERIMENTS_STORE_MODE"
_DRAIN_INTERVAL_S: Final = 0.5

Value = TypeVar("Value", Resource, Scope)

_lock = threading.RLock()
_shared: dict[Path, JournaledStore] = {}


def shared_store(location: str | os.PathLike[str] | StoreObject | None) -> JournaledStore:
    """Return this process's way into the store at `location` (by default that of the environment).

    Raises:
        ConfigurationError: the store is in memory, or there is none; exporters keep what outlives them.
        StoreError: the store cannot be used.
    """
    where = StoreLocation.named(location)
    beside = where.beside
    if beside is None:
        raise ConfigurationError(
            f"An exporter cannot keep telemetry in {str(where)!r}: nothing of it would outlive this process.\n"
            f"  Name a file, or a store that others reach: path=... or {STORE_VARIABLE}=PATH."
        )
    with _lock:
        found = _shared.get(beside)
        if found is None:
            found = _shared[beside] = JournaledStore(where, beside)
        found.users += 1
        return found


def _file_mode(path: Path) -> int:
    text = os.environ.get(MODE_VARIABLE)
    try:
        return file_mode_of(parse_file_mode(text) if text else None, path)
    except ValueError as error:
        raise ConfigurationError(
            f"{MODE_VARIABLE}={text!r} cannot be used: {error}.\n  Name who may read and write a new store: 0600, 0660, umask."
        ) from None


class JournaledStore:
    """One store, its journal of this process, and the drain between them.

    Args:
        where: the store.
        beside: the path beside which its journals lie.
    """

    def __init__(self, where: StoreLocation, beside: Path) -> None:
        self._beside = beside
        self.users = 0
        self._pid = os.getpid()
        file_mode = _file_mode(beside)
        self._store: Store = open_store(where.absolute_path or where, file_mode=file_mode)
        directory = journal_directory(beside)
        self._journal = JournalWriter(directory, file_mode=file_mode)
        self._reporter = (
            reporter_for(
                self._store, directory, journal_id=self._journal.writer_id, interval_s=_DRAIN_INTERVAL_S
            )
            if where.kind == "other"
            else None
        )
        self._drain = Drain(
            self._reporter or self._store,
            directory,
            interval_s=_DRAIN_INTERVAL_S,
            before_round=None if self._reporter is None else self._reporter.before_round,
            unpack=unpack_for(beside),
        )
        self._journal.call_on_roll(self._drain.wake)
        self._numbers: dict[str, int] = {}
        self._next_number = itertools.count().__next__
        self._drain.start()

    def write_spans(self, spans: Sequence[Span]) -> bool:
        """Append spans to the journal; False when one was lost."""
        is_kept = True
        for span in spans:
            is_kept &= self._write(partial(encode_span, span), span.resource, span.scope)
        return is_kept

    def write_log_records(self, records: Sequence[LogRecord]) -> bool:
        """Append log records to the journal; False when one was lost."""
        is_kept = True
        for record in records:
            is_kept &= self._write(partial(encode_log_record, record), record.resource, record.scope)
        return is_kept

    def write_instrument_points(self, points: Sequence[InstrumentPoint]) -> bool:
        """Append data points to the journal; False when they were lost."""
        if not points:
            return True
        resources = [self._declared("resource", p.resource, encode_resource) for p in points]
        scopes = [self._declared("scope", p.scope, encode_scope) for p in points]
        payload = encode_instrument_points(points, [n for n, _ in resources], [n for n, _ in scopes])
        declarations = list(dict(d for _, d in [*resources, *scopes]).items())
        return self._journal.append(payload, declarations)

    def flush(self, *, timeout_s: float) -> bool:
        """Move the journal into the store; True when all of it went in time."""
        if os.getpid() != self._pid:
            return True
        return self._drain.drain_now(timeout_s=timeout_s)

    def release(self) -> None:
        """Let go; the last user closes journal, drain and store."""
        if os.getpid() != self._pid:
            return
        with _lock:
            self.users -= 1
            if self.users > 0:
                return
            _shared.pop(self._beside, None)
        self._journal.close()
        if self._drain.close(timeout_s=5.0):
            if self._reporter is not None:
                with suppress(StoreError):  # a reader of this host says it
                    self._reporter.close()
            self._store.close()

    def _write(self, encode: Callable[[int, int], bytes], resource: Resource, scope: Scope) -> bool:
        resource_number, resource_declaration = self._declared("resource", resource, encode_resource)
        scope_number, scope_declaration = self._declared("scope", scope, encode_scope)
        return self._journal.append(
            encode(resource_number, scope_number), (resource_declaration, scope_declaration)
        )

    def _declared(
        self, kind: str, value: Value, encode: Callable[[int, Value], bytes]
    ) -> tuple[int, Declaration]:
        """Return the number of a resource or scope, equal ones having the same."""
        if isinstance(value, Resource):
            content: object = [dict(value.attributes), value.schema_url]
        else:
            content = [value.name, value.version, value.schema_url, dict(value.attributes)]
        key = f"{kind}:{dump_canonical(content)}"
        number = self._numbers.get(key)
        if number is None:  # no lock: two threads draw two numbers, and the first one stays
            number = self._numbers.setdefault(key, self._next_number())
        return number, ((kind, number), lambda: encode(number, value))


def _reset_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.RLock()


at_fork(after_in_child=_reset_in_child)
