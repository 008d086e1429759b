"""NVIDIA GPUs through NVML, where the optional package `nvidia-ml-py` and the driver are there; else nothing.

All GPUs that the driver shows are read, whichever the process uses. What a GPU does not support (power on some
laptops, energy before Volta) is left out. No program is started.
Source: NVML API reference; OpenTelemetry semantic conventions for hardware metrics.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Iterator
from typing import Any, Final

from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.notice import tell
from otel_experiments.record.system.measurement import Measurement
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import metrics, values

logger: Final = logging.getLogger("otel_experiments")


class NvidiaSource:
    """Reads all NVIDIA GPUs of the host."""

    def __init__(self) -> None:
        self._nvml: Any = None  # the module pynvml, which has no types
        self._devices: list[tuple[Any, dict[str, str]]] = []
        try:
            nvml = importlib.import_module("pynvml")
            nvml.nvmlInit()
            for index in range(nvml.nvmlDeviceGetCount()):
                handle = nvml.nvmlDeviceGetHandleByIndex(index)
                self._devices.append(
                    (
                        handle,
                        {
                            attr.HW_ID: _string(nvml.nvmlDeviceGetUUID(handle)),
                            attr.HW_NAME: f"GPU {index}",
                            attr.HW_MODEL: _string(nvml.nvmlDeviceGetName(handle)),
                            attr.HW_VENDOR: "NVIDIA",
                        },
                    )
                )
            self._nvml = nvml
        except Exception as error:  # no package, no driver, no GPU, no permission: no readings
            if is_interruption(error):
                raise
            tell(logger, "GPUs are not read: %r", error, level=logging.DEBUG)

    def read(self) -> Iterator[Measurement]:
        """Yield the readings of each GPU."""
        nvml = self._nvml
        if nvml is None:
            return
        for handle, identity in self._devices:
            for read in (_utilization, _video, _memory, _power, _energy, _temperature):
                try:
                    yield from read(nvml, handle, identity)
                except nvml.NVMLError as error:
                    tell(
                        logger,
                        "%s: %s is not read: %r",
                        identity[attr.HW_NAME],
                        read.__name__[1:],
                        error,
                        level=logging.DEBUG,
                    )


def _string(text: str | bytes) -> str:
    return text.decode() if isinstance(text, bytes) else text


def _utilization(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    percent = nvml.nvmlDeviceGetUtilizationRates(handle).gpu
    yield Measurement(
        metrics.HW_GPU_UTILIZATION, percent / 100, {**identity, attr.HW_GPU_TASK: values.HwGpuTask.GENERAL}
    )


def _video(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    """Yield how busy encoder and decoder are, where they are busy at all: training rarely uses them."""
    for task, read in (
        (values.HwGpuTask.ENCODER, nvml.nvmlDeviceGetEncoderUtilization),
        (values.HwGpuTask.DECODER, nvml.nvmlDeviceGetDecoderUtilization),
    ):
        percent = read(handle)[0]
        if percent:
            yield Measurement(metrics.HW_GPU_UTILIZATION, percent / 100, {**identity, attr.HW_GPU_TASK: task})


def _memory(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    yield Measurement(metrics.HW_GPU_MEMORY_USAGE, memory.used, identity)
    yield Measurement(metrics.HW_GPU_MEMORY_LIMIT, memory.total, identity)
    if memory.total:
        yield Measurement(metrics.HW_GPU_MEMORY_UTILIZATION, memory.used / memory.total, identity)


def _power(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    milliwatts = nvml.nvmlDeviceGetPowerUsage(handle)
    yield Measurement(metrics.HW_POWER, milliwatts / 1e3, {**identity, attr.HW_TYPE: values.HwType.GPU})


def _energy(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    millijoules = nvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    yield Measurement(metrics.HW_ENERGY, millijoules / 1e3, {**identity, attr.HW_TYPE: values.HwType.GPU})


def _temperature(nvml: Any, handle: Any, identity: dict[str, str]) -> Iterator[Measurement]:
    degrees = nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)
    yield Measurement(metrics.HW_TEMPERATURE, degrees, identity)
