"""Values of params and tags within their limits; what is not kept exactly is told.

Numbers, texts, booleans, None, lists and mappings of them are kept exactly. How other values become such is in
`codec/plain.py`.
"""

from __future__ import annotations

from otel_experiments.codec.plain import PARAM_LIMITS, TEXT_CHANGED, Plainer, bounded_text
from otel_experiments.codec.text import clean_text, shown
from otel_experiments.model.run import ParamValue
from otel_experiments.record.base.value_loss import Tell, told_of


def param_value(value: object, name: str, tell: Tell, above: tuple[int, ...] = ()) -> ParamValue:
    """Return the value of a param as a str, bool, int, float, None, list or (inside lists) mapping.

    `above` are the ids of what the value is in: what holds itself is not followed.
    """
    on_loss = told_of(name, tell, subject="The value of", name_twice="param name")
    return Plainer(PARAM_LIMITS, on_loss).of(value, above)


def kept_tag(text: str, name: str, tell: Tell) -> str:
    """Return the text of a tag as it is recorded: as UTF-8 can carry it, without NUL, of bounded length."""
    cleaned = clean_text(text)
    if cleaned != text:
        tell(
            TEXT_CHANGED, name, f"The text of {shown(name)} is no valid Unicode; `?` is kept for what is not"
        )
    return bounded_text(cleaned, PARAM_LIMITS, told_of(name, tell, subject="The tag"))
