"""Which traces leave by OTLP: `OTEL_TRACES_SAMPLER`. The store keeps every span.

Of each trace it is decided once: a run's trace and each of its chunk traces leave whole or not at all. The samplers of the
specification look at the trace id alone, so that every process of the run decides the same. A sampler that is installed
under `opentelemetry_traces_sampler` is asked as if the root of the trace began, with what is the same in every process:
name, operation, run and experiment. Metrics and log records are not sampled; a log record says of its trace whether it was.
Source: OpenTelemetry specification, trace SDK, built-in samplers; `TraceIdRatioBased` of its SDK for Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.base.notices import say_once
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.values import MlOperationName

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.sampling import Sampler

VARIABLE: Final = "OTEL_TRACES_SAMPLER"
ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
ENTRY_POINTS: Final = "opentelemetry_traces_sampler"
MAX_DECISIONS: Final = 65_536
"""Traces whose decision is remembered; the oldest are forgotten first."""
_SHARES: Final = {
    "always_on": 1.0,
    "parentbased_always_on": 1.0,
    "always_off": 0.0,
    "parentbased_always_off": 0.0,
}
_RATIOS: Final = frozenset({"traceidratio", "parentbased_traceidratio"})
_ID_LIMIT: Final = 1 << 64
_ID_DIGITS: Final = 16
"""The last 64 bits of a trace id decide, in hexadecimal digits."""
_TOLD_TO_SAMPLERS: Final = (attr.ML_RUN_ID, attr.ML_RUN_NAME, attr.ML_EXPERIMENT_NAME, attr.SERVICE_NAME)


class TraceSampling(Protocol):
    """What decides of traces."""

    @property
    def takes_all(self) -> bool:
        """Whether every trace is sent, so that there is nothing to ask."""
        ...

    def takes(self, trace_id: str, resource: Mapping[str, object]) -> bool:
        """Return whether a trace is sent: its id in 32 hexadecimal digits, and the resource of its run. Raises nothing."""
        ...


class Share:
    """Sends a share of all traces, by their ids."""

    def __init__(self, share: float = 1.0) -> None:
        self.share = share
        self.takes_all = share >= 1

    def takes(self, trace_id: str, resource: Mapping[str, object]) -> bool:  # noqa: ARG002 - the id alone decides
        """Return whether the trace is in the share."""
        return self.takes_all or int(trace_id[-_ID_DIGITS:], 16) < round(self.share * _ID_LIMIT)


class InstalledSampler:
    """Asks a sampler that is not ours, once a trace."""

    takes_all = False

    def __init__(self, name: str, sampler: Sampler) -> None:
        self._name = name
        self._sampler = sampler
        self._taken: dict[str, bool] = {}

    def takes(self, trace_id: str, resource: Mapping[str, object]) -> bool:
        """Return what the sampler says of the trace's root; a sampler that raises takes it."""
        taken = self._taken.get(trace_id)
        if taken is None:
            taken = self._taken[trace_id] = self._ask(trace_id, resource)
            while len(self._taken) > MAX_DECISIONS:
                self._taken.pop(next(iter(self._taken)), None)
        return taken

    def _ask(self, trace_id: str, resource: Mapping[str, object]) -> bool:
        from opentelemetry.context import Context  # noqa: PLC0415 - as below
        from opentelemetry.sdk.trace.sampling import Decision  # noqa: PLC0415 - only where somebody else's sampler is named
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - as above

        is_run = trace_id == resource.get(attr.ML_RUN_ID)
        operation = MlOperationName.RUN if is_run else MlOperationName.TRACE
        known = {key: str(resource[key]) for key in _TOLD_TO_SAMPLERS if key in resource}
        name = f"{'run' if is_run else 'chunk'} {known.get(attr.ML_EXPERIMENT_NAME, '')}"
        try:
            answer = self._sampler.should_sample(
                Context(),
                int(trace_id, 16),
                name,
                kind=SpanKind.INTERNAL,
                attributes={attr.ML_OPERATION_NAME: str(operation), **known},
                links=(),
            )
            is_taken = answer.decision is Decision.RECORD_AND_SAMPLE
        except Exception as error:
            if is_interruption(error):
                raise
            say_once(
                f"{VARIABLE}={self._name!r:.200}: the sampler raised {error!r:.300}. The trace that it was asked about is sent. "
                "Correct the sampler, or unset the variable."
            )
            return True
        return bool(is_taken)


def read_sampling(environ: Mapping[str, str], notices: list[str]) -> TraceSampling:
    """Return what decides which traces are sent; every one where no sampler is named. Add a text for what cannot be used."""
    name = environ.get(VARIABLE, "").strip()
    if name and name.lower() not in _SHARES and name.lower() not in _RATIOS:
        return _installed(name, environ.get(ARGUMENT), notices) or Share()
    return Share(_read_share(name.lower(), environ, notices))


def _read_share(name: str, environ: Mapping[str, str], notices: list[str]) -> float:
    if name not in _RATIOS:
        return _SHARES.get(name, 1.0)
    text = environ.get(ARGUMENT, "").strip()
    if not text:
        return 1.0
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if 0 <= share <= 1:
        return share
    notices.append(
        f"{ARGUMENT}={text!r:.200} cannot be used: it is no number from 0 to 1. Every trace is sent. Correct or unset it."
    )
    return 1.0


def _installed(name: str, argument: str | None, notices: list[str]) -> InstalledSampler | None:
    """Return a sampler that is installed; None, with a text, where there is none of the name or it cannot be made."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - only for names that are not the specification's

    found = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        notices.append(
            f"{VARIABLE}={name!r:.200} names no sampler that can be used: every trace is sent. It may be "
            f"{', '.join(sorted(_SHARES | dict.fromkeys(_RATIOS)))}, or one that is installed under {ENTRY_POINTS}. "
            "Correct or unset it."
        )
        return None
    try:
        sampler = found.load()(argument)
        if not callable(getattr(sampler, "should_sample", None)):
            raise TypeError(f"{sampler!r:.100} has no should_sample")  # noqa: TRY301 - as any other that it raises
    except Exception as error:
        if is_interruption(error):
            raise
        notices.append(
            f"{VARIABLE}={name!r:.200} cannot be used: {found.value} raised {error!r:.300}. Every trace is sent. Correct or "
            "unset it."
        )
        return None
    return InstalledSampler(name, sampler)
