"""How an expression names a field: a word, and what follows it after dots and in brackets."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.query.search.source import Source


@dataclass(frozen=True, slots=True)
class Part:
    """One step after the first word: `.min`, `["val/acc"]`, or `["loss", "validation"]` with a phase."""

    name: str
    node: ast.expr
    phase: str | None = None

    @property
    def is_attribute(self) -> bool:
        """Whether it stands after a dot."""
        return isinstance(self.node, ast.Attribute)

    def plain(self, source: Source) -> str:
        """Return the name.

        Raises:
            SearchSyntaxError: there is a phase beside it.
        """
        if self.phase is not None:
            raise source.error("Only metrics have a phase.", f'Write one name: ["{self.name}"]', self.node)
        return self.name


@dataclass(frozen=True, slots=True)
class Path:
    """The first word of a field and the steps after it."""

    root: ast.Name
    parts: tuple[Part, ...]


def path_of(source: Source, node: ast.expr) -> Path | None:
    """Return how the node names a field; None where it names none at all.

    Raises:
        SearchSyntaxError: what stands in brackets is no name.
    """
    parts: list[Part] = []
    root = node
    while isinstance(root, ast.Attribute | ast.Subscript):
        parts.append(_part(source, root))
        root = root.value
    return Path(root, tuple(reversed(parts))) if isinstance(root, ast.Name) else None


def _part(source: Source, node: ast.Attribute | ast.Subscript) -> Part:
    match node:
        case ast.Attribute(_, name):
            return Part(name, node)
        case ast.Subscript(_, ast.Constant(str() as name)):
            return Part(name, node)
        case ast.Subscript(_, ast.Tuple([ast.Constant(str() as name), ast.Constant(str() as phase)])):
            return Part(name, node, phase)
    raise source.error(
        "A name in brackets is text.",
        'Write params["lr"], or metrics["loss", "validation"] with a phase.',
        node,
    )
