"""Tokens of requests to language models, and what they cost."""

import math

import pytest

from otel_experiments.analysis.tokens import ModelCall, Price, PriceTable, measure_cost, measure_tokens
from otel_experiments.errors import PriceTableError

PRICES = PriceTable({"gpt-4": (30, 60), "gpt-4*": (10, 30), "gpt-*": {"input": 0.5, "output": 1.5}})


def test_a_request_costs_what_its_tokens_cost() -> None:
    """100 tokens read and 200 written by gpt-4 cost 0.015 dollars."""
    cost = measure_cost([ModelCall("gpt-4", 100, 200)], PRICES)

    assert (cost.currency, cost.count) == ("USD", 1)
    assert cost.total == cost.mean == cost.median == pytest.approx(0.015)
    assert (cost.per_thousand, cost.per_million) == pytest.approx((15.0, 15_000.0))


def test_the_nearest_name_of_the_table_counts() -> None:
    """The exact name counts before a glob, and a longer glob before a shorter one."""
    assert PRICES.price_of("gpt-4") == Price(30, 60)
    assert PRICES.price_of("gpt-4-turbo") == Price(10, 30)
    assert PRICES.price_of("gpt-3.5-turbo") == Price(0.5, 1.5)
    assert PRICES.price_of("claude-3-opus") is None
    assert list(PRICES) == ["gpt-4", "gpt-4*", "gpt-*"]
    assert (len(PRICES), PRICES["gpt-*"]) == (3, Price(0.5, 1.5))


def test_unknown_models_are_counted_and_never_guessed() -> None:
    """What has no price is in no total, and is said by model."""
    calls = [
        ModelCall("gpt-4", 100, 200),
        ModelCall("mystery", 1, 1),
        ModelCall("mystery", 1, 1),
        ModelCall("", 5, 5),
    ]
    cost = measure_cost([*calls, ModelCall("gpt-4")], PRICES)

    assert (cost.count, cost.total) == (1, pytest.approx(0.015))
    assert cost.unpriced == {"mystery": 2, "": 1, "gpt-4": 1}


def test_a_cost_that_was_recorded_counts_before_the_table() -> None:
    """A program that knows what it paid is believed, but for NaN."""
    calls = [
        ModelCall("gpt-4", 100, 200, cost=0.5),
        ModelCall("mystery", cost=0.25),
        ModelCall("gpt-4", 100, 200, cost=math.nan),
    ]

    assert measure_cost(calls, PRICES).total == pytest.approx(0.765)


def test_one_side_alone_is_enough() -> None:
    """A request that says only what it read has written nothing, as embeddings have."""
    assert measure_cost([ModelCall("gpt-4", 1_000_000)], PRICES).total == 30.0


def test_nothing_costs_nothing() -> None:
    """Without requests the total is 0 and there is no mean."""
    cost = measure_cost([], PRICES)

    assert (cost.count, cost.total, cost.unpriced) == (0, 0.0, {})
    assert math.isnan(cost.mean)
    assert math.isnan(cost.per_million)


def test_tokens_are_added_up() -> None:
    """Totals are of all requests, means of those that say a number."""
    tokens = measure_tokens([ModelCall("a", 10, 20), ModelCall("b", 30), ModelCall("c")])

    assert (tokens.count, tokens.input_total, tokens.output_total, tokens.total) == (2, 40, 20, 60)
    assert (tokens.mean_input, tokens.mean_output, tokens.mean_total) == (20.0, 10.0, 30.0)
    assert measure_tokens([]).count == 0
    assert math.isnan(measure_tokens([ModelCall("c")]).mean_total)


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"input": 30}, "no price of output tokens"),
        ({"input": 30, "output": "60"}, "output: '60'"),
        ({"input": -1, "output": 60}, "input: -1"),
        ({"input": math.nan, "output": 60}, "input: nan"),
        ({"input": True, "output": 60}, "input: True"),
        ({"input": 10**400, "output": 60}, "input: 1000"),
        ((30,), r"\(30,\)"),
        (30, "30"),
    ],
)
def test_a_price_table_with_holes_names_them(given: object, found: str) -> None:
    """A missing or impossible price is an error that names the model, before anything is added up."""
    with pytest.raises(PriceTableError, match=f"gpt-4.*{found}"):
        PriceTable({"gpt-4": given})


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("prices.toml", 'currency = "EUR"\n[models."gpt-4"]\ninput = 30\noutput = 60\n'),
        ("prices.json", '{"currency": "EUR", "models": {"gpt-4": [30, 60]}}'),
    ],
)
def test_a_price_table_is_a_file(tmp_path, name: str, text: str) -> None:
    """The table is read from TOML or JSON."""
    (tmp_path / name).write_text(text)
    table = PriceTable.from_file(tmp_path / name)

    assert (table.currency, dict(table)) == ("EUR", {"gpt-4": Price(30, 60)})


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("prices.yaml", "x", "the ending '.yaml'"),
        ("prices.json", "{", "no JSON"),
        ("prices.toml", "[", "no TOML"),
        ("prices.json", "[]", "no table 'models'"),
        ("prices.json", '{"models": 3}', "no table 'models'"),
        ("prices.json", b"\xff", "no JSON"),
    ],
)
def test_a_file_that_is_no_price_table_says_why(tmp_path, name: str, text: str | bytes, found: str) -> None:
    """An unknown ending, broken text and another shape are told apart."""
    (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(PriceTableError, match=found):
        PriceTable.from_file(tmp_path / name)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    """The error names the file."""
    with pytest.raises(PriceTableError, match=r"none\.toml.*No such file"):
        PriceTable.from_file(tmp_path / "none.toml")
