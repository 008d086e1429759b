# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Definitions of the events that we send."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_experiments.semconv.definitions import EventDef

GEN_AI_EVALUATION_RESULT: Final = EventDef(
    name="gen_ai.evaluation.result",
    brief="An answer of a generative model has been scored.",
    attributes={
        "gen_ai.evaluation.name": "required",
        "gen_ai.evaluation.score.value": "conditionally_required",
        "gen_ai.evaluation.score.label": "conditionally_required",
        "gen_ai.evaluation.explanation": "recommended",
        "gen_ai.response.id": "recommended",
        "error.type": "conditionally_required",
        "user.name": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/gen-ai/1.42.0",
)
"""An answer of a generative model has been scored."""

ML_ANOMALY: Final = EventDef(
    name="ml.anomaly",
    brief="A metric took a value that something is wrong with.",
    attributes={
        "ml.anomaly.kind": "required",
        "ml.metric.name": "required",
        "ml.metric.step": "recommended",
        "ml.anomaly.value": "conditionally_required",
        "ml.phase": "conditionally_required",
    },
)
"""A metric took a value that something is wrong with."""

ML_ARTIFACT_ALIAS: Final = EventDef(
    name="ml.artifact.alias",
    brief="An alias of an artifact's name has been set or taken away.",
    attributes={
        "ml.artifact.name": "required",
        "ml.artifact.experiment": "required",
        "ml.artifact.alias": "required",
        "artifact.hash": "conditionally_required",
    },
)
"""An alias of an artifact's name has been set or taken away."""

ML_ARTIFACT_LOGGED: Final = EventDef(
    name="ml.artifact.logged",
    brief="A run has kept bytes under a name.",
    attributes={
        "ml.artifact.name": "required",
        "artifact.hash": "required",
        "ml.artifact.type": "required",
        "ml.artifact.role": "required",
        "ml.artifact.form": "required",
        "ml.artifact.size": "required",
        "ml.artifact.file_count": "conditionally_required",
        "artifact.filename": "recommended",
        "ml.artifact.media_type": "recommended",
        "ml.artifact.step": "conditionally_required",
        "ml.artifact.index": "conditionally_required",
        "ml.artifact.caption": "conditionally_required",
        "ml.artifact.uri": "recommended",
        "ml.distributed.rank": "conditionally_required",
    },
)
"""A run has kept bytes under a name."""

ML_ARTIFACT_USED: Final = EventDef(
    name="ml.artifact.used",
    brief="A run uses bytes that are kept.",
    attributes={
        "artifact.hash": "required",
        "ml.artifact.name": "conditionally_required",
        "ml.artifact.experiment": "conditionally_required",
    },
)
"""A run uses bytes that are kept."""

ML_CHECKPOINT_SAVED: Final = EventDef(
    name="ml.checkpoint.saved",
    brief="A checkpoint has been written completely.",
    attributes={
        "ml.checkpoint.name": "required",
        "ml.checkpoint.uri": "recommended",
        "ml.checkpoint.size": "recommended",
        "artifact.hash": "recommended",
        "ml.epoch.index": "recommended",
        "ml.step.index": "recommended",
    },
)
"""A checkpoint has been written completely."""

ML_EXPERIMENT_DEFINITION: Final = EventDef(
    name="ml.experiment.definition",
    brief="What all runs of an experiment share.",
    attributes={},
)
"""What all runs of an experiment share."""

ML_METRIC_BATCH: Final = EventDef(
    name="ml.metric.batch",
    brief="Points of metrics that were logged together.",
    attributes={
        "ml.phase": "recommended",
    },
    is_sent=False,
)
"""Points of metrics that were logged together."""

ML_METRIC_DEFINITION: Final = EventDef(
    name="ml.metric.definition",
    brief="How a metric of the run is to be read.",
    attributes={
        "ml.metric.pattern": "required",
        "ml.metric.direction": "conditionally_required",
        "ml.metric.step_metric": "conditionally_required",
        "ml.metric.summary": "conditionally_required",
        "ml.metric.hidden": "conditionally_required",
    },
)
"""How a metric of the run is to be read."""

ML_RANK_CONFIG: Final = EventDef(
    name="ml.rank.config",
    brief="What a rank other than the first was told about the run that all ranks record together.",
    attributes={
        "ml.distributed.rank": "required",
    },
)
"""What a rank other than the first was told about the run that all ranks record together."""

ML_RUN_CONFIG: Final = EventDef(
    name="ml.run.config",
    brief="The whole configuration that a run starts with.",
    attributes={},
)
"""The whole configuration that a run starts with."""

ML_RUN_EDIT: Final = EventDef(
    name="ml.run.edit",
    brief="The name, the group or the note of a run that the program has changed since its start.",
    attributes={},
)
"""The name, the group or the note of a run that the program has changed since its start."""

ML_RUN_ENVIRONMENT: Final = EventDef(
    name="ml.run.environment",
    brief="What a run's code, packages and machine were when an attempt of it started.",
    attributes={},
)
"""What a run's code, packages and machine were when an attempt of it started."""

ML_RUN_OUTPUT: Final = EventDef(
    name="ml.run.output",
    brief="Lines that a process of the run wrote to standard output or standard error, one after another.",
    attributes={
        "log.iostream": "required",
        "ml.output.line.first": "required",
        "ml.output.line.offsets": "recommended",
        "process.pid": "required",
    },
)
"""Lines that a process of the run wrote to standard output or standard error, one after another."""

ML_RUN_PARAMS: Final = EventDef(
    name="ml.run.params",
    brief="Parameters that a run was given after its start.",
    attributes={},
)
"""Parameters that a run was given after its start."""

ML_RUN_RECORD: Final = EventDef(
    name="ml.run.record",
    brief="All that is stored of a run itself, in an export that is to be read back.",
    attributes={},
)
"""All that is stored of a run itself, in an export that is to be read back."""

ML_RUN_START: Final = EventDef(
    name="ml.run.start",
    brief="A process has started or resumed a run.",
    attributes={
        "ml.run.state": "conditionally_required",
        "ml.random.seed": "conditionally_required",
        "ml.run.created_time": "conditionally_required",
        "ml.run.started_time": "conditionally_required",
        "ml.run.paused_time": "conditionally_required",
        "ml.environment.run.id": "conditionally_required",
        "ml.distributed.rank": "conditionally_required",
        "ml.distributed.world_size": "recommended",
    },
)
"""A process has started or resumed a run."""

ML_RUN_STATE: Final = EventDef(
    name="ml.run.state",
    brief="A run has taken another state.",
    attributes={
        "ml.run.state": "required",
        "ml.run.reason": "recommended",
        "error.type": "conditionally_required",
        "ml.run.paused_time": "conditionally_required",
        "ml.run.pause.count": "conditionally_required",
        "ml.run.pause.dropped": "conditionally_required",
    },
)
"""A run has taken another state."""

ML_RUN_SUMMARY: Final = EventDef(
    name="ml.run.summary",
    brief="Values that the program set in the summary of its run.",
    attributes={},
)
"""Values that the program set in the summary of its run."""

ML_RUN_TAGS: Final = EventDef(
    name="ml.run.tags",
    brief="Tags that a run was given, at its start or later.",
    attributes={},
)
"""Tags that a run was given, at its start or later."""

ML_TELEMETRY_LOSS: Final = EventDef(
    name="ml.telemetry.loss",
    brief="Something was not recorded as it was given.",
    attributes={
        "ml.loss.kind": "required",
        "ml.loss.name": "conditionally_required",
        "ml.loss.reason": "required",
        "ml.loss.count": "required",
    },
)
"""Something was not recorded as it was given."""

ALL: Final[tuple[EventDef, ...]] = (
    GEN_AI_EVALUATION_RESULT,
    ML_ANOMALY,
    ML_ARTIFACT_ALIAS,
    ML_ARTIFACT_LOGGED,
    ML_ARTIFACT_USED,
    ML_CHECKPOINT_SAVED,
    ML_EXPERIMENT_DEFINITION,
    ML_METRIC_BATCH,
    ML_METRIC_DEFINITION,
    ML_RANK_CONFIG,
    ML_RUN_CONFIG,
    ML_RUN_EDIT,
    ML_RUN_ENVIRONMENT,
    ML_RUN_OUTPUT,
    ML_RUN_PARAMS,
    ML_RUN_RECORD,
    ML_RUN_START,
    ML_RUN_STATE,
    ML_RUN_SUMMARY,
    ML_RUN_TAGS,
    ML_TELEMETRY_LOSS,
)
"""All of them."""

BY_NAME: Final[Mapping[str, EventDef]] = {definition.name: definition for definition in ALL}
"""By name."""
