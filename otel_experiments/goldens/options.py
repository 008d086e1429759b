"""How a check is done: what may be written, and how its policy is put together."""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal, cast, get_args

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.baseline import Golden
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.policy import IgnoreRule, Policy, PolicyName, TimingMode

DEFAULT_CONFIRM_RUNS: Final = 3
"""Two runs agree by chance once in ten thousand where one is slow once in a hundred; a third costs little."""

Part = Literal["new", "changed", "timing", "all"]
"""What an update may write: missing goldens, changed ones, times, or all of it."""

CI_VARIABLES: Final = (
    "CI", "GITHUB_ACTIONS", "GITLAB_CI", "BUILDKITE", "JENKINS_URL", "TEAMCITY_VERSION", "TF_BUILD", "CIRCLECI",
)  # fmt: skip
"""What continuous integration sets in the environment; "", "0" and "false" count as not set."""


def is_ci(environ: Mapping[str, str] | None = None) -> bool:
    """Tell whether this process runs in continuous integration, where nothing is ever written."""
    environ = os.environ if environ is None else environ
    return any(environ.get(variable, "").lower() not in {"", "0", "false"} for variable in CI_VARIABLES)


def parse_parts(text: str) -> frozenset[Part]:
    """Return what `--golden-update[=new,changed,timing,all]` asks for; without a value: new and changed.

    Raises:
        GoldenRuleError: a word stands for nothing.
    """
    parts = {part.strip() for part in text.split(",") if part.strip()} or {"new", "changed"}
    unknown = sorted(parts - set(get_args(Part)))
    if unknown:
        raise GoldenRuleError(
            rule=f"update={text}",
            why=f"there is no part {unknown[0]!r}",
            fix=f"Take some of: {', '.join(get_args(Part))}.",
        )
    if "all" in parts:
        return frozenset(get_args(Part))
    return frozenset(cast("set[Part]", parts))


def parse_target(metric: str, text: str) -> CurveSettings:
    """Return how a metric is compared that has to reach `<0.1`, coming from above, or `>0.9`, from below.

    Raises:
        GoldenRuleError: the text is no such target.
    """
    match = _TARGET.fullmatch(str(text))
    try:
        value = float(match["value"]) if match else math.nan
    except ValueError:
        value = math.nan
    if match is None or not math.isfinite(value):
        raise GoldenRuleError(
            rule=f"target {metric}={text}",
            why="it says no value to reach, or not from which side",
            fix="Write: target={'loss': '<0.1', 'accuracy': '>0.9'}",
        )
    return CurveSettings(mode="convergence", target=value, direction="min" if match["side"] == "<" else "max")


_TARGET: Final = re.compile(r"\s*(?P<side>[<>])=?\s*(?P<value>\S+)\s*")


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """How goldens are checked and updated.

    None stands for "as the golden says". `rtol` and `atol` map metric names or globs to tolerances; `ignore` are
    rules beside those of the golden. `target` maps metrics to what they have to reach (`<0.1`, `>0.9`): when they do
    is compared, not their values. `parts` is what may be written without review; in CI nothing is, unless it
    is forced.
    """

    policy: PolicyName | None = None
    timing: TimingMode | None = None
    parts: frozenset[Part] = frozenset()
    is_ci: bool = False
    is_forced: bool = False
    rtol: Mapping[str, float] = field(default_factory=dict)
    atol: Mapping[str, float] = field(default_factory=dict)
    target: Mapping[str, str] = field(default_factory=dict)
    ignore: Sequence[IgnoreRule] = ()
    rules: Rules = DEFAULT_RULES
    allow_nonfinite: bool = False
    require_decision: bool = False
    update_command: str = ""
    least_timed_runs: int = 1
    """A golden with the times of fewer runs does not fail for them: the first runs of a process are slow."""

    confirm_runs: int = DEFAULT_CONFIRM_RUNS
    """So many runs have to be slower where times alone fail and more runs can be recorded."""

    @property
    def may_write(self) -> bool:
        """Whether any file may be written: never in CI, but for an update that is forced."""
        return not self.is_ci or (self.is_forced and bool(self.parts))

    def policy_for(self, golden: Golden) -> Policy:
        """Return the policy for a golden: what is given here wins over its header."""
        curves = {name: parse_target(name, text) for name, text in self.target.items()}
        curves |= {
            name: CurveSettings(
                mode="tolerance", rtol=self.rtol.get(name, 1e-4), atol=self.atol.get(name, 1e-8)
            )
            for name in dict.fromkeys([*self.rtol, *self.atol])
            if name not in curves
        }
        return Policy(
            name=self.policy or golden.policy,
            timing=self.timing or ("fail" if len(golden.timing) >= self.least_timed_runs else "advisory"),
            curves=curves,
            require_decision=self.require_decision,
        )


def read_project_rules(root: Path) -> list[IgnoreRule]:
    """Return the ignore rules of a project: `[[tool.otel-experiments.golden.ignore]]` of its pyproject.toml.

    Raises:
        GoldenRuleError: the file is no TOML, a rule lacks its path or reason, or its last day is none.
    """
    path = root / "pyproject.toml"
    if not path.is_file():
        return []
    with path.open("rb") as stream:
        try:
            found: Any = tomllib.load(stream)
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
            raise GoldenRuleError(
                rule="pyproject.toml",
                why=f"it is no TOML: {exc}",
                fix="Mend it: its ignore rules count here.",
            ) from exc
    for key in ("tool", "otel-experiments", "golden", "ignore"):
        found = found.get(key) if isinstance(found, dict) else found
        if found is None:
            return []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise GoldenRuleError(
            rule="tool.otel-experiments.golden.ignore",
            why="it is no list of tables",
            fix="Head each rule with [[tool.otel-experiments.golden.ignore]].",
        )
    return [_rule(one) for one in found]


def _rule(table: Mapping[str, object]) -> IgnoreRule:
    shown = ", ".join(f"{key}={value}" for key, value in table.items())
    path, reason = table.get("path"), table.get("reason")
    if not isinstance(path, str) or not isinstance(reason, str) or not reason:
        raise GoldenRuleError(
            rule=shown,
            why="a rule of pyproject.toml needs `path` and `reason`",
            fix='Write: path = "run/eval", code = "slower", reason = "shared disk", until = 2026-12-31',
        )
    until = table.get("until")
    if until is not None and not isinstance(until, date):
        raise GoldenRuleError(
            rule=shown, why="`until` is no date", fix="Write it without quotes: until = 2026-12-31"
        )
    return IgnoreRule(path=path, code=str(table.get("code", "*")), reason=reason, until=until)
