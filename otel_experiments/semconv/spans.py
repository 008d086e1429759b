# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Definitions of the spans that we make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_experiments.semconv.definitions import SpanDef

GEN_AI_EXECUTE_TOOL: Final = SpanDef(
    type="gen_ai.execute_tool",
    kind="internal",
    name_pattern="{gen_ai.operation.name} {gen_ai.tool.name}",
    brief="A tool is called.",
    attributes={
        "gen_ai.operation.name": "required",
        "gen_ai.tool.name": "recommended",
        "gen_ai.tool.type": "recommended",
        "gen_ai.tool.call.id": "recommended",
        "gen_ai.tool.description": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="gen_ai.operation.name",
    match_values=("execute_tool",),
    sampling_relevant=("gen_ai.operation.name", "gen_ai.tool.name"),
    upstream="https://opentelemetry.io/schemas/gen-ai/1.42.0",
)
"""A tool is called."""

GEN_AI_INFERENCE_CLIENT: Final = SpanDef(
    type="gen_ai.inference.client",
    kind="client",
    name_pattern="{gen_ai.operation.name} {gen_ai.request.model}",
    brief="A generative model is asked.",
    attributes={
        "gen_ai.operation.name": "required",
        "gen_ai.provider.name": "required",
        "gen_ai.request.model": "conditionally_required",
        "gen_ai.request.max_tokens": "recommended",
        "gen_ai.request.temperature": "recommended",
        "gen_ai.request.top_p": "recommended",
        "gen_ai.request.seed": "conditionally_required",
        "gen_ai.response.id": "recommended",
        "gen_ai.response.model": "recommended",
        "gen_ai.response.finish_reasons": "recommended",
        "gen_ai.usage.input_tokens": "recommended",
        "gen_ai.usage.output_tokens": "recommended",
        "gen_ai.conversation.id": "conditionally_required",
        "gen_ai.agent.name": "conditionally_required",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="gen_ai.operation.name",
    match_values=("chat", "text_completion", "generate_content"),
    sampling_relevant=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"),
    upstream="https://opentelemetry.io/schemas/gen-ai/1.42.0",
)
"""A generative model is asked."""

ML_BATCH: Final = SpanDef(
    type="ml.batch",
    kind="internal",
    name_pattern="{ml.operation.name}",
    brief="Work on one batch of samples.",
    attributes={
        "ml.operation.name": "required",
        "ml.batch.index": "required",
        "ml.batch.size": "recommended",
        "ml.epoch.index": "recommended",
        "ml.phase": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("batch",),
    sampling_relevant=("ml.operation.name", "ml.batch.index"),
    is_opt_in=True,
)
"""Work on one batch of samples."""

ML_CHECKPOINT: Final = SpanDef(
    type="ml.checkpoint",
    kind="internal",
    name_pattern="{ml.operation.name}",
    brief="A checkpoint is written or read.",
    attributes={
        "ml.operation.name": "required",
        "ml.checkpoint.name": "recommended",
        "ml.checkpoint.uri": "recommended",
        "ml.checkpoint.size": "recommended",
        "artifact.hash": "recommended",
        "ml.epoch.index": "recommended",
        "ml.step.index": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("save_checkpoint", "load_checkpoint"),
    sampling_relevant=("ml.operation.name", "ml.checkpoint.name"),
)
"""A checkpoint is written or read."""

ML_ENSEMBLE: Final = SpanDef(
    type="ml.ensemble",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.ensemble.name}",
    brief="Several models are asked for one answer.",
    attributes={
        "ml.operation.name": "required",
        "ml.ensemble.name": "required",
        "ml.ensemble.strategy": "recommended",
        "ml.ensemble.size": "recommended",
        "ml.ensemble.agreement": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("ensemble",),
    sampling_relevant=("ml.operation.name", "ml.ensemble.name"),
)
"""Several models are asked for one answer."""

ML_EPOCH: Final = SpanDef(
    type="ml.epoch",
    kind="internal",
    name_pattern="{ml.operation.name}",
    brief="One pass over the data.",
    attributes={
        "ml.operation.name": "required",
        "ml.epoch.index": "required",
        "ml.epoch.count": "recommended",
        "ml.phase": "recommended",
        "ml.dataset.name": "recommended",
        "ml.dataset.version": "recommended",
        "ml.dataset.split": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("epoch",),
    sampling_relevant=("ml.operation.name", "ml.epoch.index"),
)
"""One pass over the data."""

ML_EVALUATION: Final = SpanDef(
    type="ml.evaluation",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.evaluation.name}",
    brief="A model is measured.",
    attributes={
        "ml.operation.name": "required",
        "ml.evaluation.name": "recommended",
        "ml.phase": "recommended",
        "ml.epoch.index": "recommended",
        "ml.step.index": "recommended",
        "test.suite.name": "recommended",
        "test.suite.run.status": "recommended",
        "test.case.name": "recommended",
        "test.case.result.status": "recommended",
        "ml.dataset.name": "recommended",
        "ml.dataset.version": "recommended",
        "ml.dataset.split": "recommended",
        "ml.model.name": "recommended",
        "ml.model.version": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("evaluate",),
    sampling_relevant=("ml.operation.name", "ml.evaluation.name"),
)
"""A model is measured."""

ML_FUNCTION: Final = SpanDef(
    type="ml.function",
    kind="internal",
    name_pattern="{code.function.name}",
    brief="A function or block that the user traces.",
    attributes={
        "ml.operation.name": "required",
        "ml.phase": "opt_in",
        "ml.ensemble.member.index": "conditionally_required",
        "ml.ensemble.member.name": "recommended",
        "ml.hedge.attempt.index": "conditionally_required",
        "ml.hedge.cancelled": "conditionally_required",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("trace",),
    sampling_relevant=("ml.operation.name",),
)
"""A function or block that the user traces."""

ML_HEDGE: Final = SpanDef(
    type="ml.hedge",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.hedge.target}",
    brief="One request is sent several times, and the first answer is used.",
    attributes={
        "ml.operation.name": "required",
        "ml.hedge.target": "required",
        "ml.hedge.delay": "recommended",
        "ml.hedge.attempt.count": "recommended",
        "ml.hedge.winner.index": "conditionally_required",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("hedge",),
    sampling_relevant=("ml.operation.name", "ml.hedge.target"),
)
"""One request is sent several times, and the first answer is used."""

ML_INFERENCE: Final = SpanDef(
    type="ml.inference",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.model.name}",
    brief="A model is asked for predictions.",
    attributes={
        "ml.operation.name": "required",
        "ml.batch.size": "recommended",
        "ml.model.name": "recommended",
        "ml.model.version": "recommended",
        "ml.ensemble.member.index": "conditionally_required",
        "ml.ensemble.member.name": "recommended",
        "ml.hedge.attempt.index": "conditionally_required",
        "ml.hedge.cancelled": "conditionally_required",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("infer",),
    sampling_relevant=("ml.operation.name",),
)
"""A model is asked for predictions."""

ML_PIPELINE: Final = SpanDef(
    type="ml.pipeline",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.pipeline.name}",
    brief="A pipeline of stages.",
    attributes={
        "ml.operation.name": "required",
        "ml.pipeline.name": "required",
        "ml.pipeline.run.id": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("pipeline",),
    sampling_relevant=("ml.operation.name", "ml.pipeline.name"),
)
"""A pipeline of stages."""

ML_PIPELINE_STAGE: Final = SpanDef(
    type="ml.pipeline.stage",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.pipeline.stage.name}",
    brief="One stage of a pipeline.",
    attributes={
        "ml.operation.name": "required",
        "ml.pipeline.stage.name": "required",
        "ml.pipeline.stage.index": "recommended",
        "ml.pipeline.stage.result": "recommended",
        "ml.pipeline.name": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("pipeline_stage",),
    sampling_relevant=("ml.operation.name", "ml.pipeline.stage.name"),
)
"""One stage of a pipeline."""

ML_RUN: Final = SpanDef(
    type="ml.run",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.experiment.name}",
    brief="A whole run, from its start to its end; the root of the run's trace.",
    attributes={
        "ml.operation.name": "required",
        "ml.run.result": "conditionally_required",
        "ml.run.reason": "recommended",
        "ml.run.tag": "conditionally_required",
        "ml.hyperparameter": "conditionally_required",
        "ml.random.seed": "conditionally_required",
        "ml.run.spans.started": "conditionally_required",
        "ml.run.spans.ended": "conditionally_required",
        "ml.run.spans.dropped": "conditionally_required",
        "ml.distributed.rank": "conditionally_required",
        "ml.distributed.local_rank": "recommended",
        "ml.distributed.world_size": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("run",),
    sampling_relevant=("ml.operation.name",),
)
"""A whole run, from its start to its end; the root of the run's trace."""

ML_STAGE: Final = SpanDef(
    type="ml.stage",
    kind="internal",
    name_pattern="{ml.operation.name} {ml.stage.name}",
    brief="A named part of a run, such as loading data or fitting.",
    attributes={
        "ml.operation.name": "required",
        "ml.stage.name": "required",
        "ml.stage.index": "recommended",
        "ml.phase": "recommended",
        "ml.dataset.name": "recommended",
        "ml.dataset.version": "recommended",
        "ml.dataset.split": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("stage",),
    sampling_relevant=("ml.operation.name", "ml.stage.name"),
)
"""A named part of a run, such as loading data or fitting."""

ML_STEP: Final = SpanDef(
    type="ml.step",
    kind="internal",
    name_pattern="{ml.operation.name}",
    brief="One update of the model.",
    attributes={
        "ml.operation.name": "required",
        "ml.step.index": "required",
        "ml.epoch.index": "recommended",
        "ml.batch.size": "recommended",
        "ml.phase": "recommended",
        "code.function.name": "recommended",
        "code.file.path": "recommended",
        "code.line.number": "recommended",
        "ml.span.lane": "recommended",
        "ml.span.sequence": "recommended",
        "ml.span.cpu_time": "recommended",
        "ml.trace.chunk.index": "conditionally_required",
        "error.type": "conditionally_required",
    },
    match_key="ml.operation.name",
    match_values=("step",),
    sampling_relevant=("ml.operation.name", "ml.step.index"),
    is_opt_in=True,
)
"""One update of the model."""

ALL: Final[tuple[SpanDef, ...]] = (
    GEN_AI_EXECUTE_TOOL,
    GEN_AI_INFERENCE_CLIENT,
    ML_BATCH,
    ML_CHECKPOINT,
    ML_ENSEMBLE,
    ML_EPOCH,
    ML_EVALUATION,
    ML_FUNCTION,
    ML_HEDGE,
    ML_INFERENCE,
    ML_PIPELINE,
    ML_PIPELINE_STAGE,
    ML_RUN,
    ML_STAGE,
    ML_STEP,
)
"""All of them."""

BY_OPERATION: Final[Mapping[tuple[str, str], SpanDef]] = {
    (definition.match_key, value): definition for definition in ALL for value in definition.match_values
}
"""From (attribute, value) that tell the operation to the span's definition."""
