"""The span trees of two runs: which paths only one has, counts and states by golden's matcher, and where the time went."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from otel_experiments.analysis.statistics import median, percentile_of_sorted
from otel_experiments.differences import weights
from otel_experiments.differences.difference import Difference
from otel_experiments.differences.span_sides import PathTimes, SpanSide
from otel_experiments.figures.quantity import duration
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.findings.description import describe
from otel_experiments.golden.match.content_diff import OwnTolerance
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import match_forms
from otel_experiments.golden.match.shapes import ranks_of
from otel_experiments.semconv import attributes as attr

_LEAST_RATIO: Final = 1.1
_FEW_RATIO: Final = 1.25
"""What one to three spans have to differ by: they do not say how they vary."""
_FEW: Final = 4
_ERRORS: Final = 2.5
_LEAST_SHARE: Final = 0.01
"""A path that gained or lost less of the run's time than this is not named among the times; `paths` has it."""
_LEAST_S: Final = 0.001
_CPU_SHARE: Final = 0.5
"""A path took longer because it computed more where its CPU time accounts for this part of it."""
_CPU_FLAT: Final = 0.1
"""CPU time that moved by less than this part of itself, or of what the wall time moved, is the same."""
_UNIFORM_PATHS: Final = 4
_UNIFORM_SPREAD: Final = 1.2
_UNIFORM_SHARE: Final = 0.02
"""Paths with less of the run's time do not say how fast its machine is."""
_RTOL: Final = 1e-9

_WEIGHTS: Final[Mapping[Code, float]] = {
    Code.STATUS: 0.9,
    Code.RETRY: 0.88,
    Code.ADDED: 0.75,
    Code.REMOVED: 0.75,
    Code.COUNT: 0.7,
    Code.SERIALISED: 0.7,
    Code.PARALLELISED: 0.65,
    Code.RENAMED: 0.6,
    Code.MOVED: 0.6,
    Code.RANK_DIFFERS: 0.75,
}
_OTHER_WEIGHT: Final = 0.4
_SUBTREE: Final = frozenset({Code.ADDED, Code.REMOVED})


def compare_spans(a: SpanSide, b: SpanSide) -> Iterator[Difference]:
    """Yield what differs in structure and content of the spans, then in their times; nothing where a side has no spans."""
    if a.form is None or b.form is None:
        return
    ledger = Ledger()
    match_forms(a.form, b.form, ledger, tolerance=OwnTolerance(_RTOL, is_loose=False))
    for finding in ledger.findings(ranks_of(a.form), ranks_of(b.form)):
        if not _is_said_elsewhere(finding):
            yield _of_finding(finding, a.paths, b.paths)
    yield from _times(a.paths, b.paths)


def uniform_factor(a: Mapping[str, PathTimes], b: Mapping[str, PathTimes]) -> float | None:
    """Return by which factor every path takes longer in B; None where they do not all move alike.

    Then the machine is another one, or was busy, and no path is to blame.
    """
    least_s = _UNIFORM_SHARE * sum(one.self_s for one in a.values())
    ratios = [
        b[path].self_p50_s / ours.self_p50_s
        for path, ours in a.items()
        if path in b and min(ours.self_p50_s, b[path].self_p50_s) >= _LEAST_S and ours.self_s >= least_s
    ]
    if len(ratios) < _UNIFORM_PATHS:
        return None
    middle = median(ratios)
    is_alike = all(middle / _UNIFORM_SPREAD <= one <= middle * _UNIFORM_SPREAD for one in ratios)
    return middle if is_alike and not 1 / _FEW_RATIO < middle < _FEW_RATIO else None


def _is_said_elsewhere(finding: Finding) -> bool:
    """Tell whether it is about an attribute that repeats what is compared as a param, a tag or a name."""
    key = finding.key
    return finding.group == "span" and key.startswith((f"{attr.ML_HYPERPARAMETER}.", *_ELSEWHERE))


_ELSEWHERE: Final = (
    attr.ML_RUN_NAME, attr.ML_RUN_TAG, attr.ML_RUN_STATE, attr.ML_RUN_REASON, attr.ML_RUN_RESULT, attr.ML_EXPERIMENT_NAME,
    attr.ML_EXPERIMENT_GROUP, attr.ML_EXPERIMENT_CONDITION, attr.ML_EXPERIMENT_HYPOTHESIS, attr.ML_EXPERIMENT_DESCRIPTION,
)  # fmt: skip


def _of_finding(finding: Finding, a: Mapping[str, PathTimes], b: Mapping[str, PathTimes]) -> Difference:
    before, after = a.get(finding.path), b.get(finding.path)
    ours: object = finding.golden or None
    theirs: object = finding.candidate or None
    clauses = [str(finding.code)]
    if finding.code in _SUBTREE or finding.code == Code.COUNT:
        ours = None if before is None else f"{before.count:,}"
        theirs = None if after is None else f"{after.count:,}"
        if before is not None and after is not None and before.count != after.count:
            clauses = [_times_text(after.count / before.count)]
            gained = after.self_s - before.self_s
            clauses += [f"{_signed(gained)} of its own time"] if abs(gained) >= _LEAST_S else []
        else:
            clauses += [describe(finding)]
    else:
        clauses.append(describe(replace(finding, golden="", candidate="")))  # the values stand before it
    return Difference(
        "spans",
        f"{finding.path or '(the whole run)'}{f' {finding.key}' if finding.key and finding.group == 'span' else ''}",
        a=ours,
        b=theirs,
        weight=_WEIGHTS.get(finding.code, _OTHER_WEIGHT),
        detail=", ".join(clause for clause in clauses if clause),
        evidence={"places": float(finding.count)},
    )


def _times_text(ratio: float) -> str:
    return f"x{ratio:.3g}" if ratio >= 1 else f"x{ratio:.2g}"


def _signed(seconds: float) -> str:
    return f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}"


def _times(a: Mapping[str, PathTimes], b: Mapping[str, PathTimes]) -> Iterator[Difference]:
    longer_s = max(sum(one.self_s for one in a.values()), sum(one.self_s for one in b.values()))
    for path, ours in a.items():
        theirs = b.get(path)
        if theirs is None:
            continue
        moved_s = theirs.self_s - ours.self_s
        if ours.count != theirs.count:  # more rounds take longer: what each takes is the question
            moved_s = (theirs.self_p50_s - ours.self_p50_s) * min(ours.count, theirs.count)
        if abs(moved_s) < max(_LEAST_S, _LEAST_SHARE * longer_s) or not _is_beyond_noise(ours, theirs):
            continue
        share = abs(moved_s) / longer_s
        relative = theirs.self_p50_s / ours.self_p50_s if ours.self_p50_s else math.inf
        clauses = [f"{(relative - 1) * 100:+.3g} %" if math.isfinite(relative) else "from nothing"]
        clauses += [f"{_signed(moved_s)} in {_spans(ours, theirs)}", *_cpu(ours, theirs)]
        yield Difference(
            "times",
            path,
            a=duration(ours.self_p50_s),
            b=duration(theirs.self_p50_s),
            weight=weights.time_weight(share),
            detail=", ".join(clauses),
            evidence={
                "moved_s": moved_s, "share": share, "p50_s_a": ours.p50_s, "p50_s_b": theirs.p50_s, "p95_s_a": ours.p95_s,
                "p95_s_b": theirs.p95_s,
            },
        )  # fmt: skip


def _spans(a: PathTimes, b: PathTimes) -> str:
    if a.count == b.count:
        return "1 span" if a.count == 1 else f"{a.count:,} spans"
    return f"{min(a.count, b.count):,} spans"


def _is_beyond_noise(a: PathTimes, b: PathTimes) -> bool:
    """Tell whether the medians differ by more than their standard errors allow, and by more than a tenth.

    Of a run there is one sample of its machine, so this tells spans that vary from spans that moved, and not a busy machine from a
    slower program: the CPU time beside it does.
    """
    low, high = sorted((a.self_p50_s, b.self_p50_s))
    if high == 0.0:
        return False
    ratio = high / low if low else math.inf
    if min(a.count, b.count) < _FEW:
        return ratio >= _FEW_RATIO
    return ratio >= _LEAST_RATIO and high - low > _ERRORS * math.hypot(_median_error(a), _median_error(b))


def _median_error(times: PathTimes) -> float:
    """Return the standard error of a median: half the distance of the order statistics one deviation of its rank away.

    Source: Woodruff 1952, Confidence intervals for medians and other position measures.
    """
    away = 0.5 / math.sqrt(times.count)
    low, high = (percentile_of_sorted(times.self_times_s, 0.5 + side * away) for side in (-1, 1))
    return (high - low) / 2


def _cpu(a: PathTimes, b: PathTimes) -> list[str]:
    """Return whether a path computed more, or waited: wall time up and CPU time flat is a wait, or a busy machine."""
    if a.cpu_s is None or b.cpu_s is None:
        return []
    moved = b.self_s / b.count - a.self_s / a.count
    cpu = b.cpu_s / b.count - a.cpu_s / a.count
    if moved == 0.0:
        return []
    if cpu / moved >= _CPU_SHARE:
        return ["it computes more" if moved > 0 else "it computes less"]
    if abs(cpu) > _CPU_FLAT * max(a.cpu_s / a.count, abs(moved)):
        return ["most of it is waiting" if moved > 0 else "most of it is less waiting"]
    return ["CPU time the same: it waits longer" if moved > 0 else "CPU time the same: it waits less"]
