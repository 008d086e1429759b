"""Small wrong changes to a module: one comparison, operator, constant or statement at a time.

It refuses places where a change means nothing to a test: annotations, docstrings, `assert`, `if TYPE_CHECKING`,
decorators, texts made for `repr()`, calls of a logger, `__all__` and `__slots__`.
"""

from __future__ import annotations

import ast
import io
import itertools
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeGuard

FLIPPED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
FLIPPED |= {"in": "not in", "not in": "in", "is": "is not", "is not": "is"}
SWAPPED = {"and": "or", "or": "and", "+": "-", "-": "+", "+=": "-=", "-=": "+="}
SILENT_FUNCTIONS = frozenset({"__repr__", "__str__", "__rich_repr__", "__del__"})
LOGGING_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical", "log"})
LOGGERS = re.compile(r"_?log(ger|ging)?|_LOG(GER)?", re.IGNORECASE)
TEXT_NAMES = frozenset({"__all__", "__slots__", "__match_args__"})
UNTESTED_FIELDS = frozenset({"annotation", "returns", "type_params", "bases", "decorator_list"})
Place = tuple[int, int]
"""A line, from 1, and an offset in its UTF-8 bytes, as `ast` counts."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A module with one wrong change."""

    path: PurePosixPath
    """The module, relative to the checkout."""
    line: int
    scope: str
    """The function or class that holds the change, with dots; empty at the top of the module."""
    operator: str
    before: str
    """The changed line as it is, without indentation."""
    after: str
    changed: str = field(repr=False, compare=False)
    """The text of the whole changed module."""

    @property
    def key(self) -> str:
        """The change without its line number and folder, so that it stays when code moves."""
        return f"{self.path.name} {self.scope or '-'} | {self.before} => {self.after}"


def mutants_of(path: PurePosixPath, text: str, lines: set[int] | None = None) -> list[Mutant]:
    """Return every mutant of a module whose change begins in one of `lines` (None: any line), in their order."""
    module = _Module(path, text)
    found = list(module.mutants(module.tree, ""))
    return sorted(
        (mutant for mutant in found if lines is None or mutant.line in lines),
        key=lambda mutant: (mutant.line, mutant.operator, mutant.after),
    )


def read_mutants(root: Path, path: PurePosixPath, lines: set[int] | None) -> list[Mutant]:
    """Return the mutants of a module, as it is on disk."""
    return mutants_of(path, (root / path).read_text(encoding="utf-8"), lines)


class _Module:
    """A parsed module and what is needed to replace a part of its text."""

    def __init__(self, path: PurePosixPath, text: str) -> None:
        self.path = path
        self.tree = ast.parse(text)
        self._last: ast.stmt | None = None
        """The last statement of a function, where it returns None, as it would without it."""
        self._lines = [line.encode() for line in text.splitlines(keepends=True)]
        self._tokens = [
            token
            for token in tokenize.generate_tokens(io.StringIO(text).readline)
            if token.type in {tokenize.OP, tokenize.NAME}
        ]

    def mutants(self, node: ast.AST, scope: str) -> Iterator[Mutant]:
        """Yield the mutants of a node and of all below it."""
        if _is_silent(node):
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            scope = f"{scope}.{node.name}" if scope else node.name
            self._last = node.body[-1] if ast.unparse(node.body[-1]) == "return None" else None
        yield from self._mutants_here(node, scope)
        if not isinstance(node, ast.Module | ast.Lambda | ast.IfExp):
            yield from self._without_statements(node, scope)
        for name, value in ast.iter_fields(node):
            if name in UNTESTED_FIELDS or (name == "keywords" and isinstance(node, ast.ClassDef)):
                continue
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    yield from self.mutants(child, scope)

    def _mutants_here(self, node: ast.AST, scope: str) -> Iterator[Mutant]:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, right in itertools.pairwise(sides):
                yield from self._swap(_end(left), _start(right), FLIPPED, scope, "comparison")
        elif isinstance(node, ast.BoolOp):
            for left, right in itertools.pairwise(node.values):
                yield from self._swap(_end(left), _start(right), SWAPPED, scope, "and/or")
        elif isinstance(node, ast.BinOp) and not (_is_text(node.left) or _is_text(node.right)):
            yield from self._swap(_end(node.left), _start(node.right), SWAPPED, scope, "+/-")
        elif isinstance(node, ast.AugAssign) and not _is_text(node.value):
            yield from self._swap(_end(node.target), _start(node.value), SWAPPED, scope, "+/-")
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            line, column = _start(node)
            rest = self._lines[line - 1][column:].removeprefix(b"not")
            width = len("not") + len(rest) - len(rest.lstrip())
            yield self._replace((line, column), (line, column + width), "", scope, "not removed")
        elif isinstance(node, ast.Constant) and _is_number(node.value):
            yield self._replace(_start(node), _end(node), repr(node.value + 1), scope, "constant + 1")

    def _swap(
        self, start: Place, end: Place, table: dict[str, str], scope: str, operator: str
    ) -> Iterator[Mutant]:
        """Yield the mutant whose operator between two operands is another one; none if the table lacks it."""
        between = [token for token in self._tokens if start <= self._place(token.start) < end]
        words = [token for token in between if token.string not in "()"]
        text = " ".join(token.string for token in words)
        if text in table:
            yield self._replace(
                self._place(words[0].start), self._place(words[-1].end), table[text], scope, operator
            )

    def _without_statements(self, node: ast.AST, scope: str) -> Iterator[Mutant]:
        """Yield the mutants that lack one statement of the blocks of a node."""
        for name in ("body", "orelse", "finalbody"):
            block: list[ast.stmt] = getattr(node, name, [])
            for statement in block:
                if statement is not self._last and _can_be_dropped(statement) and not _is_silent(statement):
                    yield self._replace(
                        _start(statement), _end(statement), "pass", scope, "statement dropped"
                    )

    def _place(self, position: tuple[int, int]) -> Place:
        """Return a position of `tokenize`, which counts characters, as one of `ast`, which counts bytes."""
        line, column = position
        return line, len(self._lines[line - 1].decode()[:column].encode())

    def _replace(self, start: Place, end: Place, new: str, scope: str, operator: str) -> Mutant:
        (first, begin), (last, stop) = start, end
        head, tail = self._lines[first - 1][:begin], self._lines[last - 1][stop:]
        # The lines below stay where they are: a test that reads a traceback sees no other change.
        blank = b"\n" * (last - first)
        changed = [*self._lines[: first - 1], head + new.encode() + tail + blank, *self._lines[last:]]
        return Mutant(
            self.path,
            first,
            scope,
            operator,
            self._lines[first - 1].decode().strip(),
            (head + new.encode() + tail).decode().strip(),
            b"".join(changed).decode(),
        )


def _start(node: ast.expr | ast.stmt) -> Place:
    return node.lineno, node.col_offset


def _end(node: ast.expr | ast.stmt) -> Place:
    return node.end_lineno or node.lineno, node.end_col_offset or node.col_offset


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_text(node: ast.expr) -> bool:
    """Return whether an operand is surely a text, a list or a tuple, which know no `-`."""
    if isinstance(node, ast.BinOp):
        return _is_text(node.left) or _is_text(node.right)
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple | ast.ListComp) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _is_logging(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LOGGING_METHODS
        and LOGGERS.fullmatch(_name(node.func.value)) is not None
    )


def _is_silent(node: ast.AST) -> bool:
    """Return whether no change below this node is worth a test."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name in SILENT_FUNCTIONS or any(_name(each) == "overload" for each in node.decorator_list)
    if isinstance(node, ast.If):
        return _name(node.test) == "TYPE_CHECKING"
    if isinstance(node, ast.Assign):
        return any(_name(target) in TEXT_NAMES for target in node.targets)
    if isinstance(node, ast.Subscript):
        return _name(node.value) in {"Literal", "Annotated", "Callable"}
    if isinstance(node, ast.Expr):
        return _is_logging(node.value)
    return isinstance(node, ast.Assert | ast.Import | ast.ImportFrom | ast.JoinedStr)


def _can_be_dropped(statement: ast.stmt) -> bool:
    """Return whether a statement does something and the module still makes sense without it.

    A name that is only bound here would be a NameError later, which any test catches.
    """
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Await | ast.Yield | ast.YieldFrom)
    if isinstance(statement, ast.Assign):
        return all(isinstance(target, ast.Attribute | ast.Subscript) for target in statement.targets)
    if isinstance(statement, ast.Return):
        return statement.value is not None
    return isinstance(statement, ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete)
