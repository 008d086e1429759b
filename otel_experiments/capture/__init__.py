"""Runs as a golden comparison takes them: from this process, a command, a stored run, an OTLP file, an exporter.

Nothing is compared here, and nothing incomplete is let through: every function refuses a trace that lacks spans.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.capture.command import capture_command
    from otel_experiments.capture.exported import capture_exported
    from otel_experiments.capture.files import capture_file, is_telemetry_file
    from otel_experiments.capture.live import LiveCapture, record_here
    from otel_experiments.capture.stored import capture_run, capture_store

__all__ = [
    "LiveCapture",
    "capture_command",
    "capture_exported",
    "capture_file",
    "capture_run",
    "capture_store",
    "is_telemetry_file",
    "record_here",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "LiveCapture": "live",
            "capture_command": "command",
            "capture_exported": "exported",
            "capture_file": "files",
            "capture_run": "stored",
            "capture_store": "stored",
            "is_telemetry_file": "files",
            "record_here": "live",
        },
    )
