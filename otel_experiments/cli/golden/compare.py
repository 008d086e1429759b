"""`golden compare`: a run against a golden, with the report in the form that is asked for."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import click

from otel_experiments.capture import capture_command
from otel_experiments.cli.golden.options import (
    CommandAfterDashes,
    command_behind_dashes,
    folder_option,
    gather_runs,
    parse_targets,
    parse_tolerances,
    policy_option,
    print_report,
    select_option,
    timing_option,
    tolerance_option,
)
from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import store_location
from otel_experiments.errors import OtelExperimentsError
from otel_experiments.golden.baseline import Golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import Comparison
from otel_experiments.golden.policy import PolicyName, TimingMode
from otel_experiments.golden.report.refusal import annotate_refusal, render_refusal_markdown
from otel_experiments.goldens.check import compare_confirmed, parts_to_accept
from otel_experiments.goldens.options import DEFAULT_CONFIRM_RUNS, CheckOptions, read_project_rules
from otel_experiments.goldens.paths import write_text
from otel_experiments.goldens.reports import ReportFormat, annotate, render, write_refusal, write_reports
from otel_experiments.goldens.sources import golden_path, read_golden_side

_SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"


@click.command("compare", cls=CommandAfterDashes)
@store_option
@click.argument("golden")
@click.argument("candidate", nargs=-1)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "md", "html", "github"]),
    default="text",
    show_default=True,
    help="github: annotations, and the step's summary.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report here and not to stdout.",
)
@click.option(
    "--report",
    "report_folder",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also write JSON, Markdown, HTML and JUnit reports into this folder.",
)
@click.option(
    "--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Run the command so many times."
)
@click.option(
    "--confirm",
    type=click.IntRange(min=1),
    default=DEFAULT_CONFIRM_RUNS,
    show_default=True,
    help="Where times alone fail, run the command again until so many runs are slower. 1: the first decides.",
)
@select_option
@folder_option
@policy_option
@timing_option
@tolerance_option("rtol", "Relative")
@tolerance_option("atol", "Absolute")
@click.option(
    "--target",
    multiple=True,
    metavar="METRIC<NUMBER",
    help="What a metric has to reach, 'loss<0.1' or 'accuracy>0.9': compared is when it does; repeatable.",
)
@click.option("--score", is_flag=True, help="Also print what the equivalence score alone would have decided.")
@click.option("--require-decision", is_flag=True, help="End with 6 when a slowdown could not have been seen.")
@click.pass_context
def compare(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    golden: str,
    candidate: tuple[str, ...],
    form: ReportFormat,
    output: Path | None,
    report_folder: Path | None,
    runs: int,
    confirm: int,
    select: str | None,
    folder: Path | None,
    policy: PolicyName | None,
    timing: TimingMode | None,
    rtol: tuple[str, ...],
    atol: tuple[str, ...],
    target: tuple[str, ...],
    score: bool,
    require_decision: bool,
) -> None:
    """Compare CANDIDATE with GOLDEN: golden compare train -- python train.py.

    GOLDEN is a golden's name or file, or whatever a golden can be made from. CANDIDATE is a stored run, a store, a
    file of telemetry, or, behind `--`, a command that records a run. Several files or runs are several candidates.
    """
    names = [golden]
    with _refusals_reported(names, form, report_folder):
        held = read_golden_side(golden, store=store_location(ctx), folder=folder, select=None)
        names.append(held.name)
        options = CheckOptions(
            policy=policy,
            timing=timing,
            rtol=parse_tolerances(rtol),
            atol=parse_tolerances(atol),
            target=parse_targets(target),
            require_decision=require_decision,
        )
        ruled = replace(held, ignore=(*held.ignore, *read_project_rules(Path.cwd())))
        found = gather_runs(ctx, candidate, runs=runs, select=select, name="candidate")
        command_line = command_behind_dashes(ctx)
        again = partial(_record_again, command_line, select) if command_line else None
        comparison, _ = compare_confirmed(ruled, found, options.policy_for(held), confirm, again)
    path = golden_path(golden, folder)
    shown = str(path) if path.exists() else ""
    command = shlex.join(command_line) or "COMMAND"
    times = "--timing " if "timing" in parts_to_accept(comparison) else ""
    accept = f"otel-experiments golden update {golden} {times}-- {command}" if shown else ""
    explain, unwritten = _write_reports(report_folder, held, comparison, accept)
    report = render(comparison, form, path=shown, accept=accept, explain=explain, with_score=score)
    unwritten = _deliver(report, output) or unwritten
    if unwritten is not None:  # said after what was found, which it must not hide
        raise unwritten
    if form == "github":
        _write_summary(annotate(comparison, path=shown)[1])
    ctx.exit(comparison.exit_code)


def _write_reports(
    folder: Path | None, golden: Golden, comparison: Comparison, accept: str
) -> tuple[str, OSError | None]:
    """Write the reports that were asked for; returns the command that explains a finding, and what went wrong."""
    if folder is None:
        return "", None
    try:
        written = write_reports(folder, Path(golden.name).name, comparison, accept=accept)
    except OSError as exc:
        return "", exc
    return f"otel-experiments golden explain {written[0]} --finding 1", None


def _deliver(report: str, output: Path | None) -> OSError | None:
    """Write a report to its file, or print it where there is none or it cannot be written; returns what went wrong."""
    unwritten = None
    if output is not None:
        try:
            write_text(output, report if report.endswith("\n") else f"{report}\n")
        except OSError as exc:
            unwritten = exc
    if report and (output is None or unwritten is not None):
        print_report(report.rstrip("\n"))
    return unwritten


@contextlib.contextmanager
def _refusals_reported(
    names: Sequence[str], form: ReportFormat, report_folder: Path | None
) -> Iterator[None]:
    """Say why nothing was compared where its report would have been; the last of the names is the golden's.

    What cannot be written is left out, for the error itself matters more.
    """
    try:
        yield
    except OtelExperimentsError as error:
        name, text = names[-1], str(error)
        with contextlib.suppress(OSError):
            if form == "github":
                click.echo(annotate_refusal(name, text))
                _write_summary(render_refusal_markdown(name, text))
            if report_folder is not None:
                write_refusal(report_folder, name, text)
        raise


def _record_again(command: Sequence[str], select: str | None, count: int) -> list[CapturedRun]:
    click.echo("Only times differ; running the command once more to confirm it.", err=True)
    return capture_command(command, runs=count, select=select, name="candidate")


def _write_summary(markdown: str) -> None:
    target = os.environ.get(_SUMMARY_VARIABLE)
    if target:
        with Path(target).open("a", encoding="utf-8") as stream:
            stream.write(markdown)
