"""Pages that agents read before they search: the search language, the schema of the store, how to use the product."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from typing import Final, NamedTuple


class Page(NamedTuple):
    """A page of Markdown: its name, what it is about, and its file in this package."""

    name: str
    about: str
    file: str


SKILL_NAME: Final = "otel-experiments"
SKILL_URI: Final = "otel-experiments://skill"

PAGES: Final[Mapping[str, Page]] = {
    "otel-experiments://search": Page(
        "search",
        "The language of `where`, `order` and `columns`: fields, operators, functions.",
        "pages/search.md",
    ),
    "otel-experiments://schema": Page("schema", "The tables of the store, for query_sql.", "pages/schema.md"),
    SKILL_URI: Page(
        "skill",
        "How to record, search, compare and check runs, by commands and from Python.",
        "skill/SKILL.md",
    ),
}
"""The pages by the URIs of their resources."""


def read_page(uri: str) -> str:
    """Return the text of a page of `PAGES`."""
    return (files("otel_experiments.agents") / PAGES[uri].file).read_text(encoding="utf-8")
