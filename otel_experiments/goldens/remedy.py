"""What to declare so that a difference between equal runs fails no more: the remedies of a finding, mildest first."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace

from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.findings import CODES, Finding
from otel_experiments.golden.findings.codes import RemedyKind
from otel_experiments.golden.policy import IgnoreRule, Policy

_LARGEST_TOLERANCE = 0.2
"""Values that differ more are no curve that could be compared."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What is declared so far: what runs are compared under."""

    rules: Rules
    policy: Policy
    ignore: tuple[IgnoreRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Remedy:
    """One declaration. `name` is what it is about, `value` a tolerance or the code to be ignored."""

    kind: RemedyKind
    name: str = ""
    value: str = ""

    def apply(self, accepted: Accepted) -> Accepted:
        """Return what is declared with this too."""
        rules, policy = accepted.rules, accepted.policy
        match self.kind:
            case "volatile":
                return replace(accepted, rules=replace(rules, volatile=_with(rules.volatile, self.name)))
            case "unordered":
                return replace(accepted, rules=replace(rules, unordered=_with(rules.unordered, self.name)))
            case "rtol":
                tolerance = CurveSettings(mode="tolerance", rtol=float(self.value))
                return replace(
                    accepted, policy=replace(policy, curves={self.name: tolerance, **policy.curves})
                )
            case "timing":
                return replace(accepted, policy=replace(policy, timing="advisory"))
        return replace(
            accepted, ignore=(*accepted.ignore, IgnoreRule(self.name, self.value, reason="varies"))
        )

    def __str__(self) -> str:
        match self.kind:
            case "rtol":
                return f"--rtol {shlex.quote(f'{self.name}={self.value}')}   (compare; rtol={{{self.name!r}: {self.value}}} in a marker)"
            case "timing":
                return "--timing advisory   (compare), or capture more runs"
            case "ignore":
                return f"give the program a seed, or ignore it in pyproject.toml: path = {self.name!r}, code = {self.value!r}"
        return f"--{self.kind} {shlex.quote(self.name)}   (capture; {self.kind}=[{self.name!r}] in a marker)"


def remedies_of(finding: Finding, max_relative: float) -> list[Remedy]:
    """Return what could be declared against a finding, mildest first; the last ignores just it.

    Args:
        finding: what failed.
        max_relative: how far the values of its metric were from those of the nearest run, relative to these.
    """
    is_metric = finding.group == "numbers" and bool(finding.key)
    place = f"{finding.path} ~{finding.key}" if is_metric else finding.path
    found: list[Remedy] = []
    for kind in CODES[finding.code].remedies:
        match kind:
            case "rtol" if finding.key and max_relative * 2 <= _LARGEST_TOLERANCE:
                found.append(Remedy("rtol", finding.key, f"{_rounded_up(max_relative * 2):g}"))
            case "volatile" if finding.key:
                found.append(Remedy("volatile", finding.key))
            case "unordered":
                above = finding.path.rpartition("/")[0]
                found += (Remedy("unordered", path) for path in (finding.path, above) if path)
            case "timing":
                found.append(Remedy("timing"))
    return [*found, Remedy("ignore", place, finding.code)]


def _rounded_up(number: float) -> float:
    """Return a number with one digit that is not smaller."""
    unit = 10.0 ** math.floor(math.log10(max(number, 1e-12)))
    return math.ceil(number / unit) * unit


def _with(names: Sequence[str], name: str) -> tuple[str, ...]:
    return (*(one for one in names if one != name), name)
