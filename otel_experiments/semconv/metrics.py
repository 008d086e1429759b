# Generated from semconv/model by semconv/generate.py. Do not edit: change the YAML and run it again.
"""Definitions of the metrics that we record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from otel_experiments.semconv.definitions import MetricDef

HW_ENERGY: Final = MetricDef(
    name="hw.energy",
    unit="J",
    instrument="counter",
    brief="Energy that the component has used.",
    attributes={
        "hw.type": "required",
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Energy that the component has used."""

HW_GPU_IO: Final = MetricDef(
    name="hw.gpu.io",
    unit="By",
    instrument="counter",
    brief="Bytes sent and received by the GPU.",
    attributes={
        "network.io.direction": "required",
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Bytes sent and received by the GPU."""

HW_GPU_MEMORY_LIMIT: Final = MetricDef(
    name="hw.gpu.memory.limit",
    unit="By",
    instrument="updowncounter",
    brief="Memory that the GPU has.",
    attributes={
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Memory that the GPU has."""

HW_GPU_MEMORY_USAGE: Final = MetricDef(
    name="hw.gpu.memory.usage",
    unit="By",
    instrument="updowncounter",
    brief="Memory of the GPU in use.",
    attributes={
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Memory of the GPU in use."""

HW_GPU_MEMORY_UTILIZATION: Final = MetricDef(
    name="hw.gpu.memory.utilization",
    unit="1",
    instrument="gauge",
    brief="Share of the GPU's memory in use.",
    attributes={
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Share of the GPU's memory in use."""

HW_GPU_UTILIZATION: Final = MetricDef(
    name="hw.gpu.utilization",
    unit="1",
    instrument="gauge",
    brief="Share of time in which the GPU was busy.",
    attributes={
        "hw.gpu.task": "recommended",
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Share of time in which the GPU was busy."""

HW_POWER: Final = MetricDef(
    name="hw.power",
    unit="W",
    instrument="gauge",
    brief="Power that the component draws now.",
    attributes={
        "hw.type": "required",
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Power that the component draws now."""

HW_TEMPERATURE: Final = MetricDef(
    name="hw.temperature",
    unit="Cel",
    instrument="gauge",
    brief="Temperature of the component.",
    attributes={
        "hw.id": "required",
        "hw.name": "recommended",
        "hw.model": "recommended",
        "hw.vendor": "recommended",
        "hw.driver_version": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Temperature of the component."""

ML_CHECKPOINT_DURATION: Final = MetricDef(
    name="ml.checkpoint.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of writing and reading checkpoints.",
    attributes={
        "ml.operation.name": "required",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of writing and reading checkpoints."""

ML_EPOCH_DURATION: Final = MetricDef(
    name="ml.epoch.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of epochs.",
    attributes={
        "ml.phase": "recommended",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of epochs."""

ML_EVALUATION_DURATION: Final = MetricDef(
    name="ml.evaluation.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of evaluations.",
    attributes={
        "ml.evaluation.name": "recommended",
        "ml.dataset.name": "recommended",
        "ml.dataset.split": "recommended",
        "ml.phase": "recommended",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of evaluations."""

ML_INFERENCE_DURATION: Final = MetricDef(
    name="ml.inference.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of asking a model.",
    attributes={
        "ml.model.name": "recommended",
        "ml.model.version": "opt_in",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of asking a model."""

ML_METRIC_VALUE: Final = MetricDef(
    name="ml.metric.value",
    unit="",
    instrument="gauge",
    brief="Value of a metric that the user logs.",
    attributes={
        "ml.metric.name": "required",
        "ml.phase": "conditionally_required",
    },
)
"""Value of a metric that the user logs."""

ML_RUN_ACTIVE: Final = MetricDef(
    name="ml.run.active",
    unit="{run}",
    instrument="updowncounter",
    brief="Number of runs that have started and not ended.",
    attributes={
        "ml.run.state": "opt_in",
    },
)
"""Number of runs that have started and not ended."""

ML_RUN_DURATION: Final = MetricDef(
    name="ml.run.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of runs, pauses left out.",
    attributes={
        "ml.run.result": "recommended",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of runs, pauses left out."""

ML_STAGE_DURATION: Final = MetricDef(
    name="ml.stage.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of stages.",
    attributes={
        "ml.stage.name": "required",
        "ml.phase": "recommended",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of stages."""

ML_STEP_DURATION: Final = MetricDef(
    name="ml.step.duration",
    unit="s",
    instrument="histogram",
    brief="Duration of steps.",
    attributes={
        "ml.phase": "recommended",
        "error.type": "conditionally_required",
    },
    boundaries=(
        0.001,
        0.0025,
        0.005,
        0.01,
        0.025,
        0.05,
        0.1,
        0.25,
        0.5,
        1,
        2.5,
        5,
        10,
        30,
        60,
        300,
        900,
        1800,
        3600,
        10800,
        43200,
        86400,
        259200,
        604800,
    ),
)
"""Duration of steps."""

ML_TRAINING_SAMPLES: Final = MetricDef(
    name="ml.training.samples",
    unit="{sample}",
    instrument="counter",
    brief="Number of samples that were processed.",
    attributes={
        "ml.phase": "recommended",
    },
)
"""Number of samples that were processed."""

ML_TRAINING_TOKENS: Final = MetricDef(
    name="ml.training.tokens",
    unit="{token}",
    instrument="counter",
    brief="Number of tokens that were processed.",
    attributes={
        "ml.phase": "recommended",
    },
)
"""Number of tokens that were processed."""

PROCESS_CPU_TIME: Final = MetricDef(
    name="process.cpu.time",
    unit="s",
    instrument="counter",
    brief="CPU time of the process.",
    attributes={
        "cpu.mode": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""CPU time of the process."""

PROCESS_CPU_UTILIZATION: Final = MetricDef(
    name="process.cpu.utilization",
    unit="1",
    instrument="gauge",
    brief="CPU time of the process over elapsed time and number of CPUs.",
    attributes={
        "cpu.mode": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""CPU time of the process over elapsed time and number of CPUs."""

PROCESS_DISK_IO: Final = MetricDef(
    name="process.disk.io",
    unit="By",
    instrument="counter",
    brief="Bytes that the process read from and wrote to disk.",
    attributes={
        "disk.io.direction": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Bytes that the process read from and wrote to disk."""

PROCESS_MEMORY_USAGE: Final = MetricDef(
    name="process.memory.usage",
    unit="By",
    instrument="updowncounter",
    brief="Physical memory of the process.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Physical memory of the process."""

PROCESS_MEMORY_UTILIZATION: Final = MetricDef(
    name="process.memory.utilization",
    unit="1",
    instrument="gauge",
    brief="Physical memory of the process over the limit that holds for it.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Physical memory of the process over the limit that holds for it."""

PROCESS_MEMORY_VIRTUAL: Final = MetricDef(
    name="process.memory.virtual",
    unit="By",
    instrument="updowncounter",
    brief="Virtual memory of the process.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Virtual memory of the process."""

PROCESS_THREAD_COUNT: Final = MetricDef(
    name="process.thread.count",
    unit="{thread}",
    instrument="updowncounter",
    brief="Number of threads of the process.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Number of threads of the process."""

PROCESS_UNIX_FILE_DESCRIPTOR_COUNT: Final = MetricDef(
    name="process.unix.file_descriptor.count",
    unit="{file_descriptor}",
    instrument="updowncounter",
    brief="Number of open file descriptors of the process.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Number of open file descriptors of the process."""

PROCESS_UPTIME: Final = MetricDef(
    name="process.uptime",
    unit="s",
    instrument="gauge",
    brief="Time since the process was started.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Time since the process was started."""

SYSTEM_CPU_LOGICAL_COUNT: Final = MetricDef(
    name="system.cpu.logical.count",
    unit="{cpu}",
    instrument="updowncounter",
    brief="Number of logical CPUs.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Number of logical CPUs."""

SYSTEM_CPU_TIME: Final = MetricDef(
    name="system.cpu.time",
    unit="s",
    instrument="counter",
    brief="CPU time of the host.",
    attributes={
        "cpu.mode": "recommended",
        "cpu.logical_number": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""CPU time of the host."""

SYSTEM_CPU_UTILIZATION: Final = MetricDef(
    name="system.cpu.utilization",
    unit="1",
    instrument="gauge",
    brief="CPU time of the host over elapsed time and number of CPUs.",
    attributes={
        "cpu.mode": "recommended",
        "cpu.logical_number": "opt_in",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""CPU time of the host over elapsed time and number of CPUs."""

SYSTEM_DISK_IO: Final = MetricDef(
    name="system.disk.io",
    unit="By",
    instrument="counter",
    brief="Bytes read from and written to the host's disks.",
    attributes={
        "disk.io.direction": "recommended",
        "system.device": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Bytes read from and written to the host's disks."""

SYSTEM_MEMORY_LIMIT: Final = MetricDef(
    name="system.memory.limit",
    unit="By",
    instrument="updowncounter",
    brief="Memory that the host has.",
    attributes={},
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Memory that the host has."""

SYSTEM_MEMORY_USAGE: Final = MetricDef(
    name="system.memory.usage",
    unit="By",
    instrument="updowncounter",
    brief="Memory of the host by what it is used for.",
    attributes={
        "system.memory.state": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Memory of the host by what it is used for."""

SYSTEM_MEMORY_UTILIZATION: Final = MetricDef(
    name="system.memory.utilization",
    unit="1",
    instrument="gauge",
    brief="Memory of the host by what it is used for, as a share.",
    attributes={
        "system.memory.state": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Memory of the host by what it is used for, as a share."""

SYSTEM_NETWORK_IO: Final = MetricDef(
    name="system.network.io",
    unit="By",
    instrument="counter",
    brief="Bytes sent and received by the host.",
    attributes={
        "network.io.direction": "recommended",
        "network.interface.name": "recommended",
    },
    upstream="https://opentelemetry.io/schemas/1.44.0",
)
"""Bytes sent and received by the host."""

ALL: Final[tuple[MetricDef, ...]] = (
    HW_ENERGY,
    HW_GPU_IO,
    HW_GPU_MEMORY_LIMIT,
    HW_GPU_MEMORY_USAGE,
    HW_GPU_MEMORY_UTILIZATION,
    HW_GPU_UTILIZATION,
    HW_POWER,
    HW_TEMPERATURE,
    ML_CHECKPOINT_DURATION,
    ML_EPOCH_DURATION,
    ML_EVALUATION_DURATION,
    ML_INFERENCE_DURATION,
    ML_METRIC_VALUE,
    ML_RUN_ACTIVE,
    ML_RUN_DURATION,
    ML_STAGE_DURATION,
    ML_STEP_DURATION,
    ML_TRAINING_SAMPLES,
    ML_TRAINING_TOKENS,
    PROCESS_CPU_TIME,
    PROCESS_CPU_UTILIZATION,
    PROCESS_DISK_IO,
    PROCESS_MEMORY_USAGE,
    PROCESS_MEMORY_UTILIZATION,
    PROCESS_MEMORY_VIRTUAL,
    PROCESS_THREAD_COUNT,
    PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
    PROCESS_UPTIME,
    SYSTEM_CPU_LOGICAL_COUNT,
    SYSTEM_CPU_TIME,
    SYSTEM_CPU_UTILIZATION,
    SYSTEM_DISK_IO,
    SYSTEM_MEMORY_LIMIT,
    SYSTEM_MEMORY_USAGE,
    SYSTEM_MEMORY_UTILIZATION,
    SYSTEM_NETWORK_IO,
)
"""All of them."""

BY_NAME: Final[Mapping[str, MetricDef]] = {definition.name: definition for definition in ALL}
"""By name."""
