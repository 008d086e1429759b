"""Which traces leave by OTLP: `OTEL_TRACES_SAMPLER`. The store keeps every span.

The trace id alone decides, as OpenTelemetry's own samplers do for a trace without a parent, and a run's trace has none. So the
run's trace and each of its chunk traces leave whole or not at all, from every process of the run. Metrics and log records
are not sampled. Source: OpenTelemetry specification, trace SDK, built-in samplers; `TraceIdRatioBased` of its SDK for Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

VARIABLE: Final = "OTEL_TRACES_SAMPLER"
ARGUMENT: Final = "OTEL_TRACES_SAMPLER_ARG"
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


def read_share(environ: Mapping[str, str], notices: list[str]) -> float:
    """Return which share of all traces is sent, 1 where no sampler is named; add a text for what cannot be used."""
    name = environ.get(VARIABLE, "").strip().lower()
    if not name or name in _SHARES:
        return _SHARES.get(name, 1.0)
    if name not in _RATIOS:
        notices.append(
            f"{VARIABLE}={environ[VARIABLE]!r:.200} names no sampler that can be used: every trace is sent. It may be "
            f"{', '.join(sorted(_SHARES | dict.fromkeys(_RATIOS)))}. Correct or unset it."
        )
        return 1.0
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


def is_in_share(trace_id: str, share: float) -> bool:
    """Return whether a trace, by its id of 32 hexadecimal digits, is in this share of all traces."""
    return share >= 1 or int(trace_id[-_ID_DIGITS:], 16) < round(share * _ID_LIMIT)
