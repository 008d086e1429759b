"""A page of what is stored of a run, as it is read to be sent later."""

from __future__ import annotations

from dataclasses import dataclass

from otel_experiments.model.batch import WriteBatch


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A part of what is stored of one signal of a run.

    Attributes:
        batch: the items.
        until_ns: items that are earlier were in this page or in those before it.
    """

    batch: WriteBatch
    until_ns: int
