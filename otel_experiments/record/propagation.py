"""How a run travels to other processes: as environment variables, without talking to anybody.

A worker joins the run that it is told of (`OTEL_EXPERIMENTS_RUN_ID`, `TRACEPARENT`). The ranks of one job agree on
a run without being told: each derives the same ids from what torchrun, SLURM or Open MPI tell all of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import SpanContext, TraceFlags

from otel_experiments.errors import ConfigurationError
from otel_experiments.journal.owner import process_start_ticks
from otel_experiments.record.environment import distributed_attributes
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.record.run import Run

RUN_ID_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_ID"
RUN_NAME_VARIABLE: Final = "OTEL_EXPERIMENTS_RUN_NAME"
EXPERIMENT_VARIABLE: Final = "OTEL_EXPERIMENTS_EXPERIMENT"
STORE_VARIABLE: Final = "OTEL_EXPERIMENTS_STORE"
PROJECT_VARIABLE: Final = "OTEL_EXPERIMENTS_PROJECT"
ENABLED_VARIABLE: Final = "OTEL_EXPERIMENTS_ENABLED"
JOB_ID_VARIABLE: Final = "OTEL_EXPERIMENTS_JOB_ID"
TRACEPARENT_VARIABLE: Final = "TRACEPARENT"
THREAD_IDS_VARIABLE: Final = "OTEL_EXPERIMENTS_THREAD_IDS"
"""Set by `otel-experiments trace` for the command that it runs: spans are to carry the id of their thread."""

_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")
_started: Counter[tuple[str, str]] = Counter()


@dataclass(frozen=True, slots=True)
class Membership:
    """The run that a process is to join, and the span under which its own spans go (None: not told)."""

    run_id: str
    name: str
    experiment: str
    parent: SpanContext | None


@dataclass(frozen=True, slots=True)
class Rank:
    """The place of this process among the ranks of a job that make one run together.

    All ranks derive the same `run_id` and `root_span_id` (hex).
    """

    rank: int
    run_id: str
    root_span_id: str

    @property
    def root(self) -> SpanContext:
        """The root span, which rank 0 opens."""
        return SpanContext(
            int(self.run_id, 16), int(self.root_span_id, 16), is_remote=True, trace_flags=TraceFlags(1)
        )


def traceparent(context: SpanContext) -> str:
    """Return the W3C header of a span. Source: W3C Trace Context, traceparent."""
    flags = int(context.trace_flags)
    return f"00-{trace.format_trace_id(context.trace_id)}-{trace.format_span_id(context.span_id)}-{flags:02x}"


def environment_of(run: Run) -> dict[str, str]:
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

    carrier = {"traceparent": environ.get(TRACEPARENT_VARIABLE, "")}
    told = trace.get_current_span(TraceContextTextMapPropagator().extract(carrier)).get_span_context()
    return Membership(
        run_id=run_id,
        name=environ.get(RUN_NAME_VARIABLE, ""),
        experiment=environ.get(EXPERIMENT_VARIABLE, ""),
        parent=told if told.is_valid else None,
    )


def find_rank(environ: Mapping[str, str], experiment: str, name: str | None) -> Rank | None:
    """Return this process's place among the ranks of its job; None when it is alone or the job has no id.

    Every rank that starts a run of the same experiment and name for the n-th time gets the same ids.
    """
    rank = distributed_attributes(environ).get(attr.ML_DISTRIBUTED_RANK)
    job = _job_id(environ)
    if not isinstance(rank, int) or job is None:
        return None
    ordinal = _started[experiment, name or ""]
    _started[experiment, name or ""] += 1
    restart = environ.get("TORCHELASTIC_RESTART_COUNT") or environ.get("SLURM_RESTART_COUNT") or "0"
    program = os.path.basename(sys.argv[0]) if sys.argv else ""  # noqa: PTH119 - a text
    text = "\0".join([*job, restart, program, experiment, name or "", str(ordinal)])
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
    return Rank(rank, digest[:32], digest[32:48])


def _job_id(environ: Mapping[str, str]) -> list[str] | None:
    """Return what names the job, and nothing else in time and space, in the same words on all ranks."""
    given = environ.get(JOB_ID_VARIABLE)
    if given:
        return ["given", given]
    elastic = environ.get("TORCHELASTIC_RUN_ID")
    if elastic and elastic != "none":  # what torchrun says when it was told no --rdzv-id
        return ["torch", elastic]
    step = environ.get("SLURM_STEP_ID")
    if (
        environ.get("SLURM_JOB_ID") and step
    ):  # outside of srun there is one process, whatever SLURM_NTASKS says
        return ["slurm", environ["SLURM_JOB_ID"], step]
    for variable in ("PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid"):
        if environ.get(variable):
            return ["mpi", environ[variable]]
    address = environ.get("MASTER_ADDR")
    if not address:
        return None
    found = ["address", address, environ.get("MASTER_PORT", "")]
    if environ.get("LOCAL_WORLD_SIZE", environ.get("WORLD_SIZE")) == environ.get("WORLD_SIZE"):
        # One machine: the next job may well use the same port, but it has another parent.
        parent = os.getppid()
        found += [str(parent), str(process_start_ticks(parent))]
    return found
