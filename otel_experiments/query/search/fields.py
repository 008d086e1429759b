"""Fields in a search expression, and what is said about what is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from otel_experiments.query.search.path import path_of

if TYPE_CHECKING:
    from otel_experiments.errors import SearchSyntaxError
    from otel_experiments.model.search import SearchField
    from otel_experiments.query.search.source import Source
    from otel_experiments.query.search.subject import Subject


class FieldReader:
    """Reads the fields of one expression.

    Args:
        source: the expression.
        subject: what is searched.
        meant: returns the recorded field that a word may mean which is none.
    """

    def __init__(self, source: Source, subject: Subject, meant: Callable[[str], str] | None) -> None:
        self._source = source
        self._subject = subject
        self._meant = meant

    def read(self, node: ast.expr) -> SearchField:
        """Return the field that the node names; anything else is refused with the nearest right spelling.

        Raises:
            SearchSyntaxError: it names none.
        """
        path = path_of(self._source, node)
        if path is None:
            raise self._not_a_field(node)
        found = self._subject.field(self._source, path)
        if found is None:
            raise self._unknown_word(path.root)
        return found

    def name_with_signs(self, node: ast.BinOp) -> str:
        """Return how a name is written that Python reads as a calculation; empty where the node is none.

        `val/acc` is one: a word of it is no field, and no number, and there are no blanks.
        """
        words = [one for one in ast.walk(node) if isinstance(one, ast.Name)]
        if all(self._subject.knows(one.id) for one in words) or not words:
            return ""
        return self._quoted(self._source.slice(node))

    def _quoted(self, text: str) -> str:
        namespaces = [*self._subject.namespaces, *self._subject.aliases]
        stats = [stat for those in self._subject.stats.values() for stat in those]
        found = re.fullmatch(
            rf"-?(?:({'|'.join(namespaces) or '(?!)'})\.)?([^\W\d][\w./-]*?)(\.(?:{'|'.join(stats) or '(?!)'}))?",
            text,
        )
        if found is None:
            return ""
        namespace, name, stat = found[1], found[2], found[3] or ""
        if namespace is None:
            keyed = list(self._subject.namespaces)[:2]
            return " or ".join(
                f'{one}["{name}"]{stat}' if one in self._subject.stats else f'{one}["{name}{stat}"]'
                for one in sorted(keyed)
            )
        if namespace in self._subject.stats:
            return f'{namespace}["{name}"]{stat}'
        return f'{namespace}["{name}{stat}"]'

    def _unknown_word(self, node: ast.Name) -> SearchSyntaxError:
        known = self._subject.elsewhere.get(node.id.lower())
        stored = "" if known or self._meant is None else self._meant(node.id)
        return self._source.error(
            f"There is no field {node.id!r}.", self._subject.hint(node.id, stored), node
        )

    def _not_a_field(self, node: ast.expr) -> SearchSyntaxError:
        if isinstance(node, ast.BinOp):
            quoted = self.name_with_signs(node)
            fix = f"A name with a sign in it is quoted: {quoted}" if quoted else "Name one field here."
            return self._source.error("A calculation is not a field.", fix, node)
        return self._source.error(
            "Here a field is expected.",
            'Write one such as metrics.loss.min, params["optim.lr"] or state',
            node,
        )
