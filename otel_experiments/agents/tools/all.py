"""Which tools there are."""

from __future__ import annotations

from typing import Final

from otel_experiments.agents.tool import Tool
from otel_experiments.agents.tools.comparing import COMPARE_GOLDEN, COMPARE_RUNS, DIFF_RUNS
from otel_experiments.agents.tools.edits import RENAME_RUN, TAG_RUN, WRITE_NOTE
from otel_experiments.agents.tools.inside import READ_LOGS, READ_SPANS
from otel_experiments.agents.tools.run_page import SHOW_RUN
from otel_experiments.agents.tools.search import LIST_EXPERIMENTS, SEARCH_RUNS
from otel_experiments.agents.tools.series import READ_SERIES
from otel_experiments.agents.tools.sql import QUERY_SQL

READING: Final[tuple[Tool, ...]] = (
    SEARCH_RUNS, LIST_EXPERIMENTS, SHOW_RUN, READ_SERIES, DIFF_RUNS, COMPARE_RUNS, READ_SPANS, READ_LOGS, QUERY_SQL,
    COMPARE_GOLDEN,
)  # fmt: skip
"""Tools that read."""
EDITING: Final[tuple[Tool, ...]] = (TAG_RUN, WRITE_NOTE, RENAME_RUN)
"""Tools that change stored runs; there with `--allow-edits` only."""


def tools(*, with_edits: bool) -> dict[str, Tool]:
    """Return the tools by name, those that change something only where it is allowed."""
    return {one.name: one for one in (*READING, *(EDITING if with_edits else ()))}
