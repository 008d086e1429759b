"""Reports of a check that compared nothing, as its golden is missing or its command failed: an earlier one is no answer.

Markdown under the marker of a comparison's, so that it takes the place of its comment; JUnit; a GitHub annotation.
"""

from __future__ import annotations

from otel_experiments.figures.escape import clip, escape_markup, show_hidden
from otel_experiments.golden.report.escape import code_block, code_span, escape_message, marker

_MAX_LINES = 100
_MAX_CHARACTERS = 2_000
"""Of a line: what a failed command was called with may be a whole program."""


def render_refusal_markdown(name: str, text: str) -> str:
    """Return why nothing was compared with the golden of this name, for a comment on a pull request."""
    lines = [clip(line, _MAX_CHARACTERS) for line in text.splitlines()[:_MAX_LINES]]
    head = [marker(name), f"### Golden {code_span(name, 200)}: not compared", ""]
    return "\n".join([*head, *code_block(lines)]) + "\n"


def render_refusal_junit(name: str, text: str) -> str:
    """Return a JUnit document of one test case, an error."""
    shown = escape_markup(name)
    counts = 'tests="1" failures="0" errors="1" skipped="0"'
    lines = [clip(line, _MAX_CHARACTERS) for line in text.splitlines()[:_MAX_LINES]]
    body = "\n".join(escape_markup(show_hidden(line)) for line in lines)
    message = escape_markup(clip(text.partition("\n")[0], 300))
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f'<testsuites name="golden" {counts}>',
            f'  <testsuite name="{shown}" {counts}>',
            f'    <testcase classname="{shown}" name="structure">',
            f'      <error type="not-compared" message="{message}">{body}</error>',
            "    </testcase>",
            "  </testsuite>",
            "</testsuites>",
            "",
        ]
    )


def annotate_refusal(name: str, text: str) -> str:
    """Return the workflow command that shows it as an error of the step."""
    return f"::error title=golden::{escape_message(clip(f'{name}: {text}', 2 * _MAX_CHARACTERS))}"
