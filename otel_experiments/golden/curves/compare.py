"""Whether a metric's curve is the golden one: bit for bit, within a tolerance, within a band, or as fast.

Curves are aligned by the index of the spans or steps they were logged at, never by position. What is not
finite is found before any tolerance is asked. A curve is evidence about numbers only: a bug that leaves the
numbers inside their noise is for structure and attributes to find.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.curves.align import (
    Aligned,
    Curve,
    align_curves,
    check_golden_curve,
    find_nonfinite,
    same_nonfinite,
)
from otel_experiments.golden.curves.band import DEFAULT_BAND, BandSettings, measure_band
from otel_experiments.golden.curves.growth import measure_growth
from otel_experiments.golden.curves.pace import Direction, compare_pace
from otel_experiments.golden.findings import Code
from otel_experiments.golden.number_text import show_growth, show_p

__all__ = [
    "DEFAULT_SETTINGS",
    "Curve",
    "CurveCode",
    "CurveFinding",
    "CurveMode",
    "CurveReport",
    "CurveSettings",
    "check_golden_curve",
    "compare_curve",
]

CurveMode = Literal["auto", "exact", "tolerance", "band", "convergence", "shape"]
"""How curves are compared; `auto` takes the band for three or more goldens that vary, else the tolerance."""

CurveCode = Literal[
    Code.NONFINITE,
    Code.CURVE_DIVERGED,
    Code.CURVE_BAND,
    Code.CURVE_LENGTH,
    Code.CONVERGED_LATER,
    Code.CONVERGED_EARLIER,
]
"""The findings of curves."""


@dataclass(frozen=True, slots=True)
class CurveSettings:
    """How a metric is compared.

    Attributes:
        mode: `exact`, `tolerance`, `band`, `convergence`, `shape`, or `auto`: the band for three or more goldens that vary, else the
            tolerance.
        rtol: the relative tolerance.
        atol: the absolute tolerance.
        band: how the band of several runs is made.
        target: for mode `convergence`: the value to be reached.
        direction: from where it is reached: from above (`min`, a loss) or from below (`max`, an accuracy).
    """

    mode: CurveMode = "auto"
    _: KW_ONLY
    rtol: float = 1e-4
    atol: float = 1e-8
    band: BandSettings = DEFAULT_BAND
    target: float | None = None
    direction: Direction = "min"


DEFAULT_SETTINGS: Final = CurveSettings()

_LEAST_GROWTH_STEPS: Final = 20
"""A rate per 100 steps that was seen over fewer is no rate."""


@dataclass(frozen=True, slots=True)
class CurveFinding:
    """One thing that is wrong with a curve.

    `index` is the first index concerned (None where the whole curve is), `golden` and `candidate` the values
    there, `count` how many indexes are concerned, `evidence` the numbers behind it. `fails` is false for
    `converged-earlier`, which is a warning.
    """

    code: CurveCode
    fails: bool
    index: float | None
    golden: float | None
    candidate: float | None
    count: int
    text: str
    evidence: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CurveReport:
    """The comparison of one metric: findings, and the numbers that are printed whatever was found.

    `mode` is the mode that was used. `max_deviation` is the largest absolute, `max_relative` the largest
    relative difference from the nearest golden on common finite values; `growth` is the growth of the
    deviation in powers of ten per 100 steps, None where there are too few differences to tell.
    """

    mode: CurveMode
    findings: tuple[CurveFinding, ...]
    max_deviation: float
    max_relative: float
    growth: float | None

    @property
    def has_failed(self) -> bool:
        """Whether a finding fails."""
        return any(finding.fails for finding in self.findings)


def compare_curve(
    golden: Sequence[Curve], candidate: Sequence[Curve], *, settings: CurveSettings = DEFAULT_SETTINGS
) -> CurveReport:
    """Compare a metric of the candidate runs with the same metric of the golden runs.

    With several candidates, what may never happen (`nonfinite`, `curve-length`, a value beyond its tolerance)
    is asked of each and the first that does it is reported; the band and the pace judge their mean.

    Raises:
        GoldenRuleError: the mode needs what is not there: a target, a golden that reached it, three goldens.
        ValueError: a side has no curve.

    Source: golden trace design, section 5.2.
    """
    if not golden or not candidate:
        message = f"a curve needs a run on each side; got {len(golden)} golden and {len(candidate)} candidate"
        raise ValueError(message)
    per_candidate = [_nearest_golden(golden, curve, settings) for curve in candidate]
    worst_at = max(range(len(candidate)), key=lambda at: per_candidate[at].sort_key)
    worst = per_candidate[worst_at]
    mode = choose_mode(golden, settings)
    findings = [
        *_first(_find_nonfinite(golden, curve) for curve in candidate),
        *_first(
            _find_length(near.aligned, golden, curve)
            for near, curve in zip(per_candidate, candidate, strict=True)
        ),
    ]
    if mode in {"exact", "tolerance"}:
        findings += _first(_find_diverged(near, mode, settings) for near in per_candidate)
    elif mode == "band":
        findings += _find_outside(golden, candidate, settings)
    elif mode == "convergence":
        findings += _find_pace(golden, candidate, settings)
    pairs = worst.finite_pairs()
    return CurveReport(
        mode=mode,
        findings=tuple(findings),
        max_deviation=max((abs(theirs - ours) for _, ours, theirs in pairs), default=0.0),
        max_relative=max((_relative(ours, theirs) for _, ours, theirs in pairs), default=0.0),
        growth=measure_growth(pairs),
    )


def choose_mode(golden: Sequence[Curve], settings: CurveSettings) -> CurveMode:
    """Return the mode that `auto` stands for with these goldens; any other mode as it is."""
    if settings.mode != "auto":
        return settings.mode
    if len(golden) < 3:
        return "tolerance"
    first = golden[0]
    varies = any(_nearest_golden([first], other, settings).violations for other in golden[1:])
    return "band" if varies else "tolerance"


@dataclass(frozen=True, slots=True)
class _Nearest:
    """The golden run that a candidate is nearest to, and how far they are apart."""

    golden: int
    aligned: Aligned
    violations: tuple[int, ...]
    deviation: float

    @property
    def sort_key(self) -> tuple[int, int, float]:
        missing = len(self.aligned.missing) + len(self.aligned.extra)
        return len(self.violations), missing, self.deviation

    def finite_pairs(self) -> list[tuple[float, float, float]]:
        """Return (index, golden, candidate) where both values are finite."""
        return [
            (index, ours, theirs)
            for index, ours, theirs in zip(self.aligned.indexes, *self.aligned.columns, strict=True)
            if math.isfinite(ours) and math.isfinite(theirs)
        ]


def _nearest_golden(golden: Sequence[Curve], candidate: Curve, settings: CurveSettings) -> _Nearest:
    best: _Nearest | None = None
    for number, curve in enumerate(golden):
        aligned = align_curves((curve, candidate))
        pairs = list(zip(*aligned.columns, strict=True))
        violations = tuple(at for at, pair in enumerate(pairs) if not _agrees(pair[0], pair[1], settings))
        finite = [
            abs(theirs - ours) for ours, theirs in pairs if math.isfinite(ours) and math.isfinite(theirs)
        ]
        near = _Nearest(number, aligned, violations, max(finite, default=0.0))
        if best is None or near.sort_key < best.sort_key:
            best = near
    assert best is not None
    return best


def _agrees(golden: float, candidate: float, settings: CurveSettings) -> bool:
    if not math.isfinite(golden):
        return same_nonfinite(golden, candidate)
    if not math.isfinite(candidate):
        return True  # found as nonfinite, once and with its index, and not again as a deviation
    if settings.mode == "exact":
        return golden == candidate and math.copysign(1.0, golden) == math.copysign(1.0, candidate)
    return abs(candidate - golden) <= settings.atol + settings.rtol * abs(golden)


def _relative(golden: float, candidate: float) -> float:
    difference = abs(candidate - golden)
    return difference / abs(golden) if golden else (math.inf if difference else 0.0)


def _first(found: Iterable[CurveFinding | None]) -> list[CurveFinding]:
    """Return the first finding of several candidates, as a list of none or one."""
    return [finding for finding in found if finding is not None][:1]


def _find_nonfinite(golden: Sequence[Curve], candidate: Curve) -> CurveFinding | None:
    """Find where the candidate is not finite and no golden is so at the same index."""
    found = find_nonfinite(candidate)
    if found is None:
        return None
    if any(find_nonfinite(curve) is not None for curve in golden):
        candidate = _without_allowed(golden, candidate)
        found = find_nonfinite(candidate)
        if found is None:
            return None
    ours = next(
        (
            float(value)
            for curve in golden
            for index, value in zip(curve.indexes, curve.values, strict=True)
            if index == found.index
        ),
        None,
    )
    before = "no finite value before" if found.last_finite is None else f"last finite {found.last_finite!r}"
    return CurveFinding(
        code=Code.NONFINITE,
        fails=True,
        index=found.index,
        golden=ours,
        candidate=found.value,
        count=found.count,
        text=f"{'nothing' if ours is None else repr(ours)} -> {found.value!r} ({before})",
        evidence={} if found.last_finite is None else {"last_finite": found.last_finite},
    )


def _without_allowed(golden: Sequence[Curve], candidate: Curve) -> Curve:
    """Return the candidate without the values that a golden has as the same NaN or infinity."""
    aligned = [align_curves((curve, candidate)) for curve in golden]
    allowed = {
        index
        for pair in aligned
        for index, ours, theirs in zip(pair.indexes, *pair.columns, strict=True)
        if same_nonfinite(ours, theirs)
    }
    kept = [
        (index, value)
        for index, value in zip(candidate.indexes, candidate.values, strict=True)
        if index not in allowed
    ]
    return Curve([index for index, _ in kept], [value for _, value in kept])


def _find_length(aligned: Aligned, golden: Sequence[Curve], candidate: Curve) -> CurveFinding | None:
    """Find that the candidate was recorded at other indexes than the nearest golden."""
    if not aligned.missing and not aligned.extra:
        return None
    if any(
        align_curves((curve, candidate)).missing == align_curves((curve, candidate)).extra == ()
        for curve in golden
    ):
        return None  # another golden has exactly these indexes
    ours = len(aligned.indexes) + len(aligned.missing)
    index = min((*aligned.missing[:1], *aligned.extra[:1]))
    parts = [f"{ours} -> {len(candidate)} values"]
    parts += [f"{len(aligned.missing)} missing, first {aligned.missing[0]:g}"] if aligned.missing else []
    parts += [f"{len(aligned.extra)} new, first {aligned.extra[0]:g}"] if aligned.extra else []
    parts.append(f"{len(aligned.indexes)} in common")
    return CurveFinding(
        code=Code.CURVE_LENGTH,
        fails=True,
        index=index,
        golden=float(ours),
        candidate=float(len(candidate)),
        count=len(aligned.missing) + len(aligned.extra),
        text="; ".join(parts),
    )


def _find_diverged(near: _Nearest, mode: CurveMode, settings: CurveSettings) -> CurveFinding | None:
    """Find the first value that is beyond its tolerance of the nearest golden."""
    if not near.violations:
        return None
    pairs = near.finite_pairs()
    at = near.violations[0]
    index = near.aligned.indexes[at]
    ours, theirs = (column[at] for column in near.aligned.columns)
    growth = measure_growth(pairs)
    worst = max((_relative(golden, candidate) for _, golden, candidate in pairs), default=math.inf)
    evidence = {"max_deviation": near.deviation, "max_relative": worst}
    if mode == "tolerance":
        evidence |= {"rtol": settings.rtol, "atol": settings.atol}
    largest = f"at most {near.deviation:.3g}" if math.isinf(worst) else f"at most {worst:.3g} relative"
    text = f"{ours!r} -> {theirs!r}; {len(near.violations)} of {len(near.aligned.indexes)} values, {largest}"
    if growth is not None:
        evidence["growth"] = growth
        if pairs[-1][0] - pairs[0][0] >= _LEAST_GROWTH_STEPS and (grows := show_growth(growth)):
            text += f", {grows}"
    return CurveFinding(
        code=Code.CURVE_DIVERGED,
        fails=True,
        index=index,
        golden=ours,
        candidate=theirs,
        count=len(near.violations),
        text=text,
        evidence=evidence,
    )


def _find_outside(
    golden: Sequence[Curve], candidate: Sequence[Curve], settings: CurveSettings
) -> list[CurveFinding]:
    """Find that the candidates' mean leaves the band of the goldens, on the finite values all have."""
    if len(golden) < 3:
        raise GoldenRuleError(
            rule="mode=band",
            why=f"a band needs at least 3 golden runs, the golden has {len(golden)}",
            fix="Capture more runs (golden capture --runs 5), or use mode=tolerance.",
        )
    aligned = align_curves((*golden, *candidate))
    finite = [
        at
        for at in range(len(aligned.indexes))
        if all(math.isfinite(column[at]) for column in aligned.columns)
    ]
    if not finite:
        return []  # nothing in common: curve-length or nonfinite has said so
    columns = [[column[at] for at in finite] for column in aligned.columns]
    test = measure_band(
        columns[: len(golden)],
        columns[len(golden) :],
        settings=settings.band,
        rtol=settings.rtol,
        atol=settings.atol,
    )
    if not test.is_outside:
        return []
    first, last = aligned.indexes[finite[test.first]], aligned.indexes[finite[test.last]]
    if test.kind == "level":
        allowed = (
            f"band {test.golden:.6g} +- {test.half_width:.3g}, mean of {test.window} values to index {last:g}"
        )
    else:
        allowed = (
            f"roughness {test.golden:.3g} within a factor of {test.half_width:.3g}, over the whole curve"
        )
    return [
        CurveFinding(
            code=Code.CURVE_BAND,
            fails=True,
            index=first,
            golden=test.golden,
            candidate=test.candidate,
            count=test.last - test.first + 1,
            text=f"{test.golden:.6g} -> {test.candidate:.6g} ({allowed})",
            evidence={
                "t": test.t,
                "threshold": test.threshold,
                "half_width": test.half_width,
                "golden_runs": len(golden),
                "candidate_runs": len(candidate),
                "last_index": last,
            },
        )
    ]


def _find_pace(
    golden: Sequence[Curve], candidate: Sequence[Curve], settings: CurveSettings
) -> list[CurveFinding]:
    """Find that the candidates reach the target later (fails) or earlier (warns) than the goldens."""
    if settings.target is None:
        raise GoldenRuleError(
            rule="mode=convergence",
            why="no target was declared",
            fix="Declare the value to be reached: target=0.5, direction=min.",
        )
    pace = compare_pace(golden, candidate, target=settings.target, direction=settings.direction)
    if pace.outcome == "equal":
        return []
    theirs = "never" if pace.candidate is None else f"{pace.candidate:g}"
    told = "" if pace.candidate is None else f" ({show_p(pace.p)})"
    return [
        CurveFinding(
            code=Code.CONVERGED_LATER if pace.outcome == "later" else Code.CONVERGED_EARLIER,
            fails=pace.outcome == "later",
            index=pace.candidate,
            golden=pace.golden,
            candidate=pace.candidate,
            count=1,
            text=f"target {settings.target:g} reached at {pace.golden:g} -> {theirs}{told}",
            evidence={"p": pace.p, "target": settings.target},
        )
    ]
