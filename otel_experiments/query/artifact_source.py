"""Where what is known of artifacts comes from: the store, the places that have the bytes, and the runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from otel_experiments.model.store_location import StoreLocation
from otel_experiments.store.location import open_blobs

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Blobs
    from otel_experiments.model.run import RunState
    from otel_experiments.store import Store


class LinkedRun(Protocol):
    """A run that made or used an artifact; what a reader gives is a whole `RunView`."""

    @property
    def id(self) -> str:
        """The run id."""
        ...

    @property
    def name(self) -> str:
        """The run's name."""
        ...

    @property
    def experiment(self) -> str:
        """The name of the experiment."""
        ...

    @property
    def state(self) -> RunState:
        """The state."""
        ...


class ArtifactSource:
    """What views of artifacts read from.

    Args:
        store: what is known.
        location: the store's address, as messages show it; beside it are the bytes.
        open_place: returns the place of an address; the empty one is the store's own.
        find_runs: returns the runs with these ids that the store has, in their order.
    """

    def __init__(
        self,
        store: Store,
        location: str,
        *,
        open_place: Callable[[str], Blobs] | None = None,
        find_runs: Callable[[Sequence[str]], Sequence[LinkedRun]] = lambda _: (),
    ) -> None:
        self.store = store
        self.location = location
        self.find_runs = find_runs
        self._open_place = open_place or self._place_of_store
        self._places: dict[str, Blobs] = {}

    def blobs(self, digest: str, address: str) -> Blobs:
        """Return the place that has the bytes of a digest: the store's own where they are there, else the one that is named."""
        own = self._place("")
        return own if not address or own.has(digest) else self._place(address)

    def _place(self, address: str) -> Blobs:
        found = self._places.get(address)
        if found is None:
            found = self._places[address] = self._open_place(address)
        return found

    def _place_of_store(self, address: str) -> Blobs:
        return open_blobs(StoreLocation.parse(self.location), address)
