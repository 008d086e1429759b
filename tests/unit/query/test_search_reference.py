"""docs/reference/search.md says what the parser understands."""

import re
from pathlib import Path

import pytest

from otel_experiments.query.search.parser import parse_order, parse_search
from otel_experiments.query.search.runs import METRIC_STATS, RUN_FIELDS

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "search.md").read_text(encoding="utf-8")
TABLE = TEXT.split("## What can be asked")[1].split("Numbers of a metric")[0]
EXPRESSIONS = re.findall(r"^\| `(.+?)` \|", TABLE, re.MULTILINE)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_documented_expression_is_understood(expression):
    """Each line of the table is read by the parser, and understood by the store."""
    assert parse_search(expression)


def test_the_documented_expressions_run_against_a_store(jobs_path):
    """Each line of the table finds runs or none, and never fails."""
    from otel_experiments._opening import open_reader

    assert len(EXPRESSIONS) > 15
    with open_reader(jobs_path) as reader:
        counts = [reader.count_runs(expression) for expression in EXPRESSIONS]

    assert max(counts) > 0


def test_every_field_and_statistic_is_documented():
    """The lists of fields and statistics are complete."""
    assert [name for name in (*RUN_FIELDS, *METRIC_STATS) if f"`{name}`" not in TEXT] == []


def test_the_documented_order_is_understood():
    """The example of an order is read by the parser."""
    assert parse_order('-metrics["val/acc"].max, name')
