"""The configs of a sweep, made before anything runs: of a grid, drawn from distributions, or as a list gives them."""

from __future__ import annotations

import copy
import itertools
import math
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal

from otel_experiments.codec.text import shown
from otel_experiments.errors import ConfigurationError
from otel_experiments.process.interruption import is_interruption
from otel_experiments.sweeps.space import DISTRIBUTIONS, Choice, Distribution, LogUniform, RandInt, Uniform

MOST_CONFIGS: Final = 1_000_000
"""A grid of more has to be told how many of them are wanted."""
_MAX_DEPTH: Final = 20
Config = dict[str, Any]  # whatever the function takes
_Leaf = tuple[tuple[str, ...], Any]  # where a value is, and the value, options or distribution


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep is to try.

    `described` is the space as params hold it. `seed` is what random numbers come from, drawn where none was given.
    """

    configs: list[Config]
    method: Literal["grid", "random", "list"]
    seed: int
    described: object


def make_plan(space: object, n: object, seed: object) -> Plan:
    """Return the configs of a space: all of a grid or list or the first `n`, or `n` that are drawn.

    Raises:
        ConfigurationError: there is nothing to try, or the space, `n` or `seed` is no such thing.
    """
    count, number = _checked_count(n), _checked_seed(seed)
    if isinstance(space, Mapping):
        return _of_mapping(space, count, number)
    if isinstance(space, Iterable) and not isinstance(space, (str, bytes)):
        return _of_list(space, count, number)
    raise ConfigurationError(
        f"The space of a sweep cannot be {shown(space)}: it is of type {type(space).__name__}.\n"
        '  Pass a mapping such as {"lr": [0.1, 0.01]} or {"lr": ox.loguniform(1e-5, 1e-1)}, or a list of configs.'
    )


def _checked_count(n: object) -> int | None:
    if n is None:
        return None
    if not isinstance(n, int) or isinstance(n, bool) or n < 1:
        raise ConfigurationError(f"n={shown(n)} is no number of trials.\n  Pass an integer above 0.")
    return n


def _checked_seed(seed: object) -> int:
    if seed is None:
        return secrets.randbelow(2**32)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ConfigurationError(f"seed={shown(seed)} cannot be used: it is no integer.\n  Pass an int.")
    return seed


def _of_list(space: Iterable[object], count: int | None, seed: int) -> Plan:
    configs: list[Config] = []
    for config in itertools.islice(space, count or MOST_CONFIGS):
        if not isinstance(config, Mapping):
            raise ConfigurationError(
                f"Config {len(configs)} of the sweep cannot be {shown(config)}: it is of type {type(config).__name__}.\n"
                '  Pass a list of mappings such as [{"lr": 0.1}, {"lr": 0.01}].'
            )
        configs.append(dict(config))
    if not configs:
        raise ConfigurationError("The list of configs of the sweep is empty.\n  Pass one config at least.")
    return Plan(configs, "list", seed, f"{len(configs)} configs")


def _of_mapping(space: Mapping[Any, object], count: int | None, seed: int) -> Plan:
    leaves = list(_leaves(space, ()))
    if all(isinstance(value, _Empty) for _, value in leaves):
        raise ConfigurationError(
            'The space of the sweep is empty.\n  Name one value at least: {"lr": [0.1, 0.01]}.'
        )
    described = {".".join(path): _described(value) for path, value in leaves}
    random = Random(seed)  # noqa: S311 - configs, not secrets
    if any(isinstance(value, DISTRIBUTIONS) for _, value in leaves):
        if count is None:
            raise ConfigurationError(
                "A sweep that draws values needs to know how often: the space has no end.\n  Pass n=20, say."
            )
        drawn = [[(path, _drawn(value, random)) for path, value in leaves] for _ in range(count)]
        return Plan(list(map(_config, drawn)), "random", seed, described)
    sizes = [len(value) if isinstance(value, _Options) else 1 for _, value in leaves]
    size = math.prod(sizes)
    if count is None and size > MOST_CONFIGS:
        raise ConfigurationError(
            f"The grid of the sweep has {size:,} configs, more than {MOST_CONFIGS:,}.\n"
            "  Pass n=100 to try so many of them, or a smaller grid."
        )
    wanted: Iterable[int] = range(size)
    if count is not None and count < size:
        wanted = sorted(_distinct(random, size, count))
    return Plan([_grid_config(leaves, sizes, index) for index in wanted], "grid", seed, described)


class _Options(tuple[Any, ...]):  # whatever a config may hold
    """The values of a grid at one place."""

    __slots__ = ()


class _Empty(dict[str, Any]):
    """A part of a space that has no values, which a config has as well."""

    __slots__ = ()


def _leaves(space: Mapping[Any, object], path: tuple[str, ...]) -> Iterator[_Leaf]:
    if len(path) > _MAX_DEPTH:
        raise ConfigurationError(
            f"The space of the sweep is nested deeper than {_MAX_DEPTH} levels.\n  Make it flatter."
        )
    for name, value in space.items():
        if not isinstance(name, str):
            raise ConfigurationError(
                f"A name in the space of the sweep cannot be {shown(name)}: it is of type {type(name).__name__}.\n"
                "  Name values with texts."
            )
        here = (*path, name)
        if isinstance(value, Mapping):
            yield from _leaves(value, here) if value else [(here, _Empty())]
        elif isinstance(value, (DISTRIBUTIONS, str, bytes)):
            yield here, value
        elif isinstance(value, Iterable) and not _is_scalar(value):
            options = _Options(
                sorted(value, key=repr) if isinstance(value, (set, frozenset)) else list(value)
            )
            if not options:
                raise ConfigurationError(
                    f"The space of the sweep has no value for {'.'.join(here)!r}: the list is empty.\n"
                    "  Give one value at least."
                )
            yield here, options
        else:
            yield here, value


def _is_scalar(value: Any) -> bool:  # whatever a space may hold
    """Whether it is an array of no dimension, of NumPy or torch say, which looks like a list and is none."""
    return getattr(value, "shape", None) == () and hasattr(value, "dtype")


def _drawn(value: Any, random: Random) -> Any:
    if isinstance(value, _Options):
        return Choice(tuple(value)).draw(random)
    if isinstance(value, DISTRIBUTIONS):
        distribution: Distribution = value
        return distribution.draw(random)
    return value


def _distinct(random: Random, size: int, count: int) -> set[int]:
    found: set[int] = set()
    if count * 2 > size:
        numbers = list(range(size))
        random.shuffle(numbers)
        return set(numbers[:count])
    while len(found) < count:
        found.add(int(random.random() * size))
    return found


def _grid_config(leaves: Sequence[_Leaf], sizes: Sequence[int], index: int) -> Config:
    """Return the config with this number of a grid, whose last value changes first."""
    chosen: list[_Leaf] = []
    for (path, value), size in zip(reversed(leaves), reversed(sizes), strict=True):
        index, place = divmod(index, size)
        chosen.append((path, value[place] if isinstance(value, _Options) else value))
    return _config(list(reversed(chosen)))


def _config(chosen: Iterable[_Leaf]) -> Config:
    config: Config = {}
    for path, value in chosen:
        place = config
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = {} if isinstance(value, _Empty) else value
    return config


def _described(value: Any) -> object:
    if isinstance(value, Choice):
        weights = f", weights={list(value.weights)!r}" if value.weights else ""
        return f"choice({list(value.values)!r}{weights})"
    if isinstance(value, (Uniform, LogUniform, RandInt)):
        return f"{type(value).__name__.lower()}({value.low!r}, {value.high!r})"
    if isinstance(value, _Empty):
        return {}
    return list(value) if isinstance(value, _Options) else value


def copied(config: Config) -> Config:
    """Return a config that shares nothing with the one of another trial, but what cannot be copied, such as a lock."""
    try:
        return copy.deepcopy(config)
    except Exception as error:  # whatever a user's class does
        if is_interruption(error):
            raise
        return {name: _copied(value, 1) for name, value in config.items()}


def _copied(value: Any, depth: int) -> Any:  # whatever a config may hold
    try:
        return copy.deepcopy(value)
    except Exception as error:  # as above
        if is_interruption(error):
            raise
    if type(value) is dict and depth < _MAX_DEPTH:
        return {name: _copied(one, depth + 1) for name, one in value.items()}
    if type(value) in {list, tuple} and depth < _MAX_DEPTH:
        return type(value)(_copied(one, depth + 1) for one in value)
    return value
