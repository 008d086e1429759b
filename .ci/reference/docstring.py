"""Reads a docstring in Google's form: prose, then sections whose entries are `name: text`."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass, field
from typing import Final

SECTIONS: Final = ("Args", "Attributes", "Returns", "Yields", "Raises")
"""The sections that are read; a word such as `Shape:` or `Source:` begins a paragraph of the prose."""
_HEADING: Final = re.compile(rf"^({'|'.join(SECTIONS)}):$")
_ENTRY: Final = re.compile(r"^(?P<names>\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \([^)]*\))?:(?: (?P<text>.*))?$")


@dataclass(frozen=True, slots=True)
class Docstring:
    """What a docstring says.

    Attributes:
        prose: the paragraphs, each of one line, and blocks of code as they are written, with four blanks before each line.
        sections: by the name of the section, its entries: what each name of it means.
    """

    prose: tuple[str, ...] = ()
    sections: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first sentence or paragraph."""
        return self.prose[0] if self.prose else ""

    def entries(self, section: str) -> dict[str, str]:
        """Return what a section says of each name, without the stars before it; empty where there is no such section."""
        return self.sections.get(section, {})


def read_docstring(text: str | None) -> Docstring:
    """Return a docstring in its parts."""
    lines = inspect.cleandoc(text or "").split("\n")
    prose: list[str] = []
    sections: dict[str, list[str]] = {}
    into = prose
    for line in lines:
        heading = _HEADING.match(line)
        if heading:
            into = sections.setdefault(heading[1], [])
        elif into is not prose and line and not line.startswith(" "):
            into = prose  # a section ends where its indentation ends
            prose += ["", line]
        else:
            into.append(line)
    return Docstring(
        tuple(_paragraphs(prose)), {name: _entries(name, body) for name, body in sections.items()}
    )


def _paragraphs(lines: list[str]) -> list[str]:
    """Return prose with each paragraph on one line, and each block of code as one text."""
    found: list[str] = []
    is_open = False
    for line in lines:
        is_code = line.startswith("    ")
        if not line.strip():
            is_open = False
        elif is_code and found and found[-1].startswith("    "):
            found[-1] += ("\n" if is_open else "\n\n") + line
            is_open = True
        elif is_open and not is_code and not found[-1].startswith("    "):
            found[-1] += " " + line.strip()
        else:
            found.append(line)
            is_open = True
    return found


def _entries(section: str, lines: list[str]) -> dict[str, str]:
    """Return the entries of a section by name; lines that are indented further go on with the entry above."""
    if section in {"Returns", "Yields"}:
        return {"": " ".join(line.strip() for line in lines).strip()}
    found: dict[str, str] = {}
    names: list[str] = []
    for line in inspect.cleandoc("\n".join(["", *lines])).split("\n"):
        entry = _ENTRY.match(line)
        if entry:
            names = [name.lstrip("*") for name in entry["names"].split(", ")]
            found.update(dict.fromkeys(names, entry["text"] or ""))
        elif line.strip() and names:
            found.update({name: f"{found[name]} {line.strip()}".strip() for name in names})
    return found
