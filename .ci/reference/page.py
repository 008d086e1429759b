"""Writes `docs/reference/python.md`: every public name with its signature, what the caller gets, arguments and errors.

A name that several packages offer is described where it comes first; the others link there. Every name has an anchor that is its full
name: `python.md#otel_experiments.Run.log`.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from docstring import Docstring, read_docstring
from surface import Member, Name, parameters_of, public_names
from words import HOW_TO, PAGES_OF, SAME_EVERYWHERE

HEAD: Final = """\
# Python reference

<!-- Written by `python .ci/reference` from the docstrings: edit those. -->

Every public name with its signature, what you get, its arguments, and the errors that it raises on purpose.
[Python packages](api.md) says by task which name you need, and what stays as it is from release to release;
[Errors](errors.md) says when each error is raised and what to do.

Arguments after `*` are given by name. Recording never raises into your code
([errors](errors.md#when-nothing-is-raised)), so functions that record list no errors.
"""
_CODE: Final = re.compile(r"(`+[^`]*`+)")
_PLAIN_NAME: Final = re.compile(r"^`(?:ox\.|otel_experiments\.)?([A-Za-z_][\w.]*)(\([^`]*\))?`$")


def written_page() -> str:
    """Return the whole page."""
    return Page(list(public_names())).text()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a docstring is: a public name, and the arguments of the function, which words in backticks mean first."""

    name: Name
    given: frozenset[str] = frozenset()


class Page:
    """The page over all public names."""

    def __init__(self, names: list[Name]) -> None:
        self._names = names
        self._looked_in = list(dict.fromkeys(one.package for one in names))
        self._first: dict[int, Name] = {}
        for one in names:
            self._first.setdefault(id(one.value), one)
        self._anchors = {anchor: place for one in names for anchor, place in self._places(one)}

    def _places(self, one: Name) -> Iterator[tuple[str, str]]:
        """Yield the full names of a name and its members, each with the anchor of the place that describes it."""
        home = self._home(one)
        yield f"{one.package}.{one.name}", f"{home.package}.{home.name}"
        for member in () if _is_error(one) else one.member_names:
            yield f"{one.package}.{one.name}.{member}", f"{home.package}.{home.name}.{member}"

    def text(self) -> str:
        """Return the page."""
        packages = list(dict.fromkeys(one.package for one in self._names))
        parts = [HEAD, *self._contents(packages)]
        for package in packages:
            parts += self._package(package, [one for one in self._names if one.package == package])
        return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip("\n") + "\n"

    def _contents(self, packages: list[str]) -> Iterator[str]:
        yield "| package | is |\n|---|---|"
        for package in packages:
            about = read_docstring(importlib.import_module(package).__doc__).summary
            yield f"| [`{package}`](#{package}) | {_cell(about)} |"
        yield ""

    def _package(self, package: str, names: list[Name]) -> Iterator[str]:
        yield f'<a id="{package}"></a>\n\n## `{package}`\n'
        about = read_docstring(importlib.import_module(package).__doc__)
        yield from self._prose(about, Place(names[0]))
        if package in PAGES_OF:
            yield f"{PAGES_OF[package]}\n"
        if package == "otel_experiments.errors":
            yield from self._errors([one for one in names if _is_error(one)])
            names = [one for one in names if not _is_error(one)]
        yield "| name | |\n|---|---|"
        for one in names:
            at = self._home(one)
            yield f"| [`{one.name}`](#{at.package}.{at.name}) | {_cell(self._linked(_brief(one), Place(one)))} |"
        yield ""
        for one in names:
            if self._home(one) is one:
                yield from self._name(one)

    def _home(self, name: Name) -> Name:
        """Return where a name is described."""
        return self._first[id(name.value)]

    def _errors(self, names: list[Name]) -> Iterator[str]:
        yield "| error | when | facts |\n|---|---|---|"
        for one in names:
            anchor = f'<a id="{one.package}.{one.name}"></a>'
            facts = ", ".join(f"`{member}`" for member in one.member_names)
            yield f"| {anchor}`{one.name}` | {_cell(self._linked(' '.join(one.docstring.prose), Place(one)))} | {facts} |"
        yield ""

    def _name(self, one: Name) -> Iterator[str]:
        yield f'<a id="{one.package}.{one.name}"></a>\n\n### `{one.name}`\n'
        if one.is_function or one.is_made_by_users:
            yield _signature_block(one.signatures())
        place = Place(one, _given_to(one.value) if one.is_function or one.is_made_by_users else frozenset())
        yield from self._prose(one.docstring, place)
        if one.is_made_by_users:
            yield from self._prose(one.constructor, place)
        if one.is_function or one.is_made_by_users:
            yield from self._arguments(place)
        if one.is_class:
            yield from self._attributes(one)
            for member in one.members:
                if member.function is not None:
                    yield from self._method(one, member)
        how = HOW_TO.get(f"{one.package}.{one.name}".removeprefix("otel_experiments."))
        shown = f"Shown in [{how.partition('/')[2].removesuffix('.md')}](../{how}). " if how else ""
        yield f"{shown}Source: [`{one.path}`](../../{one.path})\n"

    def _method(self, owner: Name, member: Member) -> Iterator[str]:
        anchor = f"{owner.package}.{owner.name}.{member.name}"
        yield f'<a id="{anchor}"></a>\n\n#### `{owner.name}.{member.name}`\n'
        yield _signature_block(member.signatures())
        assert member.function is not None
        place = Place(owner, _given_to(member.function))
        yield from self._prose(member.docstring, place)
        given = [one.name for one in parameters_of(member.function)]
        yield from self._argument_table(given, member.docstring, member.meanings(), place)
        yield from self._results(member.docstring, place)

    def _arguments(self, place: Place) -> Iterator[str]:
        one = place.name
        said = one.docstring if one.is_function else merged(one.constructor, one.docstring)
        meanings = one.meanings()
        shown = {member.name for member in one.members} if one.is_class else set()
        given = [parameter.name for parameter in parameters_of(one.value)]
        yield from self._argument_table(
            [name for name in given if name in meanings or name not in shown], said, meanings, place
        )
        yield from self._results(said, place)

    def _argument_table(
        self, given: list[str], said: Docstring, meanings: dict[str, str], place: Place
    ) -> Iterator[str]:
        rows = [(name, meaning) for name in given if (meaning := meanings.get(name) or _same(name, said))]
        if rows:
            yield "| argument | |\n|---|---|"
            for name, meaning in rows:
                yield f"| `{name}` | {_cell(self._linked(meaning, place))} |"
            yield ""

    def _results(self, said: Docstring, place: Place) -> Iterator[str]:
        for section in ("Returns", "Yields"):
            for meaning in said.entries(section).values():
                yield f"{section}: {self._linked(meaning, place)}\n"
        if raised := said.entries("Raises"):
            yield "| raises | when |\n|---|---|"
            for name, meaning in raised.items():
                yield f"| {self._linked(f'`{name}`', place)} | {_cell(self._linked(meaning, place))} |"
            yield ""

    def _attributes(self, one: Name) -> Iterator[str]:
        found = [member for member in one.members if member.function is None]
        if found:
            yield "| attribute | type | |\n|---|---|---|"
        for member in found:
            anchor = f'<a id="{one.package}.{one.name}.{member.name}"></a>'
            kind = f"`{member.type_text}`" if member.type_text else ""
            meaning = self._linked(" ".join(member.docstring.prose), Place(one))
            yield f"| {anchor}`{member.name}` | {_cell(kind)} | {_cell(meaning)} |"
        if found:
            yield ""

    def _prose(self, said: Docstring, place: Place) -> Iterator[str]:
        for paragraph in said.prose:
            if paragraph.startswith("    "):
                yield "```text\n" + re.sub(r"^ {4}", "", paragraph, flags=re.MULTILINE) + "\n```\n"
            else:
                yield self._linked(paragraph, place) + "\n"

    def _linked(self, text: str, place: Place) -> str:
        """Return prose for Markdown: names in backticks that are on the page become links, other code stays as it is."""
        parts = _CODE.split(text)
        return "".join(
            self._link(part, place) if index % 2 else re.sub(r"([<*\[])", r"\\\1", part)
            for index, part in enumerate(parts)
        )

    def _link(self, code: str, place: Place) -> str:
        found = _PLAIN_NAME.match(code)
        anchor = found and self._anchor_of(found[1], place)
        return f"[{code}](#{anchor})" if anchor else code

    def _anchor_of(self, name: str, place: Place) -> str:
        """Return the anchor of what a name means in the docstring of another; empty where it means nothing public."""
        if name == place.name.name or name in place.given:
            return ""
        meant = re.sub(r"^run\.", "Run.", name)
        for before in (f"{place.name.package}.{place.name.name}", place.name.package, *self._looked_in):
            if (anchor := f"{before}.{meant}") in self._anchors:
                return self._anchors[anchor]
        return ""


def merged(first: Docstring, second: Docstring) -> Docstring:
    """Return the sections of two docstrings; what the first says wins."""
    names = {*first.sections, *second.sections}
    return Docstring((), {name: {**second.entries(name), **first.entries(name)} for name in sorted(names)})


def _given_to(function: Callable[..., object]) -> frozenset[str]:
    return frozenset(one.name for one in parameters_of(function))


def _is_error(one: Name) -> bool:
    return one.is_class and issubclass(one.value, BaseException)


def _same(name: str, said: Docstring) -> str:
    """Return what an argument means that means the same everywhere, unless the prose says it."""
    if any(f"`{name}`" in paragraph for paragraph in said.prose):
        return ""
    return SAME_EVERYWHERE.get(name, "")


def _brief(one: Name) -> str:
    """Return the first sentence of what is said of a name."""
    return re.split(r"(?<=[.:;]) ", one.docstring.summary, maxsplit=1)[0].rstrip(":;")


def _cell(text: str) -> str:
    """Return a text for a cell of a table."""
    return text.replace("|", r"\|").replace("\n", " ")


def _signature_block(signatures: list[str]) -> str:
    return "```python signature\n" + "\n".join(signatures) + "\n```\n"
