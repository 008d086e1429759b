"""The process in which tools work: a line of JSON comes in, a line of JSON goes out, until there is no more input.

It is a process, and not a thread of the server, because what is asked for may not be stopped otherwise: a regular expression holds
Python's lock for as long as it takes. It ends itself, too, should the server not be there any more to do so.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Final

from otel_experiments.agents.call import outcome
from otel_experiments.agents.place import Place
from otel_experiments.agents.tools.all import tools
from otel_experiments.model.store_location import StoreLocation

MODULE: Final = "otel_experiments.agents.worker"
GRACE_S: Final = 5.0
"""So much later than the server would a worker end itself."""
_MOST_MEMORY_BYTES: Final = 4 << 30
_LEAST_MEMORY_BYTES: Final = 1 << 30


def main() -> None:
    """Answer calls, one a line; the first line says where: it is no argument, since an address may hold a password."""
    out = os.dup(1)
    os.dup2(2, 1)  # whatever is printed goes to the log of the server, never among the answers
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which ends this process
    _bound_memory()
    told = json.loads(sys.stdin.buffer.readline())
    place = Place(StoreLocation.parse(told["store"]), Path(told["goldens"]) if told["goldens"] else None)
    known = tools(with_edits=True)  # the server refuses what is not allowed
    for line in sys.stdin.buffer:
        asked = json.loads(line)
        _end_later(told["limit_s"] + GRACE_S)
        found = outcome(known[asked["tool"]], asked["arguments"], place)
        _end_later(0)
        _write(out, json.dumps(found).encode() + b"\n")


def _write(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def _end_later(seconds: float) -> None:
    """Let the system end this process after so long, whatever it does then; 0 takes it back."""
    if sys.platform != "win32":
        signal.setitimer(signal.ITIMER_REAL, seconds)  # SIGALRM has no handler here, so it ends the process


def _bound_memory() -> None:
    if sys.platform != "win32":
        import resource  # noqa: PLC0415 - Windows has none

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        half = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        most = max(_LEAST_MEMORY_BYTES, min(_MOST_MEMORY_BYTES, half))
        resource.setrlimit(
            resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard)
        )


if __name__ == "__main__":
    main()
