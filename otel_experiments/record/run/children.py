"""What a forked child may need of what is imported on first use only: imported before the process forks.

None of these starts a thread or registers a handler of forks when it is imported (`process/fork.py` says why).
"""

from __future__ import annotations

from typing import Final

CHILDREN_NEED: Final = (
    "ast",  # traceback's, when it shows an exception
    "unicodedata",  # as above
    "ctypes",  # the store's, for connections that a child inherits
    "resource",  # the journal's, for the reason of a refusal
    "wrapt",
    "opentelemetry._logs",
    "opentelemetry.trace.propagation.tracecontext",
    "otel_experiments.record.events.child_logger",
    "otel_experiments.codec.media.encode",  # a run's, for what is no number
    "otel_experiments.record.run.worker",
    "otel_experiments.store.sqlite.write_batch",
    "otel_experiments.store.sqlite.write_telemetry",
    "otel_experiments.store.sqlite.read_telemetry",
)
