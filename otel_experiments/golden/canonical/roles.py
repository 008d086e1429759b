"""What an attribute is for, and so what a comparison does with it.

A role is declared, or told from the attribute's name and the type of its value: identities become labels,
configuration is compared, indices align, metrics become curves, what varies by nature is left out. Source: golden
trace design, sections 3.1 and 3.2.

The roles of the vocabulary's attributes are annotations in `semconv/model`; what is listed here are names that other
programs give to their attributes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import translate
from typing import Final, Literal

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.canonical.measured_name import is_measured_attribute
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import golden_roles

NumericTypes = Literal["strict", "loose"]
"""Whether int 1 and float 1.0 are two values (strict) or one (loose)."""


class Role(StrEnum):
    """The roles of attributes."""

    IDENTITY = "identity"
    CONFIG = "config"
    INDEX = "index"
    METRIC = "metric"
    VOLATILE = "volatile"


DEFAULTS_VERSION: Final = 1
"""Version of the default roles below; a golden names the one it was made with."""

_INDEX: Final = (
    *golden_roles.INDEX,
    "epoch",
    "step",
    "global_step",
    "batch",
    "batch_idx",
    "batch_index",
    "iteration",
    "iter",
    "rank",
    "shard",
    "fold",
    "index",
    "*.epoch",
    "*.step",
    "*.rank",
    "*.shard",
    "*.fold",
    "*.index",
    "*_index",
    "*_idx",
)
_METRIC: Final = (
    *golden_roles.METRIC,
    "loss",
    "acc",
    "accuracy",
    "f1",
    "auc",
    "auroc",
    "rmse",
    "mse",
    "mae",
    "r2",
    "bleu",
    "rouge",
    "perplexity",
    "grad_norm",
    "*loss",
    "*accuracy",
    "*_acc",
    "*.acc",
    "*grad_norm",
    "*perplexity",
)
_VOLATILE: Final = (
    *golden_roles.VOLATILE,
    "host.*",
    "os.*",
    "thread.*",
    "container.*",
    "k8s.*",
    "*duration*",
    "*elapsed*",
    "*latency*",
    "*throughput*",
    "*_per_second",
    "*_per_sec",
    "*timestamp*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Declared roles and orders, over the defaults.

    What is declared wins over the defaults, an exact name over a glob.

    Attributes:
        identity: names (or globs) of attributes that tell spans of one name apart.
        config: attributes that are compared.
        index: attributes that number the passes of a loop.
        metric: attributes that are read as curves.
        volatile: attributes and metrics that are left out.
        unordered: canonical paths (or globs of them) whose children have no order.
        ordered: paths whose children are in the order of their start, whatever their lanes.
        numeric_types: whether int 1 and float 1.0 are two values (`strict`) or one (`loose`).
    """

    identity: Sequence[str] = ()
    config: Sequence[str] = ()
    index: Sequence[str] = ()
    metric: Sequence[str] = ()
    volatile: Sequence[str] = ()
    unordered: Sequence[str] = ()
    ordered: Sequence[str] = ()
    numeric_types: NumericTypes = "strict"
    keep_stack: bool = False
    """Compare the function names of exception stack traces too."""

    def __post_init__(self) -> None:
        for name in ("identity", "config", "index", "metric", "volatile", "unordered", "ordered"):
            if isinstance(getattr(self, name), str):  # its letters would be taken for names
                raise GoldenRuleError(
                    rule=f"{name}={getattr(self, name)!r}",
                    why="it is a text and no list",
                    fix=f"Write {name}=[{getattr(self, name)!r}].",
                )


DEFAULT_RULES: Final = Rules()


@dataclass(slots=True)
class Roles:
    """Tells the role of attributes under some rules; remembers what it was asked."""

    rules: Rules = DEFAULT_RULES
    _groups: tuple[_Group, _Group] = field(init=False)
    _known: dict[str, Role] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        rules = self.rules
        declared = _Group(
            (
                (Role.VOLATILE, rules.volatile),
                (Role.METRIC, rules.metric),
                (Role.INDEX, rules.index),
                (Role.IDENTITY, rules.identity),
                (Role.CONFIG, rules.config),
            )
        )
        self._groups = (declared, _DEFAULTS)

    def role_of(self, key: str, kind: type) -> Role:
        """Return the role of the attribute `key` whose value is of type `kind`.

        Indices and metrics are numbers: an attribute of such a name but another type is configuration.
        """
        role = self._known.get(key)
        if role is None:
            found = (group.find(key) for group in self._groups)
            role = self._known[key] = next((one for one in found if one is not None), Role.CONFIG)
        if role is Role.CONFIG and kind is float and self._is_measured(key):
            return Role.VOLATILE
        if role in _NUMERIC and (kind is bool or not issubclass(kind, int | float)):
            return Role.CONFIG
        return role

    @property
    def asked(self) -> frozenset[str]:
        """The names of all attributes whose role was asked for."""
        return frozenset(self._known)

    def _is_measured(self, key: str) -> bool:
        """Whether a float that nobody declared is a time or rate of the machine; parameters never are."""
        return (
            not key.startswith(_PARAMETERS)
            and is_measured_attribute(key)
            and self._groups[0].find(key) is None
        )

    def is_declared_config(self, key: str) -> bool:
        """Whether the attribute was declared configuration, so that even its ids and paths are compared."""
        return self._groups[0].find(key) is Role.CONFIG


_NUMERIC: Final = frozenset({Role.INDEX, Role.METRIC})
_PARAMETERS: Final = f"{attr.ML_HYPERPARAMETER}."


class _Group:
    """Exact names first, then globs in their order."""

    __slots__ = ("_exact", "_globs")

    def __init__(self, roles: Sequence[tuple[Role, Sequence[str]]]) -> None:
        self._exact: dict[str, Role] = {}
        self._globs: list[tuple[re.Pattern[str], Role]] = []
        for role, patterns in roles:
            for text in patterns:
                pattern = text.removeprefix("~")  # as a report prints the metric
                if "*" in pattern or "?" in pattern:
                    self._globs.append((re.compile(translate(pattern)), role))
                else:
                    self._exact.setdefault(pattern, role)

    def find(self, key: str) -> Role | None:
        """Return the role of the first entry that matches; None when there is none."""
        role = self._exact.get(key)
        if role is None:
            role = next((found for pattern, found in self._globs if pattern.match(key)), None)
        return role


_DEFAULTS: Final = _Group(
    (
        (Role.VOLATILE, _VOLATILE),
        (Role.METRIC, _METRIC),
        (Role.INDEX, _INDEX),
        (Role.IDENTITY, golden_roles.IDENTITY),
    )
)
