# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Names of attributes, as constants.

Nothing is imported here but `Final`: the hot path may import this module at no cost. Types, members and
examples as data are in `registry.py`.
"""

from typing import Final

ARTIFACT_FILENAME: Final = "artifact.filename"
"""File name of the artifact.

Type: str
Examples: "best.pt"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

ARTIFACT_HASH: Final = "artifact.hash"
"""Digest of the artifact's bytes; ours are SHA-256 and say so.

Type: str
Examples: "sha256:9ff4c52759e2c4ac70b7d517bc7fcdc1cda631ca0045271ddd1b192544f8a3e9"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

ARTIFACT_VERSION: Final = "artifact.version"
"""Version of the artifact.

Type: str
Examples: "v3"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

CODE_FILE_PATH: Final = "code.file.path"
"""Path of the source file.

Type: str
Examples: "src/train.py"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

CODE_FUNCTION_NAME: Final = "code.function.name"
"""Qualified name of the function.

Type: str
Examples: "train.fit", "model.Net.forward"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

CODE_LINE_NUMBER: Final = "code.line.number"
"""Line in the source file.

Type: int
Examples: 42
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

CODE_STACKTRACE: Final = "code.stacktrace"
"""Stack of the place that is meant, as Python prints it.

Type: str
Examples: "File \\"train.py\\", line 3, in fit"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

CPU_LOGICAL_NUMBER: Final = "cpu.logical_number"
"""Number of the logical CPU, from 0.

Type: int
Examples: 1
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

CPU_MODE: Final = "cpu.mode"
"""What the CPU does.

Type: str
Values: user, system, nice, idle, iowait, interrupt, steal; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""Name of the environment the run belongs to.

Type: str
Values: production, staging, test, development; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

DISK_IO_DIRECTION: Final = "disk.io.direction"
"""Whether data goes to or comes from the disk.

Type: str
Values: read, write; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

ERROR_TYPE: Final = "error.type"
"""Class of the error that ended the operation.

Type: str
Examples: "ValueError", "torch.cuda.OutOfMemoryError"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

EXCEPTION_MESSAGE: Final = "exception.message"
"""Text of the exception.

Type: str
Examples: "loss is NaN"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""Traceback of the exception, as Python prints it.

Type: str
Examples: "Traceback (most recent call last): ..."
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

EXCEPTION_TYPE: Final = "exception.type"
"""Full name of the exception's class.

Type: str
Examples: "ValueError"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
"""Name of the agent.

Type: str
Examples: "researcher"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""Identity of the conversation.

Type: str
Examples: "conv-5j66UpCpwteGg4YSxUnt7lPY"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
"""Why the score is what it is.

Type: str
Examples: "The answer names the right city."
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_EVALUATION_NAME: Final = "gen_ai.evaluation.name"
"""Name of the metric that the evaluation measures.

Type: str
Examples: "relevance"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
"""The score as a word.

Type: str
Examples: "pass", "relevant"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
"""The score as a number.

Type: float
Examples: 4.0
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
"""What a generative model, agent or tool is asked to do.

Type: str
Values: chat, text_completion, generate_content, embeddings, create_agent, invoke_agent, execute_tool; open
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Who serves the model.

Type: str
Values: openai, anthropic, aws.bedrock, azure.ai.inference, azure.ai.openai, cohere, deepseek, gcp.gemini, gcp.vertex_ai, groq, ibm.watsonx.ai, mistral_ai, perplexity, x_ai; open
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
"""Largest number of tokens to generate.

Type: int
Examples: 256
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
"""Model that was asked for.

Type: str
Examples: "gpt-4o"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
"""Seed of the generation.

Type: int
Examples: 7
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
"""Sampling temperature.

Type: float
Examples: 0.0, 0.7
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
"""Nucleus sampling threshold.

Type: float
Examples: 0.95
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
"""Why each answer ended.

Type: list[str]
Examples: ["stop"], ["stop", "length"]
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
"""Identity of the answer.

Type: str
Examples: "chatcmpl-123"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
"""Model that answered.

Type: str
Examples: "gpt-4o-2024-08-06"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
"""Identity of the call of the tool.

Type: str
Examples: "call_mszuSIzqtI65i1wAUOE8w5H4"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
"""What the tool is for.

Type: str
Examples: "Searches the index"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
"""Name of the tool.

Type: str
Examples: "search"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"
"""Kind of the tool.

Type: str
Examples: "function", "extension", "datastore"
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
"""

GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""Number of tokens in the prompt.

Type: int
Examples: 120
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""Number of tokens in the answer.

Type: int
Examples: 80
Stability: development
Defined by: https://opentelemetry.io/schemas/gen-ai/1.42.0
Never an attribute of a metric.
"""

HOST_ARCH: Final = "host.arch"
"""CPU architecture of the host.

Type: str
Values: amd64, arm64, arm32, x86, ppc32, ppc64, s390x, ia64; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HOST_ID: Final = "host.id"
"""Identity of the host.

Type: str
Examples: "fdbf79e8af94cb7f9e8df36789187052"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

HOST_NAME: Final = "host.name"
"""Name of the host.

Type: str
Examples: "gpu-07"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_DRIVER_VERSION: Final = "hw.driver_version"
"""Version of the component's driver.

Type: str
Examples: "550.54.15"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_GPU_TASK: Final = "hw.gpu.task"
"""Task the GPU is busy with.

Type: str
Values: general, encoder, decoder; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_ID: Final = "hw.id"
"""Identity of the component on its host.

Type: str
Examples: "GPU-8f6f1c7e"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_MODEL: Final = "hw.model"
"""Model of the component.

Type: str
Examples: "NVIDIA H100 80GB HBM3"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_NAME: Final = "hw.name"
"""Name of the component for people.

Type: str
Examples: "GPU 0"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_TYPE: Final = "hw.type"
"""Kind of the component.

Type: str
Values: cpu, gpu, memory; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

HW_VENDOR: Final = "hw.vendor"
"""Maker of the component.

Type: str
Examples: "NVIDIA"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

LOG_IOSTREAM: Final = "log.iostream"
"""The stream that the lines were written to.

Type: str
Values: stdout, stderr; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

ML_ANOMALY_KIND: Final = "ml.anomaly.kind"
"""What is wrong with a metric's value.

Type: str
Values: nan, positive_infinity, negative_infinity, spike; open
Stability: development
"""

ML_ANOMALY_VALUE: Final = "ml.anomaly.value"
"""The value that is wrong.

Type: float
Examples: 1250.5
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_ALIAS: Final = "ml.artifact.alias"
"""A name for one of the digests under an artifact's name.

Type: str
Examples: "best", "production"
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_CAPTION: Final = "ml.artifact.caption"
"""A line about an artifact.

Type: str
Examples: "predicted 3, was 5"
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_EXPERIMENT: Final = "ml.artifact.experiment"
"""The experiment to which an artifact's name belongs.

Type: str
Examples: "mnist"
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_FILE_COUNT: Final = "ml.artifact.file_count"
"""Number of files of a folder.

Type: int
Examples: 12
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_FORM: Final = "ml.artifact.form"
"""Whether an artifact is one file or a folder.

Type: str
Values: file, folder
Stability: development
"""

ML_ARTIFACT_INDEX: Final = "ml.artifact.index"
"""Position in a list of media that were logged at once, from 0.

Type: int
Examples: 0, 3
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_MEDIA_TYPE: Final = "ml.artifact.media_type"
"""Media type of an artifact's bytes.

Type: str
Examples: "image/png", "text/html"
Stability: development
"""

ML_ARTIFACT_NAME: Final = "ml.artifact.name"
"""Name under which a run kept or used bytes; it belongs to the run's experiment.

Type: str
Examples: "model", "train-data", "val/predictions"
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_ROLE: Final = "ml.artifact.role"
"""Whether bytes are kept for later use or to be looked at.

Type: str
Values: artifact, media
Stability: development
"""

ML_ARTIFACT_SIZE: Final = "ml.artifact.size"
"""Size of an artifact in bytes, of all files of a folder together.

Type: int
Examples: 104857600
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_STEP: Final = "ml.artifact.step"
"""Step at which an artifact was logged.

Type: float
Examples: 0.0, 1250.0
Stability: development
Never an attribute of a metric.
"""

ML_ARTIFACT_TYPE: Final = "ml.artifact.type"
"""What an artifact is.

Type: str
Examples: "model", "dataset", "file", "image", "table"
Stability: development
"""

ML_ARTIFACT_URI: Final = "ml.artifact.uri"
"""Where the bytes are kept, where that is not beside the run's store.

Type: str
Examples: "s3://bucket/artifacts"
Stability: development
Never an attribute of a metric.
"""

ML_BATCH_INDEX: Final = "ml.batch.index"
"""Number of the batch inside its epoch, from 0.

Type: int
Examples: 0, 390
Stability: development
Never an attribute of a metric.
"""

ML_BATCH_SIZE: Final = "ml.batch.size"
"""Number of samples in the batch.

Type: int
Examples: 32, 256
Stability: development
"""

ML_CHECKPOINT_NAME: Final = "ml.checkpoint.name"
"""Name of the checkpoint.

Type: str
Examples: "best", "epoch-10"
Stability: development
Never an attribute of a metric.
"""

ML_CHECKPOINT_SIZE: Final = "ml.checkpoint.size"
"""Size of the checkpoint in bytes.

Type: int
Examples: 104857600
Stability: development
Never an attribute of a metric.
"""

ML_CHECKPOINT_URI: Final = "ml.checkpoint.uri"
"""Where the checkpoint lies.

Type: str
Examples: "file:///data/checkpoints/best.pt", "s3://models/best.pt"
Stability: development
Never an attribute of a metric.
"""

ML_DATASET_NAME: Final = "ml.dataset.name"
"""Name of the data set.

Type: str
Examples: "mnist", "squad"
Stability: development
"""

ML_DATASET_SPLIT: Final = "ml.dataset.split"
"""The part of the data set that is used.

Type: str
Examples: "train", "dev", "test"
Stability: development
"""

ML_DATASET_VERSION: Final = "ml.dataset.version"
"""Version or digest of the data set.

Type: str
Examples: "2.0", "sha256:9f86d081884c7d65"
Stability: development
"""

ML_DISTRIBUTED_LOCAL_RANK: Final = "ml.distributed.local_rank"
"""Number of the process among the run's processes on its host, from 0.

Type: int
Examples: 0, 3
Stability: development
"""

ML_DISTRIBUTED_RANK: Final = "ml.distributed.rank"
"""Number of the process among all processes of the run, from 0.

Type: int
Examples: 0, 7
Stability: development
"""

ML_DISTRIBUTED_WORLD_SIZE: Final = "ml.distributed.world_size"
"""Number of processes of the run.

Type: int
Examples: 8
Stability: development
"""

ML_ENSEMBLE_AGREEMENT: Final = "ml.ensemble.agreement"
"""Share of the members that agree with the ensemble's answer, 0 to 1.

Type: float
Examples: 0.8
Stability: development
Never an attribute of a metric.
"""

ML_ENSEMBLE_MEMBER_INDEX: Final = "ml.ensemble.member.index"
"""Position of the member in its ensemble, from 0.

Type: int
Examples: 0, 4
Stability: development
Never an attribute of a metric.
"""

ML_ENSEMBLE_MEMBER_NAME: Final = "ml.ensemble.member.name"
"""Name of the member of the ensemble.

Type: str
Examples: "judge-a"
Stability: development
"""

ML_ENSEMBLE_NAME: Final = "ml.ensemble.name"
"""Name of the ensemble.

Type: str
Examples: "judges"
Stability: development
"""

ML_ENSEMBLE_SIZE: Final = "ml.ensemble.size"
"""Number of members asked.

Type: int
Examples: 3, 5
Stability: development
"""

ML_ENSEMBLE_STRATEGY: Final = "ml.ensemble.strategy"
"""How the members' answers become one.

Type: str
Values: majority_vote, weighted_vote, mean, median, best, unanimous; open
Stability: development
"""

ML_ENVIRONMENT_RUN_ID: Final = "ml.environment.run.id"
"""Id of the run whose event `ml.run.environment` says what this run's code, packages and machine were.

Type: str
Examples: "4bf92f3577b34da6a3ce929d0e0e4736"
Stability: development
Never an attribute of a metric.

Runs of one process that start soon after each other are run from the same.
"""

ML_EPOCH_COUNT: Final = "ml.epoch.count"
"""How many epochs are planned.

Type: int
Examples: 12
Stability: development
"""

ML_EPOCH_INDEX: Final = "ml.epoch.index"
"""Number of the epoch, from 0.

Type: int
Examples: 0, 11
Stability: development
Never an attribute of a metric.
"""

ML_EVALUATION_NAME: Final = "ml.evaluation.name"
"""Name of the evaluation.

Type: str
Examples: "holdout", "robustness"
Stability: development
"""

ML_EXPERIMENT_CONDITION: Final = "ml.experiment.condition"
"""The arm of the experiment that the run belongs to.

Type: str
Examples: "control", "treatment"
Stability: development
"""

ML_EXPERIMENT_DESCRIPTION: Final = "ml.experiment.description"
"""What is studied, in the words of the person who studies it.

Type: str
Examples: "Does label smoothing help on small data?"
Stability: development
Never an attribute of a metric.
"""

ML_EXPERIMENT_GROUP: Final = "ml.experiment.group"
"""Name under which runs of one experiment are gathered, such as a sweep or an ablation.

Type: str
Examples: "lr-sweep", "2026-11"
Stability: development
"""

ML_EXPERIMENT_HYPOTHESIS: Final = "ml.experiment.hypothesis"
"""The statement that the experiment supports or refutes.

Type: str
Examples: "Warm-up halves the number of diverged runs"
Stability: development
Never an attribute of a metric.
"""

ML_EXPERIMENT_NAME: Final = "ml.experiment.name"
"""Name of the experiment, the thing that is studied.

Type: str
Examples: "mnist-baseline", "retrieval-ablation"
Stability: development
"""

ML_EXPORT_GIVEN_TIME: Final = "ml.export.given_time"
"""When exported telemetry was attached to its run, in nanoseconds since 1970; 0 where it joined the run by its trace.

Type: int
Examples: 1700000000000000000
Stability: development
Never an attribute of a metric.

Stands beside `ml.export.run_id`, on the resource of what names no run by itself.
"""

ML_EXPORT_RUN_ID: Final = "ml.export.run_id"
"""Run that exported telemetry is stored under; empty where it belongs to no run.

Type: str
Examples: "0af7651916cd43dd8448eb211c80319c"
Stability: development
Never an attribute of a metric.

`otel-experiments export otlp` adds it to each resource, and what reads the export takes it away: other attributes need not name the run of what other libraries recorded in it.
"""

ML_HEDGE_ATTEMPT_COUNT: Final = "ml.hedge.attempt.count"
"""Number of attempts that were started.

Type: int
Examples: 1, 2
Stability: development
"""

ML_HEDGE_ATTEMPT_INDEX: Final = "ml.hedge.attempt.index"
"""Position of the attempt among those of its hedge, from 0.

Type: int
Examples: 0, 1
Stability: development
Never an attribute of a metric.
"""

ML_HEDGE_CANCELLED: Final = "ml.hedge.cancelled"
"""Whether the attempt was given up because another one had answered.

Type: bool
Stability: development
"""

ML_HEDGE_DELAY: Final = "ml.hedge.delay"
"""Seconds after which another attempt is started.

Type: float
Examples: 0.25
Stability: development
"""

ML_HEDGE_TARGET: Final = "ml.hedge.target"
"""What the hedged request asks.

Type: str
Examples: "embedding-service"
Stability: development
"""

ML_HEDGE_WINNER_INDEX: Final = "ml.hedge.winner.index"
"""Position of the attempt whose answer was used, from 0.

Type: int
Examples: 0, 1
Stability: development
Never an attribute of a metric.
"""

ML_HYPERPARAMETER: Final = "ml.hyperparameter"
"""A parameter that steers the run, `<key>` being its dotted key.

Type: any, one attribute `ml.hyperparameter.<key>` an entry
Examples: 0.001, "adam", 64
Stability: development
Never an attribute of a metric.

At most 100 a run, strings up to 1 KB; the whole configuration is the body of the event `ml.run.config`.
"""

ML_LOSS_COUNT: Final = "ml.loss.count"
"""Number of records that were lost.

Type: int
Examples: 1, 120
Stability: development
Never an attribute of a metric.
"""

ML_LOSS_KIND: Final = "ml.loss.kind"
"""What was lost, or not kept as it was given.

Type: str
Examples: "metric value", "param name", "journal full"
Stability: development
"""

ML_LOSS_NAME: Final = "ml.loss.name"
"""The name of what was lost, such as that of a metric, param, tag or attribute.

Type: str
Examples: "grads"
Stability: development
Never an attribute of a metric.

So many names of a run have counts of their own; the others are counted together, without a name.
"""

ML_LOSS_REASON: Final = "ml.loss.reason"
"""Why telemetry could not be kept.

Type: str
Values: not_encodable, too_large, queue_full, storage_full, export_failed, internal_error, not_recording, changed; open
Stability: development
"""

ML_METRIC_DIRECTION: Final = "ml.metric.direction"
"""Which values of a metric are better.

Type: str
Values: min, max
Stability: development
"""

ML_METRIC_HIDDEN: Final = "ml.metric.hidden"
"""Whether tables and charts of all metrics leave the metric out.

Type: bool
Stability: development

False shows a metric that a shorter glob hides. Absent where nothing is said.
"""

ML_METRIC_NAME: Final = "ml.metric.name"
"""Name that the user gave to the metric.

Type: str
Examples: "loss", "val/accuracy"
Stability: development
"""

ML_METRIC_NAN_BITS: Final = "ml.metric.nan_bits"
"""The 64 bits of a NaN that is not the usual one.

Type: int
Examples: -2251799813685248
Stability: development
Never an attribute of a metric.

Stands on exemplars in OTLP/JSON, which has one NaN only.
"""

ML_METRIC_PATTERN: Final = "ml.metric.pattern"
"""Name of a metric, or a glob of names, that a definition is about.

Type: str
Examples: "loss", "val/*"
Stability: development
"""

ML_METRIC_STEP: Final = "ml.metric.step"
"""Step of a metric point.

Type: float
Examples: 0.0, 1250.0, 0.5
Stability: development
Never an attribute of a metric.

Stands on exemplars and events, never on the data points themselves.
"""

ML_METRIC_STEP_METRIC: Final = "ml.metric.step_metric"
"""Name of the metric that is the x axis of a metric's curve.

Type: str
Examples: "epoch", "global_step"
Stability: development
"""

ML_METRIC_SUMMARY: Final = "ml.metric.summary"
"""What the summary of a run has of a metric, several with commas between.

Type: str
Examples: "max", "min,last"
Stability: development

Each is one of `min`, `max`, `mean`, `last`, `best`, `first`, `copy` and `none`.
"""

ML_MODEL_NAME: Final = "ml.model.name"
"""Name of the model.

Type: str
Examples: "resnet50", "fraud-scorer"
Stability: development
"""

ML_MODEL_VERSION: Final = "ml.model.version"
"""Version of the model.

Type: str
Examples: "1.4.0", "2026-11-21"
Stability: development
"""

ML_OPERATION_NAME: Final = "ml.operation.name"
"""The operation that the span stands for; tells which span definition applies.

Type: str
Values: run, stage, epoch, step, batch, save_checkpoint, load_checkpoint, evaluate, infer, trace, pipeline, pipeline_stage, ensemble, hedge, syscall
Stability: development
"""

ML_OUTPUT_LINE_FIRST: Final = "ml.output.line.first"
"""Number of the first line in the body, counted from 1 for each stream of a process.

Type: int
Examples: 1, 2049
Stability: development
Never an attribute of a metric.

Where a number is missing between two events of a stream, lines are left out.
"""

ML_OUTPUT_LINE_OFFSETS: Final = "ml.output.line.offsets"
"""When each line was written, in microseconds after the time of the event.

Type: list[int]
Examples: [0, 48, 1000123]
Stability: development
Never an attribute of a metric.
"""

ML_PHASE: Final = "ml.phase"
"""Which part of the work a number or a span belongs to.

Type: str
Values: train, validation, test; open
Stability: development

Open; a phase of one's own, such as `warmup`, is allowed as long as there are few.
"""

ML_PIPELINE_NAME: Final = "ml.pipeline.name"
"""Name of the pipeline.

Type: str
Examples: "ingest-train-report"
Stability: development
"""

ML_PIPELINE_RUN_ID: Final = "ml.pipeline.run.id"
"""Identity that the system which runs the pipeline gave to this execution.

Type: str
Examples: "scheduled__2026-11-21T00:00:00+00:00"
Stability: development
Never an attribute of a metric.
"""

ML_PIPELINE_STAGE_INDEX: Final = "ml.pipeline.stage.index"
"""Position of the stage in its pipeline, from 0.

Type: int
Examples: 0, 2
Stability: development
Never an attribute of a metric.
"""

ML_PIPELINE_STAGE_NAME: Final = "ml.pipeline.stage.name"
"""Name of the stage of the pipeline.

Type: str
Examples: "tokenize"
Stability: development
"""

ML_PIPELINE_STAGE_RESULT: Final = "ml.pipeline.stage.result"
"""How the stage of the pipeline ended.

Type: str
Values: success, failure, error, timeout, cancellation, skip
Stability: development
"""

ML_RANDOM_SEED: Final = "ml.random.seed"
"""Seed of the pseudo-random generators, as the user gave it.

Type: int
Examples: 0, 42
Stability: development
Never an attribute of a metric.
"""

ML_RUN_ADOPTED: Final = "ml.run.adopted"
"""Whether a provider of the application made the telemetry, in the run and not for it.

Type: bool
Examples: true
Stability: development

On the resource of data points of instruments, which have the run's id from no other place.
"""

ML_RUN_ATTEMPT: Final = "ml.run.attempt"
"""How often the run has been started, this time included; 1 until it is resumed.

Type: int
Examples: 1, 2
Stability: development
"""

ML_RUN_CREATED_TIME: Final = "ml.run.created_time"
"""When the run was made, in nanoseconds since 1970.

Type: int
Examples: 1796040000000000000
Stability: development
Never an attribute of a metric.
"""

ML_RUN_FORK_RUN_ID: Final = "ml.run.fork.run.id"
"""Id of the run that this run is a fork of; the curves of that run are its own up to `ml.run.fork.step`.

Type: str
Examples: "4bf92f3577b34da6a3ce929d0e0e4736"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_FORK_STEP: Final = "ml.run.fork.step"
"""The last step of the other run that counts for a fork.

Type: float
Examples: 200.0
Stability: development
Never an attribute of a metric.
"""

ML_RUN_HOST_LOAD_CPU_UTILIZATION: Final = "ml.run.host_load.cpu.utilization"
"""Share (0 to 1) of the machine's processors that other programs used while the run was recorded.

Type: float
Examples: 0.02, 0.67
Stability: development
Never an attribute of a metric.

Time that the hypervisor gave to other machines (steal) counts as theirs; the run's own child processes, and the other ranks of its job on this machine, do not. Left out where the run was too short to tell, or the platform does not say, as all but Linux.
"""

ML_RUN_ID: Final = "ml.run.id"
"""Identity of the run; equal to the trace id of its root trace, 32 lower-case hex digits.

Type: str
Examples: "0af7651916cd43dd8448eb211c80319c"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_KEY: Final = "ml.run.key"
"""The caller's own id of the run, such as the number of a job; unique in its experiment.

Type: str
Examples: "job-17"
Stability: development
Never an attribute of a metric.

A run that is started again with it goes on. At most 1,000 characters.
"""

ML_RUN_NAME: Final = "ml.run.name"
"""Name of the run for people; need not be unique.

Type: str
Examples: "resnet-7", "calm-otter"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_PARENT_ID: Final = "ml.run.parent.id"
"""Identity of the run that started this run, as a sweep starts its trials.

Type: str
Examples: "4bf92f3577b34da6a3ce929d0e0e4736"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_PAUSE_COUNT: Final = "ml.run.pause.count"
"""How often the run has been paused so far.

Type: int
Examples: 2
Stability: development
"""

ML_RUN_PAUSE_DROPPED: Final = "ml.run.pause.dropped"
"""How many items the run was given while it recorded nothing, and did not record.

Type: int
Examples: 40
Stability: development
Never an attribute of a metric.
"""

ML_RUN_PAUSED_TIME: Final = "ml.run.paused_time"
"""Nanoseconds for which the run has been paused so far, the time between its attempts included.

Type: int
Examples: 60000000000
Stability: development
Never an attribute of a metric.
"""

ML_RUN_REASON: Final = "ml.run.reason"
"""Why the run took its state, in a few words.

Type: str
Examples: "SIGTERM", "early stopping after 12 epochs"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_RESULT: Final = "ml.run.result"
"""How the run or the stage ended.

Type: str
Values: success, failure, error, timeout, cancellation, skip
Stability: development

The members are those of OpenTelemetry's `cicd.pipeline.result`, which means another kind of pipeline.
"""

ML_RUN_REWIND_ATTEMPTS: Final = "ml.run.rewind.attempts"
"""The attempts that went on from an earlier step than the run had reached.

Type: list[int]
Examples: [2, 3]
Stability: development
"""

ML_RUN_REWIND_STEPS: Final = "ml.run.rewind.steps"
"""For each of `ml.run.rewind.attempts` the last step of earlier attempts that counts.

Type: list[float]
Examples: [200.0, 1000.0]
Stability: development
"""

ML_RUN_SPANS_DROPPED: Final = "ml.run.spans.dropped"
"""Number of spans of the run that were lost before they could be kept.

Type: int
Examples: 0
Stability: development
Never an attribute of a metric.
"""

ML_RUN_SPANS_ENDED: Final = "ml.run.spans.ended"
"""Number of spans of the run that had ended when the run ended, its root span included.

Type: int
Examples: 1042
Stability: development
Never an attribute of a metric.
"""

ML_RUN_SPANS_STARTED: Final = "ml.run.spans.started"
"""Number of spans that were started in the run by the process that ended it.

Type: int
Examples: 1042
Stability: development
Never an attribute of a metric.

Together with the numbers of ended and dropped spans it tells whether a stored trace is complete.
"""

ML_RUN_START_TIMES: Final = "ml.run.start_times"
"""When the attempts of the run started, the latest one last, in nanoseconds since 1970.

Type: list[int]
Examples: [1700000000000000000, 1700000100000000000]
Stability: development
Never an attribute of a metric.

Only from the second attempt on. A metric point belongs to the attempt in which it was recorded. Of many attempts the latest 64 are listed.
"""

ML_RUN_STARTED_FROM: Final = "ml.run.started_from"
"""Where the span was found that the run was started in.

Type: str
Values: context, environment; open
Stability: development

On the link of the run's root span to that span. It is no parent, since the run's id is the trace id of its root.
"""

ML_RUN_STARTED_TIME: Final = "ml.run.started_time"
"""When the first attempt of the run started, in nanoseconds since 1970.

Type: int
Examples: 1796040000000000000
Stability: development
Never an attribute of a metric.
"""

ML_RUN_STATE: Final = "ml.run.state"
"""Where the run is in its life.

Type: str
Values: pending, running, paused, succeeded, failed, cancelled, lost
Stability: development
"""

ML_RUN_TAG: Final = "ml.run.tag"
"""A tag of the run, `<key>` being the tag's key.

Type: str, one attribute `ml.run.tag.<key>` an entry
Examples: "baseline"
Stability: development
Never an attribute of a metric.
"""

ML_RUN_TRACE_URL: Final = "ml.run.trace_url"
"""Where a backend's UI shows the run's trace, with placeholders in braces.

Type: str
Examples: "https://jaeger.example/trace/{trace_id}"
Stability: development
Never an attribute of a metric.
"""

ML_SPAN_CPU_TIME: Final = "ml.span.cpu_time"
"""Nanoseconds of CPU time that the span's lane spent between start and end of the span.

Type: int
Examples: 1840000
Stability: development
Never an attribute of a metric.
"""

ML_SPAN_LANE: Final = "ml.span.lane"
"""Stable name of the thread, task, process or rank in which the span ran.

Type: str
Examples: "main", "thread:loader-0", "rank:1"
Stability: development
Never an attribute of a metric.

Spans of one lane are in order, spans of two lanes are not; comparison of traces rests on it.
"""

ML_SPAN_SEQUENCE: Final = "ml.span.sequence"
"""Number of the span in the order in which its process started spans, from 0.

Type: int
Examples: 0, 731
Stability: development
Never an attribute of a metric.
"""

ML_STAGE_INDEX: Final = "ml.stage.index"
"""Position of the stage among those of its run, from 0.

Type: int
Examples: 0, 3
Stability: development
Never an attribute of a metric.
"""

ML_STAGE_NAME: Final = "ml.stage.name"
"""Name of the stage of the run.

Type: str
Examples: "load_data", "fit", "report"
Stability: development
"""

ML_STEP_INDEX: Final = "ml.step.index"
"""Number of the step since the start of the run, from 0.

Type: int
Examples: 0, 50000
Stability: development
Never an attribute of a metric.
"""

ML_SYSCALL_BYTES: Final = "ml.syscall.bytes"
"""How many bytes the calls read, wrote, sent or received, together.

Type: int
Examples: 0, 1048576
Stability: development
Never an attribute of a metric.
"""

ML_SYSCALL_COUNT: Final = "ml.syscall.count"
"""How many calls the span stands for.

Type: int
Examples: 1, 4096
Stability: development
Never an attribute of a metric.
"""

ML_SYSCALL_DURATION: Final = "ml.syscall.duration"
"""Nanoseconds that the calls took, together; the span itself reaches from the first to the last.

Type: int
Examples: 184000
Stability: development
Never an attribute of a metric.
"""

ML_SYSCALL_ERROR_COUNT: Final = "ml.syscall.error.count"
"""How many of the calls returned an error.

Type: int
Examples: 0, 3
Stability: development
Never an attribute of a metric.
"""

ML_SYSCALL_NAME: Final = "ml.syscall.name"
"""Name of the system call, as the kernel has it.

Type: str
Examples: "write", "openat"
Stability: development
"""

ML_TRACE_CHUNK_FIRST_STEP: Final = "ml.trace.chunk.first_step"
"""Index of the step that was opened first in a chunk trace.

Type: int
Examples: 0, 9500
Stability: development
Never an attribute of a metric.

On the root span of a chunk trace whose first span is a step.
"""

ML_TRACE_CHUNK_INDEX: Final = "ml.trace.chunk.index"
"""Number of the chunk trace of a long run, from 0.

Type: int
Examples: 0, 12
Stability: development
Never an attribute of a metric.

On the root span of a chunk trace and on the links between it and the run's root span.
"""

ML_TRACE_CHUNK_LAST_STEP: Final = "ml.trace.chunk.last_step"
"""Index of the step that was opened last in a chunk trace.

Type: int
Examples: 9499, 18999
Stability: development
Never an attribute of a metric.

On the root span of a chunk trace, once it has ended.
"""

NETWORK_INTERFACE_NAME: Final = "network.interface.name"
"""Name of the network interface.

Type: str
Examples: "eth0"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

NETWORK_IO_DIRECTION: Final = "network.io.direction"
"""Whether data goes to or comes from the network.

Type: str
Values: transmit, receive; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

OS_DESCRIPTION: Final = "os.description"
"""Name and version of the operating system as it describes itself.

Type: str
Examples: "Linux-6.1.0-amd64-x86_64-with-glibc2.36"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

OS_NAME: Final = "os.name"
"""Name of the operating system.

Type: str
Examples: "Debian GNU/Linux"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

OS_TYPE: Final = "os.type"
"""Type of the operating system.

Type: str
Values: linux, darwin, windows, freebsd, netbsd, openbsd, aix, solaris; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

OS_VERSION: Final = "os.version"
"""Version of the operating system.

Type: str
Examples: "12"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_COMMAND: Final = "process.command"
"""First word of the command line.

Type: str
Examples: "train.py"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_COMMAND_ARGS: Final = "process.command_args"
"""The command line, word by word.

Type: list[str]
Examples: ["python", "train.py", "--lr", "0.1"]
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_CREATION_TIME: Final = "process.creation.time"
"""When the process was started, ISO 8601.

Type: str
Examples: "2026-11-21T09:25:34.853Z"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_EXECUTABLE_NAME: Final = "process.executable.name"
"""File name of the executable.

Type: str
Examples: "python3.11"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_EXECUTABLE_PATH: Final = "process.executable.path"
"""Path of the executable.

Type: str
Examples: "/usr/bin/python3.11"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_OWNER: Final = "process.owner"
"""User that owns the process.

Type: str
Examples: "ada"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_PARENT_PID: Final = "process.parent_pid"
"""Process id of the parent.

Type: int
Examples: 1
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_PID: Final = "process.pid"
"""Process id.

Type: int
Examples: 1234
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

PROCESS_RUNTIME_DESCRIPTION: Final = "process.runtime.description"
"""Version of Python with its build.

Type: str
Examples: "3.11.2 (main, Sep 14 2024) [GCC 12.2.0]"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
"""Name of the Python implementation.

Type: str
Examples: "cpython"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
"""Version of Python.

Type: str
Examples: "3.11.2"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

PROCESS_WORKING_DIRECTORY: Final = "process.working_directory"
"""Working directory of the process.

Type: str
Examples: "/home/ada/vision"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

SERVICE_INSTANCE_ID: Final = "service.instance.id"
"""Identity of the process that recorded.

Type: str
Examples: "627cc493-f310-47de-96bd-71410b7dec09"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

SERVICE_NAME: Final = "service.name"
"""Name of the project that runs the experiment; not of the run.

Type: str
Examples: "vision"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

SERVICE_NAMESPACE: Final = "service.namespace"
"""Namespace that keeps service names apart.

Type: str
Examples: "research"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

SERVICE_VERSION: Final = "service.version"
"""Version of the project.

Type: str
Examples: "2.1.0"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

SYSTEM_DEVICE: Final = "system.device"
"""Name of the device.

Type: str
Examples: "/dev/nvme0n1"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

SYSTEM_MEMORY_STATE: Final = "system.memory.state"
"""What the memory is used for.

Type: str
Values: used, free, buffers, cached; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TELEMETRY_SDK_LANGUAGE: Final = "telemetry.sdk.language"
"""Language of the telemetry SDK.

Type: str
Values: python; open
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TELEMETRY_SDK_NAME: Final = "telemetry.sdk.name"
"""Name of the telemetry SDK.

Type: str
Examples: "opentelemetry"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TELEMETRY_SDK_VERSION: Final = "telemetry.sdk.version"
"""Version of the telemetry SDK.

Type: str
Examples: "1.45.2"
Stability: stable
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TEST_CASE_NAME: Final = "test.case.name"
"""Name of a case of an evaluation.

Type: str
Examples: "question-17"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

TEST_CASE_RESULT_STATUS: Final = "test.case.result.status"
"""Whether the case passed.

Type: str
Values: pass, fail; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TEST_SUITE_NAME: Final = "test.suite.name"
"""Name of the suite of an evaluation.

Type: str
Examples: "regression"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

TEST_SUITE_RUN_STATUS: Final = "test.suite.run.status"
"""How the suite ended.

Type: str
Values: success, failure, skipped, aborted, timed_out, in_progress; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

THREAD_ID: Final = "thread.id"
"""Operating-system id of the thread.

Type: int
Examples: 1234
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

THREAD_NAME: Final = "thread.name"
"""Name of the thread.

Type: str
Examples: "MainThread"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

USER_NAME: Final = "user.name"
"""Short name of the user.

Type: str
Examples: "ada"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

VCS_CHANGE_ID: Final = "vcs.change.id"
"""Number of the pull or merge request.

Type: str
Examples: "123"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

VCS_REF_HEAD_NAME: Final = "vcs.ref.head.name"
"""Branch or tag that is checked out.

Type: str
Examples: "main"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

VCS_REF_HEAD_REVISION: Final = "vcs.ref.head.revision"
"""Commit that is checked out.

Type: str
Examples: "9d59409acf479dfa0df1aa568182e43e43df8bbe"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
Never an attribute of a metric.
"""

VCS_REF_HEAD_TYPE: Final = "vcs.ref.head.type"
"""Whether a branch or a tag is checked out.

Type: str
Values: branch, tag; open
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

VCS_REPOSITORY_NAME: Final = "vcs.repository.name"
"""Name of the repository.

Type: str
Examples: "vision"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""

VCS_REPOSITORY_URL_FULL: Final = "vcs.repository.url.full"
"""Address of the repository, credentials removed.

Type: str
Examples: "https://github.com/acme/vision"
Stability: development
Defined by: https://opentelemetry.io/schemas/1.44.0
"""
