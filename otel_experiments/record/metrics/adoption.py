"""Adopting the application's MeterProvider: what its instruments measure while one run is on belongs to the run.

A provider is adopted by its public `add_metric_reader` (`base/provider_watch.py` finds it) as long as it is the global
one, so that the application's
readers and exporters stay as they were. An instrument belongs to the process, and a measurement says nothing of a
run. So whatever changes which runs are on collects first: what was measured since the last collection belongs to the
run that was the only one, to no run where there were several, and is dropped where there was none (decision 0028).
Importing this module does not import the SDK's metrics.
"""

from __future__ import annotations

import logging
import sys
import threading
import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from opentelemetry.metrics import get_meter_provider

from otel_experiments.process.fork import at_fork
from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.process.thread_signals import leave_signals_to_the_program
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.guard import THREAD_PREFIX, logger
from otel_experiments.record.base.otel_internals import meter_provider_finder
from otel_experiments.record.base.provider_watch import ProviderKind

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider

    from otel_experiments.record.base.ports import RunPort
    from otel_experiments.record.metrics.adopted_reader import AdoptedMetricReader, Owner

_THREAD: Final = f"{THREAD_PREFIX}instruments"
_PATIENCE_S: Final = 1.0
"""So long a collection is waited for: callbacks of the application's may take any time."""
_FORK_PATIENCE_S: Final = 0.2
"""So long a fork waits for a collection, whose locks a child would inherit."""

_readers: Final[weakref.WeakSet[AdoptedMetricReader]] = weakref.WeakSet()
"""One for each provider, which keeps it alive."""
_leaving: Final[weakref.WeakSet[AdoptedMetricReader]] = weakref.WeakSet()
"""Those of providers that are the global one no more: they are collected a last time if a run is on, and taken back."""
_collection: threading.Thread | None = None
_busy = threading.Lock()
_is_held_for_fork = False


def collect_adopted(*, without: RunPort | None = None) -> None:
    """Keep what the application's instruments measured since the last time, for the run that was on meanwhile.

    `without` is a run that has just begun. The SDK's locks cannot be taken twice by one thread, and a run may end in a
    signal handler that interrupted a collection of the application's. So a thread of ours collects, and is not waited
    for longer than a second; what it collects later belongs to the same run. Raises nothing of its own.
    """
    global _collection  # noqa: PLW0603 - one at a time in the process
    if not (_readers or _leaving) or threading.current_thread().name == _THREAD:
        return
    if _collection is not None and _collection.is_alive():
        _collection.join(_PATIENCE_S)
        if _collection.is_alive():
            return  # what is measured meanwhile is in the next collection
    owner = _owner([run for run in list(active_runs.values()) if run is not without])
    try:
        _collection = threading.Thread(target=_collect, args=(owner,), name=_THREAD, daemon=True)
        _collection.start()
    except RuntimeError:  # the interpreter ends, and starts no thread any more
        _collection = None
        _collect(owner)
    else:
        _collection.join(_PATIENCE_S)


def _owner(runs: list[RunPort]) -> Owner | None:
    """Return where to write what was measured while these runs were on; None where it is dropped."""
    recording = [run for run in runs if run.pipeline.has_telemetry and not run.pipeline.is_inherited]
    if not recording:
        return None
    return recording[0].pipeline, recording[0].id if len(runs) == 1 else None


def _collect(owner: Owner | None) -> None:
    if threading.current_thread().name == _THREAD:
        leave_signals_to_the_program()
    with _busy:
        for reader in list(_leaving):
            if owner is not None:
                reader.collect_for(owner)
            if reader in _leaving:  # it may have been adopted again meanwhile
                _leaving.discard(reader)
                _take_back(reader)
        for reader in list(_readers):
            reader.collect_for(owner)


def _adopt(provider: MeterProvider) -> None:
    with SignalsWait("otel_experiments.record.metrics.adopted_reader"):
        from otel_experiments.record.metrics.adopted_reader import AdoptedMetricReader  # noqa: PLC0415 - see above

    known = _reader_of(provider, _leaving)
    if known is not None:
        _leaving.discard(known)
        _readers.add(known)
        return
    reader = AdoptedMetricReader(provider)
    provider.add_metric_reader(reader)
    _readers.add(reader)


def _let_go(provider: MeterProvider) -> None:
    """Have the next collection be the last of this provider.

    The reader is taken back by the thread that collects: a callback that hangs holds the SDK's lock.
    """
    reader = _reader_of(provider, _readers)
    if reader is not None:
        _readers.discard(reader)
        _leaving.add(reader)


def _take_back(reader: AdoptedMetricReader) -> None:
    remove = getattr(reader.provider(), "remove_metric_reader", None)
    if remove is None:  # an older SDK or a foreign provider: the reader stays, and is read no more
        return
    try:
        remove(reader)
    except Exception as error:  # it is read no more, whatever a foreign provider does
        if is_interruption(error):
            raise
        tell(logger, "A metric reader was not taken back: %r", error, level=logging.DEBUG)


def _reader_of(provider: object, readers: Iterable[AdoptedMetricReader]) -> AdoptedMetricReader | None:
    return next((reader for reader in list(readers) if reader.provider() is provider), None)


def _sdk_class() -> type | None:
    module = sys.modules.get("opentelemetry.sdk.metrics")
    return getattr(module, "MeterProvider", None)


PROVIDERS: Final = ProviderKind(
    name="MeterProvider",
    items="instruments",
    added="metric reader",
    variable="OTEL_PYTHON_METER_PROVIDER",
    getter="get_meter",
    adder="add_metric_reader",
    finder=meter_provider_finder,
    ask=get_meter_provider,
    sdk_class=_sdk_class,
    adopt=_adopt,
    let_go=_let_go,
)
"""What finds and adopts them."""


def _before_fork() -> None:
    global _is_held_for_fork  # noqa: PLW0603 - a fact about the process
    _is_held_for_fork = bool(_readers or _leaving) and _busy.acquire(timeout=_FORK_PATIENCE_S)


def _after_fork_in_parent() -> None:
    global _is_held_for_fork  # noqa: PLW0603 - as above
    if _is_held_for_fork:
        _is_held_for_fork = False
        _busy.release()


def _after_fork_in_child() -> None:
    global _busy, _collection, _is_held_for_fork
    _busy, _collection, _is_held_for_fork = threading.Lock(), None, False
    _readers.clear()  # what they measured is the parent's to collect
    _leaving.clear()


at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
