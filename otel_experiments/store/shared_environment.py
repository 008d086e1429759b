"""A run that leaves its store takes along what another run has for both: what code, packages and machine were.

Of the runs that a process starts within half a minute only the first has the event `ml.run.environment`; the others name it
in their first event.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START

if TYPE_CHECKING:
    from otel_experiments.model.batch import WriteBatch
    from otel_experiments.model.log import LogRecord
    from otel_experiments.store.protocol import Store


def whole_run_alone(store: Store, run_id: str, *, among: Collection[str]) -> Iterator[WriteBatch]:
    """Yield the pages of `Store.whole_run`, with the environment that another run has where that one is not `among` these."""
    for page in store.whole_run(run_id):
        for record in list(page.log_records):
            source = record.attributes.get(attr.ML_ENVIRONMENT_RUN_ID)
            if record.event_name == ML_RUN_START.name and isinstance(source, str) and source not in among:
                page.log_records.extend(_taken_over(store, source, record))
        yield page


def _taken_over(store: Store, source: str, start: LogRecord) -> Iterator[LogRecord]:
    """Yield the event of another run as one of the run that has started."""
    for record in store.log_records(run_id=source, event_name=ML_RUN_ENVIRONMENT.name)[-1:]:
        yield replace(
            record,
            run_id=start.run_id,
            trace_id=start.trace_id,
            span_id=start.span_id,
            resource=start.resource,
            scope=start.scope,
        )
