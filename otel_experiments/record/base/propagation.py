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
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext

from otel_experiments.errors import ConfigurationError
from otel_experiments.model.other_stores import ENTRY_POINTS, JOURNAL_DIR_VARIABLE, is_reachable
from otel_experiments.model.store_location import STORE_VARIABLE
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values

if TYPE_CHECKING:
    from otel_experiments.record.base.ports import RunPort

RUN_ID_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_ID"
RUN_NAME_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_NAME"
RANK_VARIABLE: Final = "OTEL_EXPERIMENTS_RANK"
"""The rank whose worker a process is: what it records is that rank's."""
PARENT_RUN_VARIABLE: Final = "OTEL_EXPERIMENTS_PARENT_RUN_ID"
"""The run that a run of this process is part of, where the process starts runs of its own."""
EXPERIMENT_VARIABLE: Final = "OTEL_EXPERIMENTS_EXPERIMENT"
PROJECT_VARIABLE: Final = "OTEL_EXPERIMENTS_PROJECT"
ARTIFACTS_VARIABLE: Final = "OTEL_EXPERIMENTS_ARTIFACTS"
ENABLED_VARIABLE: Final = "OTEL_EXPERIMENTS_ENABLED"
TRACEPARENT_VARIABLE: Final = "TRACEPARENT"
TRACESTATE_VARIABLE: Final = "TRACESTATE"
OFFER_VARIABLE: Final = "OTEL_EXPERIMENTS_OFFERED_RUN"
"""Set by `otel-experiments run` for the command that it runs: the file of the run that the command's first run goes on with."""
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


_FIXES: Final = (
    "Keep it in a file: configure(store=PATH).",
    f"Let an entry point of the group {ENTRY_POINTS!r} open the store by its address.",
)


def traceparent(context: SpanContext) -> str:
    """Return the W3C header of a span. Source: W3C Trace Context, traceparent."""
    flags = int(context.trace_flags)
    return f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-{flags:02x}"


def environment_of(run: RunPort, *, joins: bool = True) -> dict[str, str]:
    """Return the variables with which another process joins `run`, or starts runs that are part of it.

    Raises:
        ConfigurationError: the run is kept in memory, where no other process finds it.
    """
    settings = run.pipeline.settings
    location = settings.location
    is_found_elsewhere = location.path is not None or is_reachable(location.address)
    if settings.is_stored and not is_found_elsewhere:
        raise ConfigurationError(
            f"Run {run.name!r} is kept in {settings.shown_store!r}, where no other process finds it.\n"
            f"  {_FIXES[location.kind == 'other']}"
        )
    context = trace.get_current_span(run.context_here()).get_span_context()
    if not joins:
        return _environment_of_parts(run, context)
    found = {
        RUN_ID_VARIABLE: run.id,
        RUN_NAME_VARIABLE: run.name,
        EXPERIMENT_VARIABLE: run.experiment,
        PROJECT_VARIABLE: settings.project or "",
        STORE_VARIABLE: str(run.pipeline.store_path or settings.store),
        ARTIFACTS_VARIABLE: settings.artifacts or "",
        JOURNAL_DIR_VARIABLE: settings.journal_dir or "",
        TRACEPARENT_VARIABLE: traceparent(context) if context.is_valid else "",
        ENABLED_VARIABLE: "" if settings.enabled else "false",
        RANK_VARIABLE: str(run.providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK, "")),
    }
    return {name: value for name, value in found.items() if value}


def _environment_of_parts(run: RunPort, context: SpanContext) -> dict[str, str]:
    """Return the variables for runs that are part of `run`; empty ones take back what this process was given itself."""
    settings = run.pipeline.settings
    return {
        RUN_ID_VARIABLE: "",
        RUN_NAME_VARIABLE: "",
        RANK_VARIABLE: "",
        PARENT_RUN_VARIABLE: run.id,
        EXPERIMENT_VARIABLE: run.experiment,
        PROJECT_VARIABLE: settings.project or "",
        STORE_VARIABLE: str(run.pipeline.store_path or settings.store),
        ARTIFACTS_VARIABLE: settings.artifacts or "",
        JOURNAL_DIR_VARIABLE: settings.journal_dir or "",
        TRACEPARENT_VARIABLE: traceparent(context) if context.is_valid else "",
        TRACESTATE_VARIABLE: context.trace_state.to_header(),
        ENABLED_VARIABLE: "" if settings.enabled else "false",
    }


def read_parent_run(environ: Mapping[str, str]) -> str | None:
    """Return the id of the run that runs of this process are part of; None where `environ` names none.

    Raises:
        ConfigurationError: the run id is not one.
    """
    run_id = environ.get(PARENT_RUN_VARIABLE, "").strip().lower()
    if not run_id:
        return None
    if _RUN_ID.fullmatch(run_id) is None or not int(run_id, 16):
        raise ConfigurationError(
            f"{PARENT_RUN_VARIABLE}={run_id!r} is not the id of a run (32 hexadecimal digits).\n"
            "  Pass on what run.environment(joins=False) returns in the process of that run, or unset the variable."
        )
    return run_id


def read_outer_span(environ: Mapping[str, str]) -> SpanContext | None:
    """Return the span that `TRACEPARENT` and `TRACESTATE` name; None where they name none.

    Source: W3C Trace Context, and OpenTelemetry's specification of environment variables as carriers.
    """
    if not environ.get(TRACEPARENT_VARIABLE):
        return None
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - only where a variable is set
        TraceContextTextMapPropagator,
    )

    carrier = {
        "traceparent": environ[TRACEPARENT_VARIABLE],
        "tracestate": environ.get(TRACESTATE_VARIABLE, ""),
    }
    outer = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier, Context()))
    found = outer.get_span_context()
    return found if found.is_valid else None


def links_of_start(environ: Mapping[str, str], *, run_id: str = "") -> tuple[Link, ...]:
    """Return the link from a run that starts here to the span that it starts in: the current one, else an outer one.

    A span of the run itself, `run_id`, is none: `otel-experiments run` names its own to the command.
    """
    around, source = trace.get_current_span().get_span_context(), values.MlRunStartedFrom.CONTEXT
    if not around.is_valid:
        outer = read_outer_span(environ)
        if outer is None or trace.format_trace_id(outer.trace_id) == run_id:
            return ()
        around, source = outer, values.MlRunStartedFrom.ENVIRONMENT
    return (Link(around, {attr.ML_RUN_STARTED_FROM: source}),)


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
    rank = environ.get(RANK_VARIABLE, "")
    parent = read_outer_span(environ)
    return Membership(
        run_id=run_id,
        name=environ.get(RUN_NAME_VARIABLE, ""),
        experiment=environ.get(EXPERIMENT_VARIABLE, ""),
        parent=parent,
        rank=int(rank) if rank.isascii() and rank.isdecimal() else None,
    )
