"""The doctor's look at versions, settings and where telemetry is sent."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.record.base.propagation import (
    RANK_VARIABLE,
    RUN_ID_VARIABLE,
    RUN_NAME_VARIABLE,
    THREAD_IDS_VARIABLE,
)
from otel_experiments.record.base.ranks import JOB_ID_VARIABLE
from otel_experiments.record.base.settings import SETTINGS, Settings
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.client import open_client
from otel_experiments.record.otlp.environment import SDK_DISABLED, Destination, is_sdk_disabled, read_plan
from otel_experiments.record.otlp.grpc_forks import without_fork_handlers

_PACKAGES = (
    "otel-experiments", "opentelemetry-api", "opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-grpc", "protobuf",
)  # fmt: skip
_ANSWER_TIMEOUT_S = 2.0
_HANDED_ON = {RUN_ID_VARIABLE, RUN_NAME_VARIABLE, RANK_VARIABLE, THREAD_IDS_VARIABLE, JOB_ID_VARIABLE}
"""Variables that are no settings: they tell a process what run, or which job, it belongs to."""
_MAX_NAMES = 5


def check_versions() -> Iterator[Diagnosis]:
    """Yield the versions that a bug report needs."""
    versions = []
    for package in _PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            yield Diagnosis(
                "problem",
                "versions",
                f"{package} is not installed.",
                "pip install --force-reinstall otel-experiments",
            )
    yield Diagnosis("ok", "versions", f"Python {platform.python_version()}, {', '.join(versions)}.")
    try:
        importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        yield Diagnosis(
            "note",
            "versions",
            "scikit-learn is not installed; only the demo needs it.",
            "pip install 'otel-experiments[demo]'",
        )


def check_settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Yield what the settings in force mean for recording."""
    given = [
        f"{one.variable}={environ[one.variable]}" for one in SETTINGS.values() if environ.get(one.variable)
    ]
    yield Diagnosis(
        "ok", "settings", f"From the environment: {', '.join(given)}." if given else "All defaults."
    )
    known = {one.variable for one in SETTINGS.values()}
    for name in environ:
        if name.startswith("OTEL_EXPERIMENTS_") and name not in known | _HANDED_ON:
            yield Diagnosis(
                "warning",
                "settings",
                f"{name} is not a setting of ours.",
                f"There are: {', '.join(sorted(known))}",
            )
    if not settings.enabled:
        yield Diagnosis(
            "warning", "settings", "Recording is turned off.", f"unset {SETTINGS['enabled'].variable}"
        )
    if is_sdk_disabled(environ):
        yield Diagnosis("warning", "settings", SDK_DISABLED, "unset OTEL_SDK_DISABLED")


def check_instrumentation(settings: Settings) -> Iterator[Diagnosis]:
    """Yield whether spans of the instrumented libraries that are installed can land in a run."""
    names = sorted({one.name for one in importlib.metadata.entry_points(group="opentelemetry_instrumentor")})
    if not names:
        return
    shown = ", ".join(names[:_MAX_NAMES]) + (", ..." if len(names) > _MAX_NAMES else "")
    if settings.set_global:
        yield Diagnosis(
            "ok", "libraries", f"Spans of instrumented libraries ({shown}) land in the current run."
        )
        return
    yield Diagnosis(
        "note",
        "libraries",
        f"Spans of instrumented libraries ({shown}) land in runs only where the program has set an SDK "
        "TracerProvider.",
        f"Run it under opentelemetry-instrument, or set {SETTINGS['set_global'].variable}=true",
    )


def check_otlp(settings: Settings, environ: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Yield where OTLP goes, what of the environment cannot be used, and whether anything listens there."""
    if is_sdk_disabled(environ):
        yield Diagnosis("ok", "otlp", "OTEL_SDK_DISABLED=true: nothing leaves this machine.")
        return
    if settings.otlp is False:
        if read_plan(True, environ).destinations:
            yield Diagnosis("note", "otlp", "Endpoints are set, but OTEL_EXPERIMENTS_OTLP turns sending off.")
        else:
            yield Diagnosis("ok", "otlp", "No endpoint is set: nothing leaves this machine.")
        return
    plan = read_plan(settings.otlp, environ)
    for notice in plan.notices:
        is_endpoint = "_ENDPOINT=" in notice.partition(" cannot be used")[0]
        yield Diagnosis("problem" if is_endpoint else "warning", "otlp", notice)
    yield from _ask(plan.destinations.values())
    if not plan.notices and not plan.destinations:
        is_set = any(name.endswith("_ENDPOINT") and environ[name] for name in _otlp_variables(environ))
        why = "OTEL_*_EXPORTER says none" if is_set else "No endpoint is set"
        yield Diagnosis("ok", "otlp", f"{why}: nothing leaves this machine.")


def _otlp_variables(environ: Mapping[str, str]) -> list[str]:
    return [name for name in environ if name.startswith("OTEL_EXPORTER_OTLP_")]


def _ask(destinations: Iterable[Destination]) -> Iterator[Diagnosis]:
    """Send each signal's destination a request without items, which every receiver takes, and yield what came of it."""
    found: dict[tuple[str, str, str], list[str]] = {}
    dead: dict[str, str] = {}
    for destination in destinations:
        target = destination.address.target
        if target not in dead:
            outcome = _answer_of(destination)
            if outcome.is_taken:
                found.setdefault((target, "", ""), []).append(destination.signal)
                continue
            if not outcome.is_unreachable:
                verdict = "takes none now" if outcome.is_passing else "does not take them"
                found.setdefault((target, verdict, outcome.detail), []).append(destination.signal)
                continue
            dead[target] = outcome.detail
        found.setdefault((target, "dead", dead[target]), []).append(destination.signal)
    for (target, verdict, detail), signals in found.items():
        yield _diagnosis(target, ", ".join(signals), verdict, detail)


def _diagnosis(target: str, signals: str, verdict: str, detail: str) -> Diagnosis:
    if not verdict:
        return Diagnosis("ok", "otlp", f"{signals}: {target} answers.")
    if verdict == "dead":
        return Diagnosis(
            "warning",
            "otlp",
            f"Nothing answers at {target} ({detail}), where {signals} would go.",
            "Runs are stored locally all the same. Start the collector, or unset OTEL_EXPORTER_OTLP_ENDPOINT.",
        )
    return Diagnosis(
        "warning",
        "otlp",
        f"{signals}: {target} answers, and {verdict} ({detail}).",
        "Runs are stored locally all the same. Correct the OTEL_EXPORTER_OTLP_* variables, or set "
        "OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER or OTEL_LOGS_EXPORTER to none for what is not to be sent.",
    )


def _answer_of(destination: Destination) -> Outcome:
    quick = replace(destination, timeout_s=min(destination.timeout_s, _ANSWER_TIMEOUT_S))
    try:
        with without_fork_handlers():
            client = open_client(quick, user_agent="otel-experiments-doctor")
            try:
                return client.send(b"")
            finally:
                client.close()
    except Exception as error:  # noqa: BLE001 - a provider of credentials, which is foreign code
        return Outcome(is_taken=False, detail=f"its credentials cannot be made: {error!r}")
