"""Texts of a program in Markdown and in commands of a workflow: nothing in a name may break a report.

Characters that cannot be seen are shown by their code first; then each form of report has its escapes.
"""

from __future__ import annotations

import re
from typing import Final

from otel_experiments.figures.escape import clip, show_hidden

_BACKTICKS: Final = re.compile("`+")


def escape_message(text: str) -> str:
    """Return the text for the message of a workflow command; its line breaks stay line breaks.

    Source: GitHub, actions/toolkit, packages/core/src/command.ts, escapeData.
    """
    lines = "\n".join(map(show_hidden, text.split("\n")))
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escape_property(text: str) -> str:
    """Return the text for a property of a workflow command, which a colon or a comma would end.

    Source: GitHub, actions/toolkit, packages/core/src/command.ts, escapeProperty.
    """
    return escape_message(show_hidden(text)).replace(":", "%3A").replace(",", "%2C")


def code_span(text: str, limit: int = 300) -> str:
    """Return the text as code inside a cell of a Markdown table: nothing in it is formatted, linked or mentioned.

    Source: GitHub Flavored Markdown, 6.3 Code spans, and 4.10 Tables for the pipe.
    """
    shown = clip(show_hidden(text), limit)
    if not shown.strip():
        return ""
    fence = "`" * (1 + max(map(len, _BACKTICKS.findall(shown)), default=0))
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}".replace("|", "\\|")


def code_block(lines: list[str]) -> list[str]:
    """Return the lines as a block of code in Markdown, whatever backticks they hold."""
    shown = [show_hidden(line) for line in lines]
    longest = max((len(run) for line in shown for run in _BACKTICKS.findall(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}text", *shown, fence]


def marker(name: str) -> str:
    """Return the hidden line by which a bot finds its own comment about a golden and replaces it."""
    # "--" would end the comment: https://html.spec.whatwg.org/multipage/syntax.html#comments
    inert = show_hidden(name).replace("--", "-%2D").replace(">", "%3E")
    return f"<!-- otel-experiments golden: {inert} -->"
