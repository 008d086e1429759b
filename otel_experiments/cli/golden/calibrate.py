"""`golden calibrate`: how often equal runs would fail."""

from __future__ import annotations

from pathlib import Path

import click

from otel_experiments.cli.golden.options import (
    CommandAfterDashes,
    gather_runs,
    parse_tolerances,
    policy_option,
    print_report,
    rules_options,
    select_option,
    source_option,
    timing_option,
    tolerance_option,
)
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.errors import GoldenExitCode
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.findings.description import describe
from otel_experiments.golden.policy import Policy, PolicyName, TimingMode
from otel_experiments.goldens.calibrate import Calibration
from otel_experiments.goldens.calibrate import calibrate as measure
from otel_experiments.goldens.options import read_project_rules
from otel_experiments.query.json_values import json_line


@click.command("calibrate", cls=CommandAfterDashes)
@store_option
@source_option("Where the runs are; as for capture.")
@click.option(
    "--runs", type=click.IntRange(min=3), default=5, show_default=True, help="Run COMMAND so many times."
)
@select_option
@policy_option
@timing_option
@tolerance_option("rtol", "Relative")
@rules_options
@json_option
@click.pass_context
def calibrate(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    sources: tuple[str, ...],
    runs: int,
    select: str | None,
    policy: PolicyName | None,
    timing: TimingMode | None,
    rtol: tuple[str, ...],
    rules: Rules,
    as_json: bool,
) -> None:
    """Run COMMAND several times, compare each run with a golden of the others, and propose what would mend failures.

    Ends with 1 when equal runs failed: a golden of these rules would fail without a cause.
    """
    found = gather_runs(ctx, sources, runs=runs, select=select, name="run")
    curves = {
        name: CurveSettings(mode="tolerance", rtol=value) for name, value in parse_tolerances(rtol).items()
    }
    result = measure(
        found,
        policy=Policy(policy or "structural", timing=timing or "fail", curves=curves),
        rules=rules,
        ignore=read_project_rules(Path.cwd()),
    )
    print_report(json_line(_plain(result)) if as_json else _text(result))
    ctx.exit(GoldenExitCode.CHANGED if result.false_alarms else GoldenExitCode.EQUAL)


def _text(result: Calibration) -> str:
    lines = [f"{result.false_alarms} of {result.runs} equal runs failed against a golden of the others."]
    for name, spread in (("wall", result.wall_std), ("CPU", result.cpu_std)):
        if spread is not None:
            lines.append(
                f"  {name} time of a stage varies by {spread:.1%} from run to run (median over stages)"
            )
    for finding, count in result.causes:
        place = f"{finding.path} {finding.key}".rstrip()
        lines.append(f"  {count}x {finding.code} {place}: {describe(finding)}".rstrip(": "))
    if result.proposals:
        lines += [
            "",
            f"What would mend it (tried on these runs: then {result.remaining} of {result.runs} fail):",
            *(f"  {proposal}" for proposal in result.proposals),
        ]
    return "\n".join(lines)


def _plain(result: Calibration) -> dict[str, object]:
    return {
        "runs": result.runs,
        "false_alarms": result.false_alarms,
        "wall_std": result.wall_std,
        "cpu_std": result.cpu_std,
        "causes": [{"count": count, **finding.to_json()} for finding, count in result.causes],
        "proposals": [str(proposal) for proposal in result.proposals],
        "remaining": result.remaining,
    }
