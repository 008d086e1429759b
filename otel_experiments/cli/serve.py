"""`otel-experiments serve`: receives OTLP until it is stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

import click

from otel_experiments.cli.root import store_option
from otel_experiments.cli.session import store_location
from otel_experiments.cli.terminal.format import clean
from otel_experiments.errors import ConfigurationError
from otel_experiments.importers.otlp.emitters import use_mapping
from otel_experiments.model.other_stores import without_password
from otel_experiments.model.store_location import StoreLocation
from otel_experiments.process.bell import Bell
from otel_experiments.receiver.limits import MIB, Limits
from otel_experiments.receiver.receiver import GRPC_ADDRESS, HTTP_ADDRESS, Receiver

TOKEN_VARIABLE: Final = "OTEL_EXPERIMENTS_RECEIVER_TOKEN"  # noqa: S105 - the name of a variable
_LONG_S: Final = 3600.0


@click.command("serve")
@store_option
@click.option(
    "--grpc", metavar="HOST:PORT", default=GRPC_ADDRESS, show_default=True, help="OTLP over gRPC; or none."
)
@click.option(
    "--http", metavar="HOST:PORT", default=HTTP_ADDRESS, show_default=True, help="OTLP over HTTP; or none."
)
@click.option(
    "--token-file",
    metavar="FILE",
    help=f"Holds the token that clients have to send. Default: the variable {TOKEN_VARIABLE}.",
)
@click.option("--tls-cert", metavar="FILE", help="The certificate chain in PEM; speaks TLS.")
@click.option("--tls-key", metavar="FILE", help="Its private key in PEM.")
@click.option("--allow-origin", metavar="ORIGIN", multiple=True, help="Pages of a browser that may send.")
@click.option("--allow-host", metavar="NAME", multiple=True, help="A further name of this receiver.")
@click.option(
    "--max-request-mib",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="The largest request.",
)
@click.option(
    "--max-in-flight-mib",
    type=click.IntRange(1, 1 << 20),
    default=128,
    show_default=True,
    help="Requests in memory at once; beyond it clients are asked to wait.",
)
@click.option(
    "--max-backlog-mib",
    type=click.IntRange(1, 1 << 30),
    default=4096,
    show_default=True,
    help="What may wait on the disk for the store; beyond it clients are asked to wait.",
)
@click.option(
    "--mapping",
    metavar="FILE",
    help="Copied beside the store: which run telemetry of other programs belongs to.",
)
@click.pass_context
def command(  # noqa: PLR0913 - each argument is one option
    ctx: click.Context,
    *,
    grpc: str,
    http: str,
    token_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    allow_origin: tuple[str, ...],
    allow_host: tuple[str, ...],
    max_request_mib: int,
    max_in_flight_mib: int,
    max_backlog_mib: int,
    mapping: str | None,
) -> None:
    """Receive OTLP from any program, and keep it in the store: gRPC and HTTP, until Ctrl-C or SIGTERM.

    Telemetry that names a run (ml.run.id) becomes that run; all else is kept and can be attached to one. What is
    acknowledged survives a crash. On addresses that other machines can reach a token is demanded.
    """
    _check_pairs(grpc, http, tls_cert, tls_key)
    if mapping is not None:
        _use_mapping(store_location(ctx), mapping)
    with _stop_signals() as stopped:
        receiver = Receiver(
            str(store_location(ctx)),
            grpc=None if grpc == "none" else grpc,
            http=None if http == "none" else http,
            token=_token(token_file),
            tls_cert=tls_cert,
            tls_key=tls_key,
            allowed_origins=allow_origin,
            allowed_hosts=allow_host,
            limits=Limits(max_request_mib * MIB, max_in_flight_mib * MIB, max_backlog_mib * MIB),
        )
        try:
            _greet(receiver, store_location(ctx))
            while not stopped.wait(_LONG_S):
                pass
        finally:
            is_stored = receiver.close()
    click.echo(f"{receiver.counts}{_rest(is_stored=is_stored, damage_count=len(receiver.damages))}")


def _check_pairs(grpc: str, http: str, tls_cert: str | None, tls_key: str | None) -> None:
    """Let options pass that can go together.

    Raises:
        click.UsageError: there is nowhere to listen, or one of the two files of TLS is missing.
    """
    if grpc == http == "none":
        raise click.UsageError(
            f"There is nowhere to listen: --grpc and --http are none. Give one, such as --http {HTTP_ADDRESS}."
        )
    if (tls_cert is None) != (tls_key is None):
        given, missing = ("--tls-cert", "--tls-key") if tls_key is None else ("--tls-key", "--tls-cert")
        raise click.UsageError(
            f"TLS needs a certificate and its key, and only {given} is given. Give {missing} as well."
        )


def _rest(*, is_stored: bool, damage_count: int) -> str:
    """Return what is to be said at the end where not everything is in the store."""
    text = (
        "" if is_stored else " Not all of it is stored yet: the next command that opens the store does that."
    )
    if damage_count:
        text += f" Not everything could be stored, in {damage_count} places: otel-experiments doctor"
    return text


def _use_mapping(location: StoreLocation, file: str) -> None:
    """Let a mapping decide whose the telemetry of other programs is; a store without a file has no place for one."""
    if location.beside is not None:
        where = use_mapping(location.beside, file)
        click.echo(f"The mapping is {where}.", err=True)


def _greet(receiver: Receiver, location: StoreLocation) -> None:
    endpoints = (("gRPC", receiver.grpc_endpoint), ("HTTP", receiver.http_endpoint))
    where = " and ".join(f"{name} at {endpoint}" for name, endpoint in endpoints if endpoint is not None)
    shown = without_password(str(receiver.store_path or location))
    click.echo(f"Receiving OTLP into {clean(shown)}: {where}. Stop with Ctrl-C.")
    if receiver.takes_token_in_clear:
        click.echo(
            "warning: the token crosses the network in clear. Pass --tls-cert and --tls-key.", err=True
        )


def _token(file: str | None) -> str | None:
    """Return the token that clients have to send; None where there is none.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if file is None:
        return os.environ.get(TOKEN_VARIABLE) or None
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise ConfigurationError(
            f"The token cannot be read from {file!r}: {reason}.\n  Write it there, in one line."
        ) from error


@contextmanager
def _stop_signals() -> Iterator[Bell]:
    """Ring the bell on Ctrl-C and SIGTERM inside the block, and leave both as they were after it."""
    stopped = Bell()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.ring()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
