"""Where a run takes place, as far as it decides about speed and last bits: Python, libraries, processor, device.

No machine names, no users, no paths: it stands in the header of a golden, which is committed. Libraries are
asked for their version by metadata, never imported.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from otel_experiments.semconv import attributes as attr

_LIBRARIES: Final = {
    "numpy": "numpy",
    "torch": "torch",
    "jax": "jax",
    "tensorflow": "tensorflow",
    "sklearn": "scikit-learn",
}
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def describe_here(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the surroundings of this process; a child process with this interpreter has the same."""
    environ = os.environ if environ is None else environ
    found = {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "platform": f"{platform.system().lower()}-{platform.machine()}",
        "cpu": _cpu_model() or "unknown",
        "cores": str(os.cpu_count() or 0),
    }
    for library, package in _LIBRARIES.items():
        version = _version(package)
        if version:
            found[library] = version
    for variable in _THREAD_VARIABLES:
        if environ.get(variable):
            found[variable.lower()] = environ[variable]
    gpus = environ.get("CUDA_VISIBLE_DEVICES", "")
    has_gpu = Path("/proc/driver/nvidia/version").exists() and gpus != "-1"
    found["device"] = "cuda" if has_gpu else "cpu"
    return found


def describe_resource(resource: Mapping[str, object]) -> dict[str, str]:
    """Return what a run's resource tells of its surroundings: less than `describe_here` knows."""
    found: dict[str, str] = {}
    version = resource.get(attr.PROCESS_RUNTIME_VERSION)
    if isinstance(version, str) and version:
        found["python"] = ".".join(version.split(".")[:2])
    system, machine = resource.get(attr.OS_TYPE), resource.get(attr.HOST_ARCH)
    if isinstance(system, str) and isinstance(machine, str):
        found["platform"] = f"{system}-{_MACHINES.get(machine, machine)}"
    return found


_MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
"""From the names of the semantic conventions to the kernel's, which `describe_here` has."""


def _version(package: str) -> str | None:
    try:
        return ".".join(metadata.version(package).split(".")[:2])
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str | None:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                key, _, value = line.partition(":")
                if key.strip() in {"model name", "Model"}:
                    return "-".join(value.split())
    except OSError:
        pass
    return "-".join(platform.processor().split()) or None
