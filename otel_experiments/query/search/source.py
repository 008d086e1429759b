"""The text of a search expression: to Python's syntax tree, and from a place in it to an error.

Whatever the text is (too long, too deep, not Python, other bytes), what comes out is a tree or one
`SearchSyntaxError` that points at a column.
"""

from __future__ import annotations

import ast
import io
import keyword
import re
import tokenize
import warnings

from otel_experiments.errors import SearchSyntaxError
from otel_experiments.process.interruption import pass_on

MAX_LENGTH = 100_000
"""Characters of an expression; a list of a thousand run ids fits several times."""
MAX_DEPTH = 100
"""Levels of nesting, far below where Python's own recursion would end."""

_HABITS: tuple[tuple[str, str], ...] = (
    (r"&&", "Write and instead of &&."),
    (r"\|\|", "Write or instead of ||."),
    (r"<>", "Write != instead of <>."),
    (r"\b(AND|OR|NOT|IN|IS)\b", "Write and, or, not, in and is in lower case."),
    (r"(?i)\blike\b", 'Write name.contains("text") or name.startswith("text") instead of LIKE.'),
    (r"(?<![=!<>:])=(?!=)", "Compare with == (two equals signs)."),
    (r"!(?!=)", "Write not instead of !."),
)
"""What people write out of habit from other languages, and what to write here."""


class Source:
    """One expression as the user wrote it."""

    def __init__(self, text: str) -> None:
        # Line breaks become spaces so that a long expression may be wrapped and every place is one column.
        self._shown = re.sub(r"[\r\n]", " ", text)
        self._text = self._shown.lstrip(" \t\f")
        self._indent = len(self._shown) - len(self._text)

    def tree(self) -> ast.expr:
        """Return Python's tree of the expression.

        Raises:
            SearchSyntaxError: it is not one expression in Python's syntax.
        """
        self._check_characters()
        self._refuse_comments()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # "\d" in a regular expression is meant as it stands
                return ast.parse(self._text, mode="eval").body
        except SyntaxError as exc:
            raise self._syntax_error(exc) from exc
        except (ValueError, MemoryError, RecursionError, OverflowError) as exc:
            pass_on(exc)
            raise self.error("The expression is nested too deeply to be read.", "Make it simpler.") from exc

    def slice(self, node: ast.expr) -> str:
        """Return the node's own text, cut to what a message can show."""
        # Offsets of nodes count UTF-8 bytes.
        text = self._text.encode()[node.col_offset : node.end_col_offset].decode()
        return text if len(text) <= 60 else f"{text[:57]}..."

    def error(self, why: str, fix: str, at: ast.expr | int = 0) -> SearchSyntaxError:
        """Return the error that points at a node, or at a column of the text as it was given."""
        if isinstance(at, int):
            column = at
        else:
            column = self._indent + len(self._text.encode()[: at.col_offset].decode())
        return SearchSyntaxError(
            expression=self._shown, column=min(column, len(self._shown)), why=why, fix=fix
        )

    def check_depth(self, node: ast.expr, depth: int) -> None:
        """Let a node pass that is not nested too deep.

        Raises:
            SearchSyntaxError: it is.
        """
        if depth > MAX_DEPTH:
            raise self.error(
                f"The expression is nested deeper than {MAX_DEPTH} levels.", "Make it simpler.", node
            )

    def _check_characters(self) -> None:
        if len(self._shown) > MAX_LENGTH:
            why = f"The expression has {len(self._shown)} characters; {MAX_LENGTH} is the limit."
            raise self.error(why, "Shorten it.", MAX_LENGTH)
        if not self._text:
            why = "The expression is empty."
            raise self.error(why, 'Write a condition such as metrics.loss < 0.1 or state == "failed"')
        for column, character in enumerate(self._shown):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                raise self.error(
                    f"The character {character!r} cannot stand in an expression.", "Remove it.", column
                )

    def _refuse_comments(self) -> None:
        # With line breaks gone, a comment would silently swallow all that follows it.
        if "#" not in self._text:
            return
        try:
            for token in tokenize.generate_tokens(io.StringIO(self._text).readline):
                if token.type == tokenize.COMMENT:
                    column = self._indent + token.start[1]
                    raise self.error("A comment cannot stand in an expression.", "Remove it.", column)
        except (tokenize.TokenError, SyntaxError):
            return  # not Python at all: the parser says so better

    def _syntax_error(self, exc: SyntaxError) -> SearchSyntaxError:
        why = "The expression cannot be read."
        word = re.search(rf"\b(params|metrics|tags)\.({'|'.join(keyword.kwlist)})\b", self._text)
        if word:
            fix = f'{word[2]!r} is a word of Python\'s own; write {word[1]}["{word[2]}"]'
            return self.error(why, fix, self._indent + word.start(2))
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: " " * len(quoted[0]), self._text)
        for pattern, fix in _HABITS:
            found = re.search(pattern, bare)
            if found:
                return self.error(why, fix, self._indent + found.start())
        # No offset: Python ran into the end.
        column = self._indent + (exc.offset - 1 if exc.offset else len(self._text))
        return self.error(
            f"The expression cannot be read: {exc.msg}.",
            'Write it as in Python: params.lr < 0.1 and state == "failed"',
            column,
        )
