"""Switching OTLP on: apart from `otlp`, whose encoders and gRPC take 20 ms to import, and only where it is wanted."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

from otel_experiments.record.base.notices import say_once
from otel_experiments.record.otlp.environment import SDK_DISABLED, is_sdk_disabled, read_plan
from otel_experiments.record.otlp.grpc_forks import without_fork_handlers

if TYPE_CHECKING:
    from otel_experiments.record.pipeline.pipeline import Pipeline


def start_otlp(pipeline: Pipeline, *, version: str, is_stored: bool) -> None:
    """Let a pipeline send what the environment asks for; say once what of it cannot be used."""
    if is_sdk_disabled(os.environ):
        say_once(SDK_DISABLED)
        return
    plan = read_plan(pipeline.settings.otlp, os.environ)
    for notice in plan.notices:
        say_once(notice)
    if plan.destinations:
        with without_fork_handlers():
            with warnings.catch_warnings():  # importing the SDK's logs puts a filter in front of the user's
                from otel_experiments.record.otlp.export import OtlpExport  # noqa: PLC0415 - see above

            export = OtlpExport(
                plan, pipeline.guard, pipeline.known_runs, is_stored=is_stored, version=version
            )
        pipeline.attach_otlp(export)
