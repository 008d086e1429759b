"""How much of a store's file its runs take, giving back what holds nothing, and saying what came of purged runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_experiments.store.sqlite.reading import read

if TYPE_CHECKING:
    from collections.abc import Mapping

    from otel_experiments.store.semantics.late import LateItems
    from otel_experiments.store.sqlite.database import Database


class FileSpace:
    """What a SQLite store says of its file, beside what every store can do."""

    _database: Database
    _late: LateItems | None = None

    def run_bytes(self) -> dict[str, int]:
        """Return about how many bytes of the file each run takes."""
        from otel_experiments.store.sqlite import purge as _purge  # noqa: PLC0415 - few need it

        return read(self._database, _purge.run_bytes)

    def free_bytes(self) -> int:
        """Return how many bytes of the file hold nothing."""
        with self._database.reading() as connection:
            names = ("freelist_count", "page_size")
            free, page_bytes = (int(connection.execute(f"pragma {name}").fetchone()[0]) for name in names)
            return free * page_bytes

    def shrink(self) -> None:
        """Write the file anew without what holds nothing; every other process has to wait.

        Raises:
            StoreError: another process has it open, or there is no room for a second one.
        """
        self._database.vacuum()

    def _note_late(self, found: Mapping[str, int]) -> None:
        """Count, and say, what came of runs that were purged. Call it when the transaction is over."""
        if not found:
            return
        from otel_experiments.store.semantics.late import LateItems  # noqa: PLC0415 - few need it

        self._late = self._late or LateItems()
        self._late.note(found, store=self._database.location)

    def _let_go(self) -> None:
        """Close the file, and say how much came of purged runs in all."""
        self._database.close()
        if self._late is not None:
            self._late.tell_all(store=self._database.location)
