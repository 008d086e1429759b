"""The pages that agents read are those of the documentation."""

from pathlib import Path

import pytest

from otel_experiments.agents.pages import PAGES, read_page

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "reference"


@pytest.mark.parametrize("name", ["search", "schema"])
def test_a_page_is_that_of_the_documentation(name):
    """The wheel holds no documentation, so the page is copied: cp docs/reference/NAME.md otel_experiments/agents/pages/."""
    assert read_page(f"otel-experiments://{name}") == (DOCUMENTATION / f"{name}.md").read_text(
        encoding="utf-8"
    )


def test_each_page_says_what_it_is_about():
    """An agent chooses by it."""
    assert all(page.about.endswith(".") for page in PAGES.values())
