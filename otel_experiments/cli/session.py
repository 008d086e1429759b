"""Which store a command works on, and what is said when there is nothing in it."""

from __future__ import annotations

import click

from otel_experiments._opening import open_reader
from otel_experiments.cli.exit import ExitCode
from otel_experiments.cli.root import named_store
from otel_experiments.errors import StoreNotFoundError
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.query import Reader
from otel_experiments.record.base.settings import Settings

FIRST_RUN = """\
Three lines make the first run:

    import otel_experiments as ox
    with ox.start_run("first", config={"lr": 0.01}) as run:
        run.log({"loss": 0.5})

Or let the demo train some classifiers: otel-experiments demo"""


def store_location(ctx: click.Context) -> StoreLocation:
    """Return the store that `--store`, the environment or the default names.

    Raises:
        ConfigurationError: the environment holds a setting that cannot be used.
        StorePathError: the settings name no store, or a path from a folder that is gone.
    """
    location = Settings.resolve(store=named_store(ctx)).location.require_store()
    _ = location.absolute_path  # raises where the folder that the path starts from is gone
    return location


def open_session(ctx: click.Context) -> Reader:
    """Return a reader over the command's store, closed when the command ends.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    return ctx.with_resource(new_reader(ctx))


def new_reader(ctx: click.Context) -> Reader:
    """Return a reader over the command's store, with all that was recorded for it until now.

    Raises:
        StoreError: there is no store, or it cannot be read.
    """
    try:
        reader = open_reader(store_location(ctx), is_network=Settings.resolve().network_filesystem)
    except StoreNotFoundError as error:
        click.echo(f"{error}\n\n{FIRST_RUN}", err=True)
        ctx.exit(ExitCode.STORE)
    return reader
