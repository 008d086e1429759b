"""`otel-experiments skill`: how to use this product, as a file that coding agents read."""

from __future__ import annotations

from pathlib import Path

import click

from otel_experiments.agents.pages import SKILL_NAME, SKILL_URI, read_page
from otel_experiments.cli.terminal.format import clean
from otel_experiments.errors import ConfigurationError
from otel_experiments.goldens.paths import describe_os_error, write_text


@click.command("skill")
@click.option(
    "--install",
    "folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write it into this folder of skills, as otel-experiments/SKILL.md; one that is there is replaced.",
)
def command(*, folder: Path | None) -> None:
    """Print how a coding agent uses this product: a skill, in Markdown with a name and a description.

    Agents find it in a folder of skills: --install .claude/skills, or .agents/skills.
    """
    text = read_page(SKILL_URI)
    if folder is None:
        click.echo(text, nl=False)
        return
    path = folder / SKILL_NAME / "SKILL.md"
    try:
        write_text(path, text)
    except OSError as error:
        raise ConfigurationError(
            f"The skill cannot be written to {str(path)!r}: {describe_os_error(error)}.\n"
            "  Name a folder that can be written: otel-experiments skill --install DIR"
        ) from error
    click.echo(f"Wrote {clean(str(path))}.")
