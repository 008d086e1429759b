"""What is recorded of an exception of the user's, whatever its `__str__` does."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Final

from otel_experiments.codec.text import text_of
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

EXCEPTION_EVENT: Final = "exception"


def error_type(error: BaseException) -> str:
    """Return the class of an exception as attributes, events and rows have it: with its module, if it is no built-in."""
    kind = type(error)
    is_builtin = not kind.__module__ or kind.__module__ == "builtins"
    return kind.__qualname__ if is_builtin else f"{kind.__module__}.{kind.__qualname__}"


def exception_attributes(exception: BaseException) -> dict[str, AttributeValue]:
    """Return what the event of an exception says."""
    return {
        attr.EXCEPTION_TYPE: error_type(exception),
        attr.EXCEPTION_MESSAGE: text_of(exception),
        attr.EXCEPTION_STACKTRACE: "".join(traceback.format_exception(exception)),
    }
