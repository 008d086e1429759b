"""What a search looks for (runs, spans, ...), as the names of its fields.

A subject is all that the parser knows of it: the words that name a field alone (`state`), the words that something
follows (`params.lr`, `metrics["loss"].min`), and what other programs call them. The fields themselves, what they are compared
with (`value.py`) and their text (`text.py`) are the same for every subject.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from otel_experiments.errors import SearchSyntaxError
    from otel_experiments.model.search import SearchField
    from otel_experiments.query.search.path import Path
    from otel_experiments.query.search.source import Source

FUNCTIONS: Final = ("isnan", "exists")
METHODS: Final = ("contains", "startswith", "endswith", "matches")


class Namespace(Protocol):
    """A word that something follows: `params`, `metrics`, `tags`."""

    def field(self, source: Source, path: Path) -> SearchField:
        """Return the field that the path names.

        Raises:
            SearchSyntaxError: it names none.
        """
        ...

    def keyed(self, source: Source, key: str, node: ast.expr) -> SearchField:
        """Return what `"key" in params` asks for.

        Raises:
            SearchSyntaxError: there can be no such key.
        """
        ...


@dataclass(frozen=True, slots=True)
class Keyed:
    """A namespace of names with dots in them, each of which is a field.

    Attributes:
        name: the word.
        make: makes the field of a key.
    """

    name: str
    make: Callable[[str], SearchField]

    def field(self, source: Source, path: Path) -> SearchField:
        """Return the field whose key is the names of the path, joined by dots."""
        if not path.parts:
            raise needs_name(source, self.name, path.root)
        return self.keyed(source, ".".join(part.plain(source) for part in path.parts), path.root)

    def keyed(self, source: Source, key: str, node: ast.expr) -> SearchField:
        """Return the field of a key."""
        if not key:
            raise source.error(
                f"{self.name} needs a name that is not empty.", f'Write {self.name}["x"]', node
            )
        return self.make(key)


def needs_name(source: Source, name: str, node: ast.Name) -> SearchSyntaxError:
    """Return the error for a namespace that stands alone."""
    return source.error(f"{node.id} needs a name.", f'Write {name}.x or {name}["x"]', node)


@dataclass(frozen=True, slots=True)
class Subject:
    """What one kind of search can ask for.

    Attributes:
        noun: one of what is searched, for messages: `run`.
        fields: by name, the fields that a word alone names.
        namespaces: by name, the words that something follows. A word may be both.
        aliases: other words for a field or a namespace, which mean one thing only.
        elsewhere: what other programs call a field, and what it is here; only for messages.
        stats: by namespace, what may follow the name of one of its fields, as `.min` does.
        suggests: returns what to write for a name that is no field and like none.
    """

    noun: str
    fields: Mapping[str, SearchField]
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    stats: Mapping[str, Sequence[str]] = field(default_factory=dict)
    suggests: Callable[[str], str] = str

    def namespace(self, node: ast.expr) -> Namespace | None:
        """Return the namespace that a word alone names, if it is one."""
        return self.namespaces.get(self._meant(node.id)) if isinstance(node, ast.Name) else None

    def knows(self, word: str) -> bool:
        """Tell whether a field may begin with the word."""
        return self._meant(word) in {*self.fields, *self.namespaces}

    def field(self, source: Source, path: Path) -> SearchField | None:
        """Return the field that a path names; None where its first word is none of this subject's.

        Raises:
            SearchSyntaxError: its first word is one, and what follows is not.
        """
        name = self._meant(path.root.id)
        alone = self.fields.get(name)
        if alone is not None and not path.parts:
            return alone
        if name in self.namespaces:
            return self.namespaces[name].field(source, path)
        if alone is not None:
            raise source.error(
                f"{path.root.id} has no parts.", f"Write {path.root.id} alone.", path.parts[0].node
            )
        return None

    def hint(self, word: str, stored: str = "") -> str:
        """Return what to write for a word that is no field; `stored` is a field that is recorded and may be meant."""
        known = self.elsewhere.get(word.lower())
        if known:
            return f"Here it is called {known}. "
        if stored:
            return f"Did you mean {stored}? "
        names = [*self.fields, *self.namespaces, *FUNCTIONS, "True", "False", "None"]
        there = f"of a {self.noun} there are: {', '.join(self.fields)}"
        suggested = self.suggests(word)
        return suggest(word, names) or (f"{suggested}; {there}" if suggested else there.capitalize())

    def _meant(self, word: str) -> str:
        return self.aliases.get(word, word)


def suggest(name: str, known: Sequence[str]) -> str:
    """Return a sentence with the known name that is most like this one; empty where none is like it."""
    close = closest(name, known)
    return f"Did you mean {close}? " if close else ""
