"""`golden review` and `golden explain`: deciding about pending goldens, understanding a finding."""

from __future__ import annotations

from pathlib import Path

import click

from otel_experiments.cli.golden.capture import refuse_in_ci
from otel_experiments.cli.golden.options import folder_option, force_option
from otel_experiments.errors import GoldenRuleError
from otel_experiments.goldens import paths as golden_paths
from otel_experiments.goldens.explain import explain as explain_finding
from otel_experiments.goldens.files import load_golden
from otel_experiments.goldens.review import Reviewed, describe_pending, review_pending
from otel_experiments.goldens.sources import default_folder, golden_path


@click.command("review")
@click.argument("names", nargs=-1)
@folder_option
@click.option("--accept", "choice", flag_value="accept", help="Accept all without asking.")
@click.option("--reject", "choice", flag_value="reject", help="Reject all without asking.")
@click.option("--list", "choice", flag_value="list", help="Print the differences and change nothing.")
@force_option
def review(*, names: tuple[str, ...], folder: Path | None, choice: str | None, force: bool) -> None:
    """Step through pending goldens (`*.otg.new`), all or those of NAMES: accept, reject, skip, show."""
    pending = _pending(names, folder)
    if not pending:
        click.echo("Nothing waits for review.")
        return
    if choice == "list":
        for path in pending:
            click.echo(f"{path}\n{describe_pending(path)}\n")
        return
    refuse_in_ci(force=force)
    done = Reviewed()
    if choice == "accept":
        for path in pending:
            load_golden(path)
            done.accepted.append(golden_paths.accept(path))
    elif choice == "reject":
        for path in pending:
            golden_paths.reject(path)
            done.rejected.append(path)
    else:
        done = review_pending(pending, ask=_ask, say=click.echo)
    click.echo(f"{len(done.accepted)} accepted, {len(done.rejected)} rejected, {len(done.skipped)} left.")


def _pending(names: tuple[str, ...], folder: Path | None) -> list[Path]:
    if not names:
        where = folder or default_folder()
        return golden_paths.find_pending([where] if where.is_dir() else [Path()])
    found = []
    for name in names:
        path = golden_path(name, folder)
        waiting = path if path.name.endswith(golden_paths.PENDING) else golden_paths.pending_path(path)
        if not waiting.exists():
            raise GoldenRuleError(
                rule=f"review {name}", why=f"there is no {waiting}", fix="List them: golden ls"
            )
        found.append(waiting)
    return found


def _ask(question: str) -> str:
    try:
        answer: str = click.prompt(question, default="", show_default=False, prompt_suffix="")
    except click.Abort as exc:
        raise EOFError from exc
    return answer


@click.command("explain")
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--finding", type=int, default=1, show_default=True, help="Its number in the report.")
def explain(*, report: Path, finding: int) -> None:
    """Explain one finding of a JSON REPORT: what it means, its evidence, how to accept or ignore it."""
    text = report.read_bytes().decode("utf-8", "replace")  # what is no text is no report either
    click.echo(explain_finding(text, finding, source=str(report)))
