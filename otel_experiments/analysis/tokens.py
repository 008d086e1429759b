"""How many tokens language models read and wrote, and what that cost by a price table that the user gives."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final, Self

from otel_experiments._short_repr import cut
from otel_experiments.analysis.statistics import mean, median
from otel_experiments.errors import PriceTableError

_PER: Final = 1_000_000
"""Prices are of so many tokens, as all providers print them."""

_MOST: Final = 1e15
"""A price above that is a mistake, and sums of it would overflow."""

NO_MODEL: Final = ""
"""The model of a request that names none."""


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What one request to a language model says of its size.

    Attributes:
        model: which model answered; empty where the request does not say.
        input_tokens: how many tokens it read; None where that is not said.
        output_tokens: how many it wrote; None where that is not said.
        cost: what it cost, where the program recorded that itself.
    """

    model: str = NO_MODEL
    input_tokens: int | None = None
    output_tokens: int | None = None
    cost: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """How many tokens requests took. Means are of the requests that say their number; NaN where none does.

    Attributes:
        count: how many requests say how many tokens they took.
        input_total: tokens that were read.
        output_total: tokens that were written.
        total: both.
        mean_input: a request's mean of those read.
        mean_output: a request's mean of those written.
        mean_total: a request's mean of both.
    """

    count: int
    input_total: int
    output_total: int
    total: int
    mean_input: float
    mean_output: float
    mean_total: float


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs.

    Units: the table's currency, for a million tokens.

    Attributes:
        input: for a million tokens that it reads.
        output: for a million tokens that it writes.
    """

    input: float
    output: float


class PriceTable(Mapping[str, Price]):
    """Prices by model. A key may be a glob, such as `gpt-4*`: the exact name counts first, then the longest glob that fits.

    Args:
        prices: for each model the prices of a million input and a million output tokens: `{"gpt-4": (30, 60)}`, or
            `{"gpt-4": {"input": 30, "output": 60}}`, as a file in TOML or JSON says it.
        currency: in which currency.

    Raises:
        PriceTableError: a price is missing, is no number, or is negative.
    """

    def __init__(self, prices: Mapping[str, object], *, currency: str = "USD") -> None:
        self.currency = currency
        self._prices = {model: _checked(model, given) for model, given in prices.items()}
        self._globs = sorted(
            (key for key in self._prices if any(sign in key for sign in "*?[")), key=len, reverse=True
        )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the table of a file: `currency`, and under `models` for each model `input` and `output`.

        Args:
            path: a file whose name ends in `.toml` or `.json`.

        Raises:
            PriceTableError: it cannot be read, or is no price table.
        """
        place = Path(path)
        try:
            if place.suffix == ".toml":
                held: object = tomllib.loads(place.read_text(encoding="utf-8"))
            elif place.suffix == ".json":
                held = json.loads(place.read_text(encoding="utf-8"))
            else:
                raise PriceTableError(
                    source=str(place), found=f"the ending {place.suffix!r}, which is none of .toml, .json"
                )
        except OSError as error:
            raise PriceTableError(source=str(place), found=error.strerror or str(error)) from error
        except ValueError as error:  # of both parsers, and of what is not UTF-8
            raise PriceTableError(
                source=str(place), found=f"no {place.suffix[1:].upper()}: {error}"
            ) from error
        models = held.get("models") if isinstance(held, dict) else None
        if not isinstance(held, dict) or not isinstance(models, dict):
            raise PriceTableError(source=str(place), found="no table 'models'")
        return cls(models, currency=str(held.get("currency", "USD")))

    def price_of(self, model: str) -> Price | None:
        """Return the price of a model; None where the table has none, since a price is never guessed.

        Args:
            model: its name, as the request says it.
        """
        exact = self._prices.get(model)
        if exact is not None:
            return exact
        return next((self._prices[key] for key in self._globs if fnmatchcase(model, key)), None)

    def __getitem__(self, model: str) -> Price:
        return self._prices[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._prices)

    def __len__(self) -> int:
        return len(self._prices)

    def __repr__(self) -> str:
        return f"PriceTable({len(self)} models in {cut(self.currency, 20)})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What requests cost. Means are of the requests that have a cost; NaN where none has one.

    Attributes:
        currency: in which currency all is said.
        count: how many requests have a cost.
        total: what they cost together.
        mean: what one costs.
        median: what one costs in the middle.
        per_thousand: what a thousand of them cost.
        per_million: what a million of them cost.
        unpriced: requests that have none, by their model: those whose model the table lacks, and under the model's name
            also those that do not say how many tokens they took.
    """

    currency: str
    count: int
    total: float
    mean: float
    median: float
    per_thousand: float
    per_million: float
    unpriced: Mapping[str, int] = field(default_factory=dict)


def measure_tokens(calls: Sequence[ModelCall]) -> Tokens:
    """Return how many tokens requests took.

    Args:
        calls: the requests; those that say no number of tokens are left out.
    """
    said = [call for call in calls if call.input_tokens is not None or call.output_tokens is not None]
    read = [call.input_tokens or 0 for call in said]
    written = [call.output_tokens or 0 for call in said]
    count, total = len(said), sum(read) + sum(written)
    return Tokens(
        count=count,
        input_total=sum(read),
        output_total=sum(written),
        total=total,
        mean_input=sum(read) / count if count else math.nan,
        mean_output=sum(written) / count if count else math.nan,
        mean_total=total / count if count else math.nan,
    )


def measure_cost(calls: Sequence[ModelCall], prices: PriceTable) -> Cost:
    """Return what requests cost.

    What a program recorded as a request's cost counts before what the table says.

    Args:
        calls: the requests.
        prices: what a model costs.
    """
    costs: list[float] = []
    unpriced: Counter[str] = Counter()
    for call in calls:
        cost = _cost_of(call, prices)
        if cost is None:
            unpriced[call.model] += 1
        else:
            costs.append(cost)
    total, each = math.fsum(costs), mean(costs)
    return Cost(
        currency=prices.currency,
        count=len(costs),
        total=total,
        mean=each,
        median=median(costs),
        per_thousand=each * 1e3,
        per_million=each * 1e6,
        unpriced=dict(unpriced),
    )


def _cost_of(call: ModelCall, prices: PriceTable) -> float | None:
    if call.cost is not None and math.isfinite(call.cost):
        return call.cost
    price = prices.price_of(call.model) if call.model != NO_MODEL else None
    if price is None or (call.input_tokens is None and call.output_tokens is None):
        return None
    return ((call.input_tokens or 0) * price.input + (call.output_tokens or 0) * price.output) / _PER


def _checked(model: str, given: object) -> Price:
    if isinstance(given, Price):
        sides: Mapping[str, object] = {"input": given.input, "output": given.output}
    elif isinstance(given, Mapping):
        sides = given
    elif isinstance(given, tuple | list) and len(given) == 2:
        sides = dict(zip(("input", "output"), given, strict=True))
    else:
        raise PriceTableError(source=f"model {model}", found=repr(given))
    for side in ("input", "output"):
        price = sides.get(side)
        if isinstance(price, bool) or not isinstance(price, int | float) or not 0 <= price <= _MOST:
            raise PriceTableError(
                source=f"model {model}",
                found=f"{side}: {price!r}" if side in sides else f"no price of {side} tokens",
            )
    return Price(float(sides["input"]), float(sides["output"]))  # type: ignore[arg-type] # seen above
