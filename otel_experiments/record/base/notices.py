"""What a person should hear once, however often it is so: said in the log, once a process and text."""

from __future__ import annotations

from typing import Final

from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger

_said: Final[set[str]] = set()


def say_once(text: str) -> None:
    """Log a warning, unless this process has said the same before."""
    if text not in _said:
        _said.add(text)
        tell(logger, "%s", text)
