"""The run of `otel-experiments run`, which the first run of the command goes on with.

The offer is a file that the command's processes learn of by a variable. Whoever removes it has the run: of all processes,
however they were started, the system lets one do so.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from otel_experiments.process.interruption import is_interruption
from otel_experiments.process.paths import is_there
from otel_experiments.record.base.propagation import OFFER_VARIABLE

_RUN_ID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class OfferedRun:
    """What the process that takes the run has to know of it.

    `store` is the path of its store. `started_from` is the `TRACEPARENT` that `otel-experiments run` was started with
    itself; empty without one.
    """

    store: str
    run_id: str
    root_span_id: str
    name: str
    experiment: str
    parent_run_id: str | None = None
    started_from: str = ""


class Offer:
    """The offer of a run, as the process that makes it sees it; `path` is its file."""

    def __init__(self, path: Path, run: OfferedRun) -> None:
        self.path = path
        path.write_text(json.dumps(asdict(run)))

    @property
    def is_taken(self) -> bool:
        """Whether a process has taken the run."""
        return not is_there(self.path)

    def withdraw(self) -> bool:
        """Let nobody take the run any more; False where somebody has."""
        try:
            self.path.unlink()
        except OSError as error:
            if is_interruption(error):
                raise
            return False
        return True


def take_offered(
    environ: Mapping[str, str], *, store: Path | None, leaves: bool = False
) -> OfferedRun | None:
    """Take the run that `environ` offers; None where it offers none of this store, or another process was first.

    `leaves`: it goes on with another run, so that no later run is the first one, and none takes the offer.
    """
    path = environ.get(OFFER_VARIABLE)
    if not path:
        return None
    try:
        told = json.loads(Path(path).read_text())
        offered = OfferedRun(**told)
        if offered.store != str(store) or _RUN_ID.fullmatch(offered.run_id) is None:
            return None
        if leaves:
            os.truncate(path, 0)
            return None
        os.unlink(path)  # noqa: PTH108 - the one call that says who was first
    except (OSError, ValueError, TypeError) as error:  # it is gone, or no file of ours
        if is_interruption(error):
            raise
        return None
    return offered
