"""What user code calls: settings, runs, scopes, decorators. Knows no store.

The names here are the types of what the functions of `otel_experiments` return, for annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names
from otel_experiments.record.base.sound_environment import import_sdk

if TYPE_CHECKING:
    from otel_experiments.record.base.artifact_digest import ArtifactDigest
    from otel_experiments.record.params.config import Config
    from otel_experiments.record.pipeline.artifact_queue import ArtifactHandle
    from otel_experiments.record.pipeline.flush_report import FlushReport
    from otel_experiments.record.run.summary import RunSummary
    from otel_experiments.record.spans.scopes import CheckpointScope, Scope

__all__ = [
    "ArtifactDigest",
    "ArtifactHandle",
    "CheckpointScope",
    "Config",
    "FlushReport",
    "RunSummary",
    "Scope",
]

import_sdk()

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "ArtifactDigest": "base.artifact_digest",
            "ArtifactHandle": "pipeline.artifact_queue",
            "CheckpointScope": "spans.scopes",
            "Config": "params.config",
            "FlushReport": "pipeline.flush_report",
            "RunSummary": "run.summary",
            "Scope": "spans.scopes",
        },
    )
