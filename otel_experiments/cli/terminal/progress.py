"""How far a command is, on a terminal: a line on stderr that is gone at the end."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Progress:
    """A bar, drawn where stderr is a terminal and nobody asked for quiet; use it with `with`. `unit` is what is counted, such as `runs`."""

    def __init__(self, unit: str, *, is_quiet: bool = False) -> None:
        self._unit = unit
        self._bar = None
        if is_quiet or not sys.stderr.isatty():
            return
        from rich.console import Console  # noqa: PLC0415 - only on a terminal
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - as above
        from rich.progress import Progress as Bar  # noqa: PLC0415 - as above

        self._bar = Bar(
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}"),
            BarColumn(),
            TextColumn("{task.fields[items]:,} items"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task("", total=None, items=0, unit=unit, visible=False)
        self._bar.start()

    def show(self, done: float, total: float, items: int) -> None:
        """Show how much is done of how much, and how many items that were."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, items=items, visible=True)

    def counter(self, total: int) -> Callable[[int], None]:
        """Return what is called after each of so many with how many items there are so far."""
        done = 0

        def show(items: int) -> None:
            nonlocal done
            done += 1
            self.show(done, total, items)

        return show

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
