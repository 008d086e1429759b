"""Where tools look: a store, opened anew for each call, and the folder of goldens."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_experiments._opening import open_reader
from otel_experiments.record.base.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from otel_experiments.model.store_location import StoreLocation
    from otel_experiments.query import Reader


@dataclass(frozen=True, slots=True)
class Place:
    """The store that tools read, and where goldens lie.

    A reader is opened for each call, so that an answer has all that was recorded until then, and a store that is made later is found.
    """

    location: StoreLocation
    goldens: Path | None = None

    def open(self) -> Reader:
        """Return a reader over the store; it is a context manager.

        Raises:
            StoreError: there is no store, or it cannot be read.
        """
        return open_reader(self.location, is_network=Settings.resolve().network_filesystem)
