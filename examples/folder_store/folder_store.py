"""A store of one's own: a folder with a file for each entry, on any disk that its processes share.

Install it (`pip install ./examples/folder_store`), and `folder:///data/runs` is an address that every command and every
function takes. It passes `otel_experiments.testing.StoreContract`: see test_folder_store.py beside it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from otel_experiments.store import StoreBase

SCHEME = "folder://"


class FolderStore(StoreBase):
    """Keeps entry 17 in the file `0000000017.json` of its folder."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        super().__init__()
        self._folder = Path(folder).absolute()
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def location(self) -> str:
        """The address with which every process opens this store."""
        return f"{SCHEME}{self._folder}"

    def read_entries(self, first: int) -> Iterator[bytes]:
        """Read one file after the other, until one is not there."""
        number = first
        while True:
            try:
                entry = self._file(number).read_bytes()
            except FileNotFoundError:
                return
            yield entry
            number += 1

    def add_entry(self, number: int, entry: bytes) -> bool:
        """Give a file that is written whole its name, which fails where the name is taken: so no two writers get one number."""
        with tempfile.NamedTemporaryFile(dir=self._folder, prefix=".new-") as file:
            file.write(entry)
            file.flush()
            os.fsync(file.fileno())
            try:
                os.link(file.name, self._file(number))
            except FileExistsError:
                return False
        return True

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:010d}.json"


def open_store(address: str) -> FolderStore:
    """Open the store at `folder://PATH`: the entry point in pyproject.toml names this function."""
    return FolderStore(address.removeprefix(SCHEME))
