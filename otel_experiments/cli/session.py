"""Which store a command works on, and what is said when there is nothing in it."""

from __future__ import annotations

import click

from otel_experiments.cli.root import ExitCode, named_store
from otel_experiments.errors import StoreNotFoundError, StorePathError
from otel_experiments.query import Reader, open_reader
from otel_experiments.record.base.settings import Settings

FIRST_RUN = """\
Three lines make the first run:

    import otel_experiments as ox
    with ox.start_run("first", config={"lr": 0.01}) as run:
        run.log({"loss": 0.5})

Or let the demo train some classifiers: otel-experiments demo"""


def store_location(ctx: click.Context) -> str:
    """Return the store that `--store`, the environment or the default names.

    Raises:
        ConfigurationError: the environment holds a setting that cannot be used.
        StorePathError: the settings say that nothing is kept locally, or name a path from a folder that is gone.
    """
    settings = Settings.resolve(store=named_store(ctx))
    if settings.store_path is None and not settings.is_stored:
        raise StorePathError(
            path=settings.store,
            why="with this setting nothing is kept locally",
            fix="Name a store: --store PATH or OTEL_EXPERIMENTS_STORE=PATH.",
        )
    return settings.store


def open_session(ctx: click.Context) -> Reader:
    """Return a reader over the command's store, closed when the command ends.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    try:
        is_network = Settings.resolve().network_filesystem
        reader = ctx.with_resource(open_reader(store_location(ctx), is_network=is_network))
    except StoreNotFoundError as error:
        click.echo(f"{error}\n\n{FIRST_RUN}", err=True)
        ctx.exit(ExitCode.STORE)
    return reader
