"""The page of settings says what the table of settings says."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

import otel_experiments
from otel_experiments.record.base.settings import SETTINGS
from otel_experiments.record.otlp.environment import SendingPlan
from otel_experiments.record.otlp.export import MAX_HELD, MAX_HELD_POINTS, POINTS_PER_REQUEST

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_has_its_row(name):
    """Argument, variable, default and sentence stand in the page as they stand in the code."""
    setting = SETTINGS[name]

    row = f"| `{name}` | `{setting.variable}` | `{setting.default}` | {setting.brief} |"

    assert row in PAGE.read_text(encoding="utf-8")


def test_each_limit_of_what_is_sent_is_in_the_page():
    """Every variable that rules the size or time of requests has its row; so has the number that takes its place."""
    record = Path(otel_experiments.__file__).parent / "record"
    source = (record / "otlp" / "environment.py").read_text(encoding="utf-8")
    source += (record / "base" / "span_limits.py").read_text(encoding="utf-8")
    page = PAGE.read_text(encoding="utf-8")

    variables = set(re.findall(r'"(OTEL_(?:BSP|METRIC)_[A-Z_]+|OTEL_\w+_LENGTH_LIMIT)"', source))

    assert len(variables) == 6
    assert {name for name in variables if f"`{name}`" not in page} == set()
    (default,) = [one.default for one in fields(SendingPlan) if one.name == "max_request"]
    for number in (POINTS_PER_REQUEST, MAX_HELD, MAX_HELD_POINTS, default):
        assert f"{number:,}" in page
