"""One setting of ours, and the one that readers of stores need; `record/base/settings.py` has the table of all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from otel_experiments.errors import ConfigurationError

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class Setting(NamedTuple):
    """One row of the table: the environment variable, how its text is read, the default, a sentence."""

    variable: str
    parse: Callable[[str], object]
    default: object
    brief: str

    def read(self, environ: Mapping[str, str]) -> object:
        """Return what the environment says; the default where it says nothing.

        Raises:
            ConfigurationError: the text cannot be used.
        """
        text = environ.get(self.variable)
        if not text:
            return self.default
        try:
            return self.parse(text)
        except ValueError as error:
            raise ConfigurationError(
                f"{self.variable}={text!r} cannot be used: {error}.\n  {self.brief}"
            ) from None


def boolean(text: str) -> bool:
    """Return what a word for true or false means."""
    lowered = text.strip().lower()
    if lowered in _TRUE | _FALSE:
        return lowered in _TRUE
    raise ValueError("it is neither true nor false")


NETWORK_FILESYSTEM: Final = Setting(
    "OTEL_EXPERIMENTS_NETWORK_FILESYSTEM",
    boolean,
    None,
    "Whether the store lies on a network filesystem, where only journals are written; found out by default.",
)
