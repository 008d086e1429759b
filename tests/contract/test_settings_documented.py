"""The page of settings says what the table of settings says."""

from pathlib import Path

import pytest

from otel_experiments.record.base.settings import SETTINGS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


@pytest.mark.parametrize("name", SETTINGS)
def test_each_setting_has_its_row(name):
    """Argument, variable, default and sentence stand in the page as they stand in the code."""
    setting = SETTINGS[name]

    row = f"| `{name}` | `{setting.variable}` | `{setting.default}` | {setting.brief} |"

    assert row in PAGE.read_text(encoding="utf-8")
