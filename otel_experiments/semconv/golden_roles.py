# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""What a golden comparison does with the vocabulary's attributes; those in none of these are configuration."""

from typing import Final

INDEX: Final[tuple[str, ...]] = (
    "ml.artifact.index",
    "ml.artifact.step",
    "ml.batch.index",
    "ml.distributed.local_rank",
    "ml.distributed.rank",
    "ml.ensemble.member.index",
    "ml.epoch.index",
    "ml.hedge.attempt.index",
    "ml.hedge.winner.index",
    "ml.metric.step",
    "ml.pipeline.stage.index",
    "ml.stage.index",
    "ml.step.index",
)
"""Numbers that say which round of a loop a span is."""

METRIC: Final[tuple[str, ...]] = ("gen_ai.evaluation.score.value", "ml.anomaly.value")
"""Numbers that are compared as a curve."""

IDENTITY: Final[tuple[str, ...]] = (
    "gen_ai.conversation.id",
    "gen_ai.tool.call.id",
    "ml.environment.run.id",
    "ml.pipeline.run.id",
    "ml.run.parent.id",
)
"""Ids: which spans share one is compared, not its value."""

VOLATILE: Final[tuple[str, ...]] = (
    "artifact.hash",
    "code.file.path",
    "code.line.number",
    "code.stacktrace",
    "exception.stacktrace",
    "gen_ai.response.id",
    "host.arch",
    "host.id",
    "host.name",
    "log.iostream",
    "ml.artifact.file_count",
    "ml.artifact.size",
    "ml.artifact.uri",
    "ml.checkpoint.size",
    "ml.export.given_time",
    "ml.export.run_id",
    "ml.metric.nan_bits",
    "ml.output.line.first",
    "ml.output.line.offsets",
    "ml.run.adopted",
    "ml.run.created_time",
    "ml.run.fork.run.id",
    "ml.run.host_load.cpu.utilization",
    "ml.run.id",
    "ml.run.key",
    "ml.run.name",
    "ml.run.pause.dropped",
    "ml.run.paused_time",
    "ml.run.spans.dropped",
    "ml.run.spans.ended",
    "ml.run.spans.started",
    "ml.run.start_times",
    "ml.run.started_from",
    "ml.run.started_time",
    "ml.run.trace_url",
    "ml.span.cpu_time",
    "ml.span.lane",
    "ml.span.sequence",
    "ml.syscall.duration",
    "ml.trace.chunk.first_step",
    "ml.trace.chunk.index",
    "ml.trace.chunk.last_step",
    "os.description",
    "os.name",
    "os.type",
    "os.version",
    "process.command_args",
    "process.creation.time",
    "process.executable.path",
    "process.owner",
    "process.parent_pid",
    "process.pid",
    "process.working_directory",
    "service.instance.id",
    "telemetry.sdk.version",
    "thread.id",
    "thread.name",
    "user.name",
)
"""What differs from run to run, and is left out."""
