"""Reading bytes and comparing them with their digests."""

from __future__ import annotations

from collections.abc import Iterator

import click

from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import json_option, store_option
from otel_experiments.cli.session import open_session
from otel_experiments.cli.terminal.format import clean, clean_lines
from otel_experiments.errors import ArtifactDamagedError, ArtifactError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.query import Reader
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.json_values import json_line

_SHOWN = 3


@click.command("verify")
@store_option
@click.argument("ref", required=False)
@json_option
@click.pass_context
def verify(ctx: click.Context, *, ref: str | None, as_json: bool) -> None:
    """Read the bytes of REF, or of all artifacts and media, and compare them with their digests.

    Exits with 3 when some are damaged or missing. What was left out of a bundle is neither.
    """
    reader = open_session(ctx)
    views = list(_all(reader)) if ref is None else [reader.artifact(ref)]
    left_out = {view.digest for view in views if view.why_left_out is not None}
    apart = [view.ref for view in views if view.digest in left_out]
    views = [view for view in views if view.digest not in left_out]
    faults: list[tuple[ArtifactView, ArtifactError]] = []
    for view in views:
        try:
            view.verify()
        except ArtifactError as error:
            faults.append((view, error))
            if not as_json:
                click.echo(f"{clean(view.ref)}: {clean_lines(str(error))}", err=True)
    damaged = [view.ref for view, error in faults if isinstance(error, ArtifactDamagedError)]
    missing = [view.ref for view, error in faults if not isinstance(error, ArtifactDamagedError)]
    if as_json:
        shown = {
            "verified": len(views) - len(faults),
            "damaged": damaged,
            "missing": missing,
            "left_out": apart,
        }
        click.echo(json_line(shown))
    else:
        found = f", {len(damaged):,} damaged, {len(missing):,} missing" if faults else ""
        click.echo(f"{len(views) - len(faults):,} of {len(views):,} are as they were logged{found}.")
        if apart:
            more = f" and {len(apart) - _SHOWN:,} more" if len(apart) > _SHOWN else ""
            first = ", ".join(map(clean, apart[:_SHOWN])) + more
            click.echo(f"The bytes of {len(apart):,} were left out of a bundle: {first}.")
    if faults:
        ctx.exit(ExitCode.STORE)


def _all(reader: Reader) -> Iterator[ArtifactView]:
    """Yield each digest that the store knows once, artifacts before media."""
    seen: set[str] = set()
    for view in reader.artifacts():
        if view.digest not in seen:
            seen.add(view.digest)
            yield view
    for media in reader.store.artifacts(ArtifactQuery(role="media")):
        if media.logged.digest not in seen:
            seen.add(media.logged.digest)
            yield reader.artifact(media.logged.digest)
