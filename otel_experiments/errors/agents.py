"""What does not hold about a tool that an agent calls: its name, its arguments, its answer, its time."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.errors.root import OtelExperimentsError


class AgentToolError(OtelExperimentsError):
    """A call of a tool of `otel-experiments mcp` cannot be answered."""


class AgentToolNotFoundError(AgentToolError, LookupError):
    """There is no such tool or resource."""

    def __init__(self, *, kind: str, wanted: str, known: Sequence[str], fix: str = "") -> None:
        """Make the text; `kind` is what was looked for, `fix` what brings it where something does."""
        self.kind, self.wanted, self.known = kind, wanted, tuple(known)
        super().__init__(
            f"There is no {kind} {wanted!r:.80} in this server of otel-experiments.\n"
            f"  {fix or 'It has ' + ', '.join(known) + '.'}"
        )


class AgentArgumentError(AgentToolError, ValueError):
    """An argument is missing, unknown, or not what the tool takes."""

    def __init__(self, *, tool: str, argument: str, found: str, fix: str) -> None:
        """Make the text; `found` follows the argument's name in the sentence."""
        self.tool, self.argument = tool, argument
        super().__init__(f"The tool {tool} cannot be called so: {argument!r:.80} {found}.\n  {fix}")


class AgentToolStoppedError(AgentToolError, TimeoutError):
    """A tool took too long, or its process ended, and nothing is known of its answer."""

    def __init__(self, *, tool: str, why: str) -> None:
        """Make the text; `why` says what happened to it."""
        self.tool = tool
        super().__init__(
            f"The tool {tool} was stopped without an answer: {why}.\n"
            "  Ask for less: fewer runs, a where that an index answers, an SQL statement with conditions, a simpler pattern."
        )


class AgentAnswerTooLargeError(AgentToolError, ValueError):
    """An answer is too large, even with short texts and lists."""

    def __init__(self, *, tool: str, size_chars: int, most_chars: int) -> None:
        self.tool, self.size_chars, self.most_chars = tool, size_chars, most_chars
        super().__init__(
            f"The answer of {tool} is too large: {size_chars:,} characters in JSON, of which {most_chars:,} are allowed.\n"
            "  Ask for less: a smaller limit, fewer columns, one part."
        )
