"""`golden capture` and `golden update`: from runs to a golden's file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from otel_experiments.cli.golden.options import (
    CommandAfterDashes,
    command_behind_dashes,
    folder_option,
    force_option,
    gather_runs,
    nonfinite_option,
    policy_option,
    rules_options,
    select_option,
    source_option,
)
from otel_experiments.cli.root import store_option
from otel_experiments.cli.terminal.format import clean
from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.baseline import Golden, add_variant, make_golden
from otel_experiments.golden.canonical.canonicalize import canonicalize
from otel_experiments.golden.canonical.roles import Rules
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.checks.rule_use import find_unused_rules
from otel_experiments.golden.file import update_golden
from otel_experiments.golden.policy import PolicyName
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.files import load_golden, save_golden, save_stats
from otel_experiments.goldens.options import is_ci, read_project_rules
from otel_experiments.goldens.sources import golden_path
from otel_experiments.goldens.stable import require_stable


@click.command("capture", cls=CommandAfterDashes)
@store_option
@click.argument("name")
@source_option("A stored run, a store, or a file of telemetry (OTLP JSON, JSON Lines, protobuf); repeatable.")
@click.option(
    "--runs", type=click.IntRange(min=1), default=1, show_default=True, help="Run COMMAND so many times."
)
@select_option
@folder_option
@policy_option
@rules_options
@nonfinite_option
@click.option("--reason", metavar="TEXT", help="Why runs of different structure are all right.")
@click.option(
    "--variant",
    metavar="NAME",
    help="Add to a golden what it does in this environment (device, number type, versions); with --reason.",
)
@click.option("--replace", "is_replacing", is_flag=True, help="Write over a golden that is there.")
@click.pass_context
def capture(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    name: str,
    sources: tuple[str, ...],
    runs: int,
    select: str | None,
    folder: Path | None,
    policy: PolicyName | None,
    rules: Rules,
    allow_nonfinite: bool,
    reason: str | None,
    variant: str | None,
    is_replacing: bool,
) -> None:
    """Make the golden NAME: golden capture train --runs 5 -- python train.py.

    The command records into a store of its own in a temporary folder. Five runs make times worth comparing. Runs
    that lack spans, or differ in what they do, are refused.
    """
    path = golden_path(name, folder)
    if variant is not None:
        old = load_golden(path, update=f"otel-experiments golden capture {name} -- COMMAND")
        golden_paths.require_writable(path)
        found = gather_runs(ctx, sources, runs=runs, select=select, name=name)
        save_golden(path, _with_variant(old, found, variant, reason, allow_nonfinite=allow_nonfinite))
        click.echo(f"{clean(str(path))}: accepts variant {variant} in this environment.")
        return
    if path.exists() and not is_replacing:
        raise _already_there(name, path)
    golden_paths.require_writable(path)
    found = gather_runs(ctx, sources, runs=runs, select=select, name=name)
    ignore = read_project_rules(Path.cwd())
    made = make_golden(
        found,
        name=path.name.removesuffix(golden_paths.SUFFIX),
        policy=policy or "structural",
        rules=rules,
        allow_nonfinite=allow_nonfinite,
        excused=ignore,
    )
    made = _with_reason(made, reason)
    require_stable(made, found, ignore=ignore)
    try:
        save_golden(path, made, is_new=not is_replacing)
    except FileExistsError as exc:  # another process made it meanwhile
        raise _already_there(name, path) from exc
    save_stats(path, made)
    golden_paths.reject(golden_paths.pending_path(path))
    _say_unused_rules(rules, found)
    click.echo(_summary(path, made))


def _say_unused_rules(rules: Rules, runs: list[CapturedRun]) -> None:
    """Say which of the declared rules are about nothing in the runs: they were misspelt, or can go."""
    if rules == Rules():
        return
    for finding in find_unused_rules(rules, [canonicalize(run, rules) for run in runs]):
        click.echo(f"{finding.code}: {finding.detail}", err=True)


def _with_variant(
    golden: Golden, runs: list[CapturedRun], name: str, reason: str | None, *, allow_nonfinite: bool
) -> Golden:
    """Return the golden that also accepts what the runs do, in their environment."""
    if not reason:
        raise GoldenRuleError(
            rule=f"variant {name}",
            why="it has no reason, so a reader cannot see later why the behaviour differs here",
            fix="Give one: --reason TEXT",
        )
    made = make_golden(runs, name=golden.name, rules=golden.rules, allow_nonfinite=allow_nonfinite)
    if len(made.variants) > 1:
        require_stable(made, runs)
    return add_variant(golden, made, name=name, reason=reason)


def _already_there(name: str, path: Path) -> GoldenRuleError:
    return GoldenRuleError(
        rule=f"capture {name}",
        why=f"{path} is there already",
        fix="Bring it up to date with as little change as possible: golden update; or write over it: --replace",
    )


def _summary(path: Path, golden: Golden) -> str:
    form = golden.variants[0].form
    runs = f"{golden.runs} run{'s' if golden.runs > 1 else ''}"
    lines = len(path.read_text(encoding="utf-8").splitlines())
    return (
        f"{path}: {form.span_count} spans in {form.template_count} templates from {runs}, {lines} lines.\n"
        f"Read it, commit it, and compare: otel-experiments golden compare {path} -- COMMAND"
    )


def _with_reason(golden: Golden, reason: str | None) -> Golden:
    """Return the golden whose second and later behaviours have the reason that was given."""
    if not reason:
        return golden
    others = (replace(one, reason=reason) for one in golden.variants[1:])
    return replace(golden, variants=[golden.variants[0], *others])


@click.command("update", cls=CommandAfterDashes)
@store_option
@click.argument("name")
@source_option("Where the new runs are; as for capture.")
@click.option(
    "--runs", type=click.IntRange(min=1), help="Run COMMAND so many times. Default: as the golden has runs."
)
@select_option
@folder_option
@click.option("--timing", is_flag=True, help="Take the new times too.")
@nonfinite_option
@force_option
@click.pass_context
def update(  # noqa: PLR0913 - one argument an option
    ctx: click.Context,
    *,
    name: str,
    sources: tuple[str, ...],
    runs: int | None,
    select: str | None,
    folder: Path | None,
    timing: bool,
    allow_nonfinite: bool,
    force: bool,
) -> None:
    """Accept what a run does now as the golden NAME; without a run, accept its pending file.

    Numbers inside their tolerance keep their text, so a changed span changes its own lines only.
    """
    path = golden_path(name, folder)
    refuse_in_ci(force=force)
    pending = golden_paths.pending_path(path)
    if not command_behind_dashes(ctx) and not sources and pending.exists():
        load_golden(pending)
        golden_paths.accept(pending)
        click.echo(f"{clean(str(path))}: accepted the pending golden.")
        return
    old = load_golden(path, update=f"otel-experiments golden capture {name} -- COMMAND", is_sealed=False)
    golden_paths.require_writable(path)
    before = path.read_text(encoding="utf-8").splitlines()
    ignore = read_project_rules(Path.cwd())
    found = gather_runs(ctx, sources, runs=runs or old.runs, select=select, name=name)
    made = make_golden(
        found,
        name=old.name,
        policy=old.policy,
        rules=old.rules,
        ignore=old.ignore,
        allow_nonfinite=allow_nonfinite,
        excused=ignore,
    )
    new = update_golden(old, made, with_timing=timing)
    require_stable(new, found, ignore=ignore)
    save_golden(path, new)
    if timing:
        save_stats(path, new)
    golden_paths.reject(pending)
    after = path.read_text(encoding="utf-8").splitlines()
    changed = len(set(after) - set(before))
    click.echo(
        f"{path}: {changed} line{'' if changed == 1 else 's'} changed{', and the times' if timing else ''}."
    )


def refuse_in_ci(*, force: bool) -> None:
    """Let a command pass that writes goldens, unless this is CI.

    Raises:
        GoldenRuleError: it is, and nothing forces it.
    """
    if is_ci() and not force:
        raise GoldenRuleError(
            rule="CI",
            why="goldens are never written in CI",
            fix="Run it where you can read the result; or --force.",
        )
