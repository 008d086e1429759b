"""How a run travels to other processes: as environment variables, without talking to anybody.

A worker joins the run that it is told of (`OTEL_EXPERIMENTS_RUN_ID`, `TRACEPARENT`). How the ranks of one job agree
on a run without being told is in `ranks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import SpanContext

from otel_experiments.errors import ConfigurationError
from otel_experiments.model.store_location import STORE_VARIABLE
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort

RUN_ID_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_ID"
RUN_NAME_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_NAME"
RANK_VARIABLE: Final = "OTEL_EXPERIMENTS_RANK"
"""The rank whose worker a process is: what it records is that rank's."""
EXPERIMENT_VARIABLE: Final = "OTEL_EXPERIMENTS_EXPERIMENT"
PROJECT_VARIABLE: Final = "OTEL_EXPERIMENTS_PROJECT"
ENABLED_VARIABLE: Final = "OTEL_EXPERIMENTS_ENABLED"
TRACEPARENT_VARIABLE: Final = "TRACEPARENT"
THREAD_IDS_VARIABLE: Final = "OTEL_EXPERIMENTS_THREAD_IDS"
"""Set by `otel-experiments trace` for the command that it runs: spans are to carry the id of their thread."""

_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Membership:
    """The run that a process is to join, the span under which its own spans go, the rank whose worker it is.

    None: not told.
    """

    run_id: str
    name: str
    experiment: str
    parent: SpanContext | None
    rank: int | None = None


def traceparent(context: SpanContext) -> str:
    """Return the W3C header of a span. Source: W3C Trace Context, traceparent."""
    flags = int(context.trace_flags)
    return f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-{flags:02x}"


def environment_of(run: RunPort) -> dict[str, str]:
    """Return the variables with which another process joins `run`.

    Raises:
        ConfigurationError: the run is kept in memory, where no other process finds it.
    """
    settings = run.pipeline.settings
    if settings.store_path is None and settings.is_stored:
        raise ConfigurationError(
            f"Run {run.name!r} is kept in {settings.store!r}, where no other process finds it.\n"
            "  Keep it in a file: configure(store=PATH)."
        )
    context = trace.get_current_span(run.context_here()).get_span_context()
    found = {
        RUN_ID_VARIABLE: run.id,
        RUN_NAME_VARIABLE: run.name,
        EXPERIMENT_VARIABLE: run.experiment,
        PROJECT_VARIABLE: settings.project or "",
        STORE_VARIABLE: str(run.pipeline.store_path or settings.store),
        TRACEPARENT_VARIABLE: traceparent(context) if context.is_valid else "",
        ENABLED_VARIABLE: "" if settings.enabled else "false",
        RANK_VARIABLE: str(run.providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK, "")),
    }
    return {name: value for name, value in found.items() if value}


def read_membership(environ: Mapping[str, str]) -> Membership | None:
    """Return the run that `environ` tells this process to join; None when it tells none.

    Raises:
        ConfigurationError: the run id is not one.
    """
    run_id = environ.get(RUN_ID_VARIABLE, "").strip().lower()
    if not run_id:
        return None
    if _RUN_ID.fullmatch(run_id) is None or not int(run_id, 16):
        raise ConfigurationError(
            f"{RUN_ID_VARIABLE}={run_id!r} is not the id of a run (32 hexadecimal digits).\n"
            "  Pass on what run.environment() returns in the process that started the run, or unset the variable."
        )
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - only in processes that join
        TraceContextTextMapPropagator,
    )

    rank = environ.get(RANK_VARIABLE, "")
    carrier = {"traceparent": environ.get(TRACEPARENT_VARIABLE, "")}
    told = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
    return Membership(
        run_id=run_id,
        name=environ.get(RUN_NAME_VARIABLE, ""),
        experiment=environ.get(EXPERIMENT_VARIABLE, ""),
        parent=told if told.is_valid else None,
        rank=int(rank) if rank.isascii() and rank.isdecimal() else None,
    )
