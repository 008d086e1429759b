"""Stepping through pending goldens at the end of a session."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from otel_experiments.goldens.review import review_pending


def review_in_terminal(config: pytest.Config, pending: Sequence[Path]) -> None:
    """Ask about each pending golden, with the terminal given back by pytest's capture for so long."""
    if not pending:
        return
    manager = config.pluginmanager.getplugin("capturemanager")
    if manager is not None:
        manager.suspend_global_capture(in_=True)
    try:
        if _is_interactive():
            review_pending(pending, ask=input, say=print)
    finally:
        if manager is not None:
            manager.resume_global_capture()


def _is_interactive() -> bool:
    """Tell whether somebody can answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()
