"""Switching OTLP on: apart from `otlp`, whose encoders and gRPC take 20 ms to import, and only where it is wanted."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Unpack

from otel_experiments.errors import ConfigurationError
from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.base.otlp_setting import Otlp, variables_of, without_password
from otel_experiments.record.base.scope import version
from otel_experiments.record.base.settings import GivenSettings, Settings
from otel_experiments.record.otlp.certificates import read_certificates
from otel_experiments.record.otlp.environment import (
    HTTP,
    SDK_DISABLED,
    is_sdk_disabled,
    read_endpoint,
    read_plan,
    read_protocol,
)
from otel_experiments.record.otlp.grpc_forks import without_fork_handlers

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_experiments.record.base.guard import Guard
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.otlp.export import OtlpExport
    from otel_experiments.record.otlp.leftovers import SendingStore


def resolve_settings(**settings: Unpack[GivenSettings]) -> Settings:
    """Return the settings that arguments, environment and defaults give, those of sending checked as well.

    Raises:
        ConfigurationError: a setting that there is not, or that cannot be used.
    """
    found = Settings.resolve(**settings)
    check_sending(found.otlp, os.environ)
    return found


def check_sending(setting: bool | Otlp | None, environ: Mapping[str, str]) -> None:  # noqa: FBT001 - the setting
    """See that what code says of sending can be used; what the environment says never ends a training.

    Raises:
        ConfigurationError: an endpoint that cannot be dialled, or a certificate's file that is of no use.
    """
    if not isinstance(setting, Otlp):
        return
    variables = variables_of(setting, environ)
    protocol = read_protocol(variables, "traces", [])
    if setting.endpoint is not None:
        try:
            is_plain = read_endpoint(setting.endpoint, protocol, suffix="v1/traces").is_plain
        except ValueError as error:
            raise ConfigurationError(
                f"endpoint={without_password(setting.endpoint)!r} of Otlp cannot be used: {error}.\n  Write it as "
                f"http://HOST:{4318 if protocol == HTTP else 4317}, the port of {protocol}."
            ) from None
        if is_plain and setting.certificate is not None:
            raise ConfigurationError(
                f"certificate={setting.certificate!r} of Otlp cannot be used: the endpoint is without TLS.\n  Write "
                "the endpoint with https://, or leave the certificate out."
            )
    notices: list[str] = []
    read_certificates(variables_of(setting, {}), "traces", notices)
    for notice in notices:
        what = notice.partition(". ")[0].replace("cannot be used", "of Otlp cannot be used")
        for name in ("CLIENT_CERTIFICATE", "CLIENT_KEY", "CERTIFICATE"):
            what = what.replace(f"OTEL_EXPORTER_OTLP_{name}", name.lower())
        raise ConfigurationError(f"{what}.\n  Name files in PEM form that this process can read.")


def start_otlp(
    settings: Settings,
    guard: Guard,
    known_runs: KnownRuns,
    *,
    is_stored: bool,
    store: SendingStore | None,
    clock: Callable[[], int],
) -> OtlpExport | None:
    """Return what sends as the environment asks, None where it does not; say once what of it cannot be used."""
    if is_sdk_disabled(os.environ):
        say_once(SDK_DISABLED)
        return None
    plan = read_plan(settings.otlp, os.environ)
    for notice in plan.notices:
        say_once(notice)
    if not plan.destinations:
        return None
    with without_fork_handlers():
        with warnings.catch_warnings():  # importing the SDK's logs puts a filter in front of the user's
            from otel_experiments.record.otlp.export import OtlpExport  # noqa: PLC0415 - see above
            from otel_experiments.record.otlp.progress import SendingProgress  # noqa: PLC0415 - as above

        progress = (
            None
            if store is None
            else SendingProgress(store, known_runs, is_active=active_runs.__contains__, clock=clock)
        )
        return OtlpExport(
            plan, guard, known_runs, is_stored=is_stored, version=version(), store=store, progress=progress,
            store_option=_store_option(settings),
        )  # fmt: skip


def _store_option(settings: Settings) -> str:
    """Return what a command needs behind it to find the store: nothing where it looks there by itself."""
    try:
        is_found = Settings.resolve().store == settings.store
    except ConfigurationError:
        is_found = False
    return "" if is_found else f" --store {shlex.quote(settings.shown_store)}"
