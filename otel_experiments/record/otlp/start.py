"""Switching OTLP on: apart from `otlp`, whose encoders and gRPC take 20 ms to import, and only where it is wanted."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from otel_experiments.record.base.current import active_runs
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.base.scope import version
from otel_experiments.record.otlp.environment import SDK_DISABLED, is_sdk_disabled, read_plan
from otel_experiments.record.otlp.grpc_forks import without_fork_handlers

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_experiments.record.base.guard import Guard
    from otel_experiments.record.base.known_runs import KnownRuns
    from otel_experiments.record.base.settings import Settings
    from otel_experiments.record.otlp.export import OtlpExport
    from otel_experiments.record.otlp.leftovers import SendingStore


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
            plan, guard, known_runs, is_stored=is_stored, version=version(), store=store, progress=progress
        )
