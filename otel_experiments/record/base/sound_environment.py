"""An environment that OpenTelemetry's SDK can be imported and used in, whatever was set for other programs.

The SDK reads some variables when it is imported, and some when a provider is made, and raises where they hold what it
cannot use. Such a variable is taken out of the environment for that moment, told once, and put back: the program's
children see what they would have seen. An environment without one is left alone.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from otel_experiments.process.fork import at_fork

_COUNTS: Final = tuple(
    f"OTEL_{what}_LIMIT"
    for what in (
        "ATTRIBUTE_COUNT",
        "ATTRIBUTE_VALUE_LENGTH",
        "SPAN_ATTRIBUTE_COUNT",
        "SPAN_ATTRIBUTE_VALUE_LENGTH",
        "SPAN_EVENT_COUNT",
        "SPAN_LINK_COUNT",
        "EVENT_ATTRIBUTE_COUNT",
        "LINK_ATTRIBUTE_COUNT",
        "LOGRECORD_ATTRIBUTE_COUNT",
        "LOGRECORD_ATTRIBUTE_VALUE_LENGTH",
    )
)
_PROVIDERS: Final = ("tracer_provider", "meter_provider", "logger_provider")
_lock = threading.RLock()


def _reset_in_child() -> None:
    global _lock  # noqa: PLW0603 - another thread may have held it at the fork
    _lock = threading.RLock()


at_fork(after_in_child=_reset_in_child)


def unusable_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that would make the SDK raise, each with the reason."""
    found: dict[str, str] = {}
    for variable in _COUNTS:
        text = environ.get(variable)
        if text is not None and not _is_count(text):
            found[variable] = "it is no number from zero on"
    for provider in _PROVIDERS:
        variable = f"OTEL_PYTHON_{provider.upper()}"
        name = environ.get(variable)
        if name is not None and not _is_installed(f"opentelemetry_{provider}", name):
            found[variable] = "no package that is installed has a provider of that name"
    return found


def _is_count(text: str) -> bool:
    try:
        return not text.strip() or 0 <= int(text) < 1 << 63
    except ValueError:
        return False


def _is_installed(group: str, name: str) -> bool:
    from importlib.metadata import entry_points  # noqa: PLC0415 - only where somebody names a provider

    return bool(entry_points(group=group, name=name))


@contextmanager
def sound_environment(*, is_told: bool = True) -> Iterator[None]:
    """Take out of the environment, for as long as the block lasts, what would make the SDK raise."""
    if not unusable_variables(os.environ):
        yield
        return
    with _lock:
        hidden: dict[str, str] = {}
        for variable, why in unusable_variables(os.environ).items():
            hidden[variable] = os.environ.pop(variable)
            if is_told:
                from otel_experiments.record.base.notices import say_once  # noqa: PLC0415 - readers do without, 6 ms

                say_once(
                    f"{variable}={hidden[variable]!r:.200} cannot be used: {why}. It is not heeded. Correct or unset it."
                )
        try:
            yield
        finally:
            for variable, text in hidden.items():
                os.environ.setdefault(variable, text)


def import_sdk() -> None:
    """Import the part of the SDK that raises at import, if it would; else leave that to whoever needs it."""
    if unusable_variables(os.environ):
        with sound_environment(is_told=False):
            import opentelemetry.sdk.trace  # noqa: F401, PLC0415 - here it can be imported
