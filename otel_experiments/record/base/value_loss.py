"""What is said of a value that is not kept exactly: an attribute's, a param's, an event's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from otel_experiments.codec.plain import ITEMS_CUT, KEPT_AS_TEXT, KEY_TWICE, TEXT_CUT, OnLoss
from otel_experiments.codec.text import shown, text_of

Tell = Callable[[str, str, str], None]
"""Takes the kind of what was not kept exactly, its name, and what happened."""
NAME_TWICE: Final = "attribute name"


def tell_nobody(kind: str, name: str, what: str) -> None:
    """Take what is told, and do nothing."""


def told_of(name: object, tell: Tell, *, subject: str, name_twice: str = NAME_TWICE) -> OnLoss:
    """Return what tells of losses in the value of that name.

    `subject` is how a sentence about it begins, as in "The attribute", and `name_twice` the kind of loss where two keys
    inside have one text.
    """

    def on_loss(kind: str, value: object, why: str) -> None:
        if kind == KEPT_AS_TEXT:
            what = f"{subject} {shown(name)}, of type {type(value).__name__}, {why}; it is kept as a text"
            tell(kind, text_of(name), what)
        elif kind == ITEMS_CUT:
            tell(TEXT_CUT, text_of(name), f"{subject} {shown(name)} {why}")
        elif kind == KEY_TWICE:
            tell(name_twice, text_of(name), f"Two keys in {shown(name)} {why}")
        else:
            tell(kind, text_of(name), f"The text of {shown(name)} {why}")

    return on_loss
