"""How likely a difference is the cause of the others: numbers from 0 to 1, all in this module.

They order findings and decide nothing else. What computes comes before what surrounds it: code, params and data, then packages, then
the environment and the machine. Inside a section a name says more: a seed or a file's place seldom explains a loss.
"""

from __future__ import annotations

import re
from typing import Final

PATCH: Final = 0.95
COMMIT: Final = 0.94
SCRIPT: Final = 0.93
EDITABLE: Final = 0.92
COMMAND: Final = 0.45
REPOSITORY: Final = 0.6
BRANCH: Final = 0.3
UNTRACKED: Final = 0.35
DATA: Final = 0.88
STATE: Final = 0.98
LOSSES: Final = 0.35
ARTIFACT: Final = 0.3
LABEL: Final = 0.1

_PARAM: Final = 0.9
_SEED: Final = 0.6
_PLACE: Final = 0.2
_SEED_NAME: Final = re.compile(r"(^|[._-])(random_?)?(seed|random_state|rng)s?($|[._-])", re.IGNORECASE)
_PLACE_NAME: Final = re.compile(
    r"(^|[._-])(run_?name|run_?id|name|id|tags?|notes?|output|out|log|logging|logs|save|cache|work|root|tmp|temp|port|host|hostname|"
    r"verbose|debug|wandb|mlflow|project|experiment|entity)(_?(dir|dirs|path|folder|file|every|steps|interval|to|level))?$"
    r"|(dir|path|folder)$",
    re.IGNORECASE,
)

_NUMERIC_PACKAGES: Final = re.compile(
    r"^(torch.*|pytorch.*|tensorflow.*|tf-.*|keras.*|jax.*|flax|optax|numpy|scipy|scikit-learn|xgboost|lightgbm|catboost|transformers|"
    r"accelerate|datasets|tokenizers|diffusers|peft|trl|deepspeed|megatron.*|flash-attn|triton|xformers|bitsandbytes|timm|lightning|"
    r"nvidia-.*|cuda.*|cupy.*|onnx.*|apex|pandas|polars|pillow|opencv.*|sentencepiece|vllm)$",
    re.IGNORECASE,
)


def param_weight(key: str, _a: object, _b: object) -> float:
    """Return the weight of a param: less for seeds, and for what only says where things go or how they are called."""
    if _SEED_NAME.search(key):
        return _SEED
    return _PLACE if _PLACE_NAME.search(key) else _PARAM


def package_weight(name: str, a: object, b: object) -> float:
    """Return the weight of a package: more for those that compute, and for a new major version."""
    base = 0.7 if _NUMERIC_PACKAGES.match(name) else 0.4
    if a is None or b is None:
        return base
    ours, theirs = str(a).split("."), str(b).split(".")
    if ours[:1] != theirs[:1]:
        return base + 0.12
    return base + (0.08 if ours[:2] != theirs[:2] else 0.0)


_MACHINE: Final = {
    "accelerators": 0.65, "cpu": 0.5, "driver": 0.5, "usable_cpu_count": 0.45, "cpu_count": 0.4,
    "usable_memory_bytes": 0.3, "memory_bytes": 0.25, "os": 0.25,
}  # fmt: skip


def machine_weight(name: str, _a: object, _b: object) -> float:
    """Return the weight of a fact of the machine."""
    return _MACHINE.get(name, 0.3)


def variable_weight(_name: str, _a: object, _b: object) -> float:
    """Return the weight of an environment variable; only those that change what is computed, or how fast, are recorded."""
    return 0.5


def metric_weight(relative: float, *, is_beyond_noise: bool, has_direction: bool) -> float:
    """Return the weight of a metric: how much it moved, and whether that is more than its noise.

    Args:
        relative: the difference as a part of the first run's value.
        is_beyond_noise: whether it is more than the tails of both curves vary.
        has_direction: whether it was declared which way is better: what a run is about.
    """
    if not is_beyond_noise:
        return 0.1
    return min(0.5 + 0.2 * min(1.0, relative) + (0.2 if has_direction else 0.0), 0.9)


def time_weight(share: float) -> float:
    """Return the weight of a path that takes longer: its part of the longer run's time."""
    return min(0.2 + 0.7 * min(1.0, share), 0.9)
