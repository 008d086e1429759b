"""Golden files on disk and the checks against them: what the pytest plugin and the command line share.

`load_golden` and `save_golden` read and write a file, `find_pending`, `accept` and `reject` review what waits,
`render` and `write_reports` show a comparison, `assert_trace` compares a run with a text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments._face import lazy_names

if TYPE_CHECKING:
    from otel_experiments.goldens.files import load_golden, save_golden
    from otel_experiments.goldens.inline import assert_trace
    from otel_experiments.goldens.paths import accept, find_goldens, find_pending, reject
    from otel_experiments.goldens.reports import render, write_reports

__all__ = [
    "accept",
    "assert_trace",
    "find_goldens",
    "find_pending",
    "load_golden",
    "reject",
    "render",
    "save_golden",
    "write_reports",
]

if not TYPE_CHECKING:  # a type checker that saw it would take every misspelt name for granted
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "accept": "paths",
            "assert_trace": "inline",
            "find_goldens": "paths",
            "find_pending": "paths",
            "load_golden": "files",
            "reject": "paths",
            "render": "reports",
            "save_golden": "files",
            "write_reports": "reports",
        },
    )
