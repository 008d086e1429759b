"""What a run did not keep as it was given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """How many items of a kind and name a run lost or changed; `name` is empty where they have none."""

    kind: str
    name: str
    count: int
