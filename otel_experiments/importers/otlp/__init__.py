"""OTLP requests made into runs, whoever sent them: our SDK, another language's, a Collector."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from otel_experiments.model.batch import Unpack, WriteBatch


def unpack(batch: WriteBatch, *, store: Path | None = None) -> list[str]:
    """Turn the requests that a batch received into runs, spans, points and so on of the same batch.

    What cannot be read costs its own item only, or its request where it is no OTLP, and is returned, one text a request.
    `store` is the file beside which a mapping for telemetry of others may lie.
    """
    # Readers and recorders are given this function, and few of them ever meet a request: protobuf is not for the others.
    from otel_experiments.importers.otlp.requests import unpack_requests  # noqa: PLC0415 - as above

    return unpack_requests(batch, store)


def unpack_for(store: Path | None) -> Unpack:
    """Return `unpack` for what goes into the store in this file; None for a store that is no file."""
    return partial(unpack, store=store)
