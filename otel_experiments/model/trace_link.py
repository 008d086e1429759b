"""From a run to its trace in a backend's UI: an address with placeholders, and what takes their place.

https://jaeger.example/trace/{trace_id}
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from otel_experiments.model.run import Run

PLACEHOLDERS: Final = (
    "trace_id",
    "span_id",
    "run_id",
    "name",
    "experiment",
    "start_s",
    "end_s",
    "start_ms",
    "end_ms",
    "start_us",
    "end_us",
)
"""What may stand in braces. Times are those of the run; its end is the present while it is on."""
_NS: Final = {"s": 10**9, "ms": 10**6, "us": 10**3}
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_SCHEMES: Final = frozenset({"http", "https"})
_CONTROL: Final = re.compile(r"[\x00-\x20\x7f-\x9f]")


def parse_trace_url(text: str) -> str:
    """Return the address as it is given.

    Raises:
        ValueError: it is no address of the web, or has a placeholder that is not known.
    """
    known = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
    unknown = [name for name in _BRACES.findall(text) if name not in PLACEHOLDERS]
    if unknown:
        raise ValueError(
            f"it has the placeholder {{{unknown[0]}}}, which is not known. Known are {known}; a brace itself is "
            "written %7B or %7D"
        )
    rest = _BRACES.sub("x", text)
    if "{" in rest or "}" in rest:
        raise ValueError("it has a brace without its partner. A brace itself is written %7B or %7D")
    if _CONTROL.search(rest):
        raise ValueError("it has a blank or a control character. A blank is written %20")
    parts = urlsplit(rest)
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ValueError("it does not begin with http://HOST or https://HOST")
    if _BRACES.search(text) is None:
        raise ValueError(f"it is the same for every run. Give it a placeholder: {known}")
    return text


def trace_link(template: str, run: Run) -> str | None:
    """Return the address of a run's trace; None while the run has not started, so that there is none."""
    if run.started_ns is None or run.root_span_id is None:
        return None
    start_ns = run.started_ns
    end_ns = max(start_ns, run.ended_ns if run.ended_ns is not None else time.time_ns())
    values = {
        "trace_id": run.run_id,
        "span_id": run.root_span_id,
        "run_id": run.run_id,
        "name": run.name,
        "experiment": run.experiment,
        **{f"start_{unit}": str(start_ns // unit_ns) for unit, unit_ns in _NS.items()},
        **{f"end_{unit}": str(-(-end_ns // unit_ns)) for unit, unit_ns in _NS.items()},
    }
    return _BRACES.sub(lambda found: quote(values[found[1]], safe=""), template)
