"""A sweep configuration of wandb, as the space that it means here.

What the words of one mean: https://docs.wandb.ai/guides/sweeps/sweep-config-keys. A `bayes` search is one that learns from
earlier trials; here it is drawn at random, which is said. Distributions that a space here does not have are refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import ConfigurationError
from otel_experiments.model.metric import Direction
from otel_experiments.sweeps.space import (
    Choice,
    Distribution,
    LogUniform,
    RandInt,
    loguniform,
    randint,
    uniform,
)

_METHODS: Final = ("grid", "random", "bayes")
_PARAMETER_WORDS: Final = frozenset(
    {"value", "values", "probabilities", "distribution", "min", "max", "mu", "sigma", "q", "parameters"}
)
_TAKEN: Final = frozenset({"method", "parameters", "metric", "name", "project", "run_cap"})
_GOALS: Final[Mapping[object, Direction]] = {"minimize": "min", "maximize": "max"}
_MAX_DEPTH: Final = 20
MOST_OPTIONS: Final = 100_000
"""A grid of more integers at one place is none that anybody waits for."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a sweep is asked for, in the words that it has here.

    `goal` is the metric that its trials are compared by, and its direction; `left_out` says what is not done here.
    """

    space: object
    n: int | None
    name: str | None
    experiment: str | None
    goal: tuple[str, Direction | None] | None = None
    left_out: tuple[str, ...] = ()


def read_asked(space: object, n: int | None, name: str | None, experiment: str | None) -> Asked:
    """Return what is asked for; of a configuration of wandb what it means, where nothing else is given.

    Raises:
        ConfigurationError: a parameter of a configuration cannot be tried here, or is none.
    """
    if not isinstance(space, Mapping) or not _is_configuration(space):
        return Asked(space, n, name, experiment)
    return Asked(
        space=_space_of(space["parameters"], (), is_grid=space["method"] == "grid"),
        n=n if n is not None else space.get("run_cap"),
        name=name or _text(space.get("name")),
        experiment=experiment or _text(space.get("project")),
        goal=_goal_of(space.get("metric")),
        left_out=tuple(_left_out(space)),
    )


def _is_configuration(space: Mapping[Any, Any]) -> bool:
    """Whether this is wandb's form; a space of ours may have values called so."""
    parameters, method = space.get("parameters"), space.get("method")
    return (
        isinstance(method, str)
        and method in _METHODS
        and isinstance(parameters, Mapping)
        and all(isinstance(one, Mapping) and _PARAMETER_WORDS.issuperset(one) for one in parameters.values())
    )


def _left_out(space: Mapping[Any, Any]) -> list[str]:
    said: list[str] = []
    if space["method"] == "bayes":
        said.append("method 'bayes' learns from no trial here: configs are drawn at random, as 'random' does")
    if "early_terminate" in space:
        said.append("early_terminate stops no trial here: each runs to its end")
    others = sorted(str(name) for name in space if name not in _TAKEN and name != "early_terminate")
    if others:
        said.append(f"{', '.join(others)} {'is' if len(others) == 1 else 'are'} not used")
    return said


def _goal_of(metric: object) -> tuple[str, Direction | None] | None:
    if not isinstance(metric, Mapping) or not isinstance(metric.get("name"), str):
        return None
    goal = metric.get("goal", "minimize")
    return metric["name"], _GOALS.get(goal) if isinstance(goal, str) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _space_of(parameters: Mapping[Any, Any], path: tuple[str, ...], *, is_grid: bool) -> dict[str, Any]:
    if len(path) > _MAX_DEPTH:
        raise ConfigurationError(
            f"The sweep configuration is nested deeper than {_MAX_DEPTH} levels.\n  Make it flatter."
        )
    space: dict[str, Any] = {}
    for name, given in parameters.items():
        here = (*path, str(name))
        if not isinstance(given, Mapping):
            raise _refusal(here, f"{shown(given)} does not say how", '{"value": ...} or {"values": [...]}')
        if isinstance(given.get("parameters"), Mapping):
            space[name] = _space_of(given["parameters"], here, is_grid=is_grid)
        else:
            space[name] = _tried(given, here, is_grid=is_grid)
    return space


def _tried(
    given: Mapping[Any, Any], path: tuple[str, ...], *, is_grid: bool
) -> Any:  # as a space here has it
    """Return one parameter as a space here has it; a list of one is what is the same in all configs, whatever it is."""
    if "value" in given:
        return [given["value"]]
    if "values" in given:
        return _chosen(given, path, is_grid=is_grid)
    kind = given.get("distribution") or _kind_of_bounds(given)
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None or "q" in given:
        kinds = ", ".join(sorted({"categorical", "constant", *_MAKERS}))
        found = "q rounds what is drawn" if make is not None else f"its distribution is {shown(kind)}"
        raise _refusal(path, found, f"one of {kinds}; or draw the configs yourself, and pass them as a list")
    try:
        drawn = make(given.get("min"), given.get("max"))
    except (ConfigurationError, OverflowError) as error:
        raise _refusal(
            path, text_of(error).partition("\n")[0].rstrip("."), "a min, and a max above it"
        ) from error
    if not is_grid:
        return drawn
    if not isinstance(drawn, RandInt) or drawn.high - drawn.low >= MOST_OPTIONS:
        raise _refusal(path, "a grid would have no end of its values", "values, or the sweep method: random")
    return list(range(drawn.low, drawn.high + 1))


def _chosen(
    given: Mapping[Any, Any], path: tuple[str, ...], *, is_grid: bool
) -> list[Any] | Choice:  # as above
    values, weights = given["values"], given.get("probabilities")
    if not isinstance(values, Sequence) or isinstance(values, (str, bytes)) or not values:
        raise _refusal(path, f"its values are {shown(values)}", "a list with one value at least")
    if is_grid:
        return list(values)
    if weights is None:
        return Choice(tuple(values))
    if not isinstance(weights, Sequence) or len(weights) != len(values) or not all(map(_is_weight, weights)):
        raise _refusal(path, f"its probabilities are {shown(weights)}", "a number above 0 for each value")
    return Choice(tuple(values), tuple(weights))


def _is_weight(number: object) -> bool:
    return isinstance(number, (int, float)) and not isinstance(number, bool) and 0 < number < math.inf


def _kind_of_bounds(given: Mapping[Any, Any]) -> str | None:
    bounds = (given.get("min"), given.get("max"))
    if None in bounds:
        return None
    return "int_uniform" if all(isinstance(one, int) for one in bounds) else "uniform"


def _refusal(path: tuple[str, ...], found: str, fix: str) -> ConfigurationError:
    return ConfigurationError(
        f"The parameter {'.'.join(path)!r} of the sweep configuration cannot be tried: {found}.\n  Give it {fix}."
    )


def _exponents(low: Any, high: Any) -> LogUniform:  # whatever was given
    """Return what wandb draws between e to the power of one and of the other."""
    interval = uniform(low, high)
    return loguniform(math.exp(interval.low), math.exp(interval.high))


_MAKERS: Final[Mapping[str, Callable[[Any, Any], Distribution]]] = {
    "uniform": uniform,
    "int_uniform": randint,
    "log_uniform": _exponents,
    "log_uniform_values": loguniform,
}
