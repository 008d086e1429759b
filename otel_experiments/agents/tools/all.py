"""Which tools there are."""

from __future__ import annotations

from typing import Final

from otel_experiments.agents.tool import Tool
from otel_experiments.agents.tools.run_page import SHOW_RUN
from otel_experiments.agents.tools.search import LIST_EXPERIMENTS, SEARCH_RUNS
from otel_experiments.agents.tools.series import READ_SERIES

READING: Final[tuple[Tool, ...]] = (SEARCH_RUNS, LIST_EXPERIMENTS, SHOW_RUN, READ_SERIES)
"""Tools that read."""
EDITING: Final[tuple[Tool, ...]] = ()
"""Tools that change stored runs; there with `--allow-edits` only."""


def tools(*, with_edits: bool) -> dict[str, Tool]:
    """Return the tools by name, those that change something only where it is allowed."""
    return {one.name: one for one in (*READING, *(EDITING if with_edits else ()))}
