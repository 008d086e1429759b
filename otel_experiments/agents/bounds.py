"""Answers of a bounded size: what is too much is left out from the ends, and said."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from otel_experiments.codec.text import clean_text
from otel_experiments.errors import AgentAnswerTooLargeError

if TYPE_CHECKING:
    from otel_experiments.query.json_values import Plain

MOST_CHARS: Final = 40_000
"""Of an answer in JSON, some 10,000 tokens; clients warn of more, and cut it themselves."""
_STEPS: Final = ((4000, 500), (2000, 300), (1000, 150), (500, 80), (300, 40), (200, 20), (100, 10), (60, 5))
"""Characters a text may have, and items a list; the first step at which all fits is taken."""
_LEAST_KEYS: Final = 64
"""An object has at least so many keys before some are left out: those of our own shapes have fewer."""
_MOST_DEPTH: Final = 24
"""JSON that is deeper is shown as its text."""
_MOST_CUTS: Final = 12


@dataclass(slots=True)
class _Cutter:
    text_chars: int
    items: int
    cuts: list[Plain] = field(default_factory=list)

    def cut(self, value: Plain, at: str, depth: int = 0) -> Plain:
        if isinstance(value, str):
            return self._text(value, at)
        if depth > _MOST_DEPTH and isinstance(value, dict | list):
            return self._text(json.dumps(value, ensure_ascii=False), at)
        if isinstance(value, dict):
            most = max(self.items, _LEAST_KEYS)
            self._note(at, most, len(value), "keys")
            return {
                clean_text(key): self.cut(one, f"{at}.{key}" if at else key, depth + 1)
                for key, one in list(value.items())[:most]
            }
        if isinstance(value, list):
            self._note(at, self.items, len(value), "items")
            return [self.cut(one, f"{at}[{i}]", depth + 1) for i, one in enumerate(value[: self.items])]
        return value

    def _text(self, text: str, at: str) -> str:
        self._note(at, self.text_chars, len(text), "characters")
        return clean_text(text if len(text) <= self.text_chars else f"{text[: self.text_chars]}...")

    def _note(self, at: str, shown: int, of: int, unit: str) -> None:
        if of > shown:
            self.cuts.append({"at": clean_text(at[:200]), "shown": shown, "of": of, "unit": unit})


def fit(
    data: dict[str, Plain], *, tool: str, most_chars: int = MOST_CHARS
) -> tuple[dict[str, Plain], list[Plain]]:
    """Return the data with no more than so many characters of JSON, and what was left out of it.

    Args:
        data: what a tool found.
        tool: its name, for the error.
        most_chars: how many characters of JSON there may be.

    Raises:
        AgentAnswerTooLargeError: it is too much even with short texts and lists.
    """
    size = 0
    for text_chars, items in _STEPS:
        cutter = _Cutter(text_chars, items)
        shown = cutter.cut(data, "")
        assert isinstance(shown, dict)
        size = len(json.dumps(shown, ensure_ascii=False))
        if size <= most_chars:
            return shown, cutter.cuts[:_MOST_CUTS]
    raise AgentAnswerTooLargeError(tool=tool, size_chars=size, most_chars=most_chars)
