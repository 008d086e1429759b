"""Keeps gRPC's fork handlers off in a process in which nobody asked for them.

gRPC's core registers handlers that prepare its threads for a fork, though the Python package supports forks only where
`GRPC_ENABLE_FORK_SUPPORT` is set. While a request is under way they fail in the child: beside an endpoint that never
answers a third of the children were aborted (`Check failed: next_worker->state == KICKED`, grpcio 1.85). A child of
ours sends nothing, so it needs none of them. gRPC reads the variable when it is first used, so it is set for that moment
only, and never where the program has set it. Source: gRPC, doc/fork_support.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

VARIABLE: Final = "GRPC_ENABLE_FORK_SUPPORT"


@contextmanager
def without_fork_handlers() -> Iterator[None]:
    """Let gRPC be imported and used for the first time inside; its fork handlers stay off after that."""
    if VARIABLE in os.environ:
        yield
        return
    os.environ[VARIABLE] = "false"
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)
