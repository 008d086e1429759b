"""Two runs as values that JSON can hold. Keys are only ever added."""

from __future__ import annotations

from otel_experiments.differences.difference import Difference
from otel_experiments.differences.found import Differing, RunSide
from otel_experiments.differences.span_sides import PathTimes
from otel_experiments.query.json_values import Plain, plain, plain_number


def render_json(diff: Differing) -> dict[str, Plain]:
    """Return everything that is known of what two runs differ in."""
    return {
        "is_same": diff.is_same,
        "a": _side(diff.a),
        "b": _side(diff.b),
        "differences": [_difference(one) for one in diff.differences],
        "notes": list(diff.notes),
        "same": dict(diff.same),
        "paths": [
            {"path": path, "a": _times(diff.paths_a.get(path)), "b": _times(diff.paths_b.get(path))}
            for path in dict.fromkeys((*diff.paths_a, *diff.paths_b))
        ],
    }


def _side(side: RunSide) -> Plain:
    return {
        "run_id": side.id,
        "name": side.name,
        "experiment": side.experiment,
        "state": side.state,
        "duration_s": side.duration_s,
    }


def _difference(one: Difference) -> Plain:
    return {
        "role": one.role,
        "section": one.section,
        "key": one.key,
        "change": one.change,
        "a": plain(one.a),
        "b": plain(one.b),
        "weight": round(one.weight, 4),
        "detail": one.detail,
        "lines": list(one.lines),
        "evidence": {key: plain_number(value) for key, value in one.evidence.items()},
    }


def _times(times: PathTimes | None) -> Plain:
    if times is None:
        return None
    return {
        "count": times.count,
        "p50_s": times.p50_s,
        "p95_s": times.p95_s,
        "self_p50_s": times.self_p50_s,
        "self_s": times.self_s,
        "cpu_s": times.cpu_s,
    }
