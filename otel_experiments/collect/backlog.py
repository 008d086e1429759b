"""How much lies in the journals beside a store that the store does not hold. Looks, and changes nothing."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from otel_experiments.errors import JournalError
from otel_experiments.journal.format import HEADER_SIZE_BYTES, unpack_header
from otel_experiments.journal.names import SEGMENT_SUFFIX
from otel_experiments.journal.owner import is_alive
from otel_experiments.journal.scan import scan
from otel_experiments.model.run import Owner
from otel_experiments.process.interruption import is_interruption


@dataclass(slots=True)
class Backlog:
    """What the store lacks of the journals.

    Attributes:
        journal_count: files with something that is not stored; `gone_count`: files whose process is gone, stored
            or not.
        size_bytes: what is not stored of them, in bytes; `record_count`: in records.
        unreadable: files, or the folder, of which nothing can be told, each with the reason.
    """

    journal_count: int = 0
    gone_count: int = 0
    size_bytes: int = 0
    record_count: int = 0
    unreadable: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        records, journals = self.record_count, self.journal_count
        return (
            f"{records} record{'s' * (records != 1)} ({self.size_bytes} bytes) "
            f"in {journals} journal{'s' * (journals != 1)}"
        )


def measure_backlog(
    directory: Path, stored_bytes: Callable[[str], int], *, of: Owner | None = None
) -> Backlog:
    """Return what the journals of a directory hold beyond what is stored.

    Args:
        directory: of the journals; it need not exist.
        stored_bytes: how many bytes of a segment, named by its id, the store holds.
        of: only the journals that this process writes, or is to store.
    """
    backlog = Backlog()
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(SEGMENT_SUFFIX))  # noqa: PTH208
    except FileNotFoundError:
        return backlog
    except OSError as error:
        if is_interruption(error):
            raise
        backlog.unreadable.append(f"{directory}: {error.strerror}")
        return backlog
    for name in names:
        try:
            _measure(directory / name, stored_bytes, backlog, of)
        except FileNotFoundError:
            continue  # stored and deleted while we looked
        except OSError as error:
            if is_interruption(error):
                raise
            backlog.unreadable.append(f"{name}: {error.strerror}")
        except JournalError as error:
            backlog.unreadable.append(str(error).partition("\n")[0])
    return backlog


def _measure(path: Path, stored_bytes: Callable[[str], int], backlog: Backlog, of: Owner | None) -> None:
    with path.open("rb") as file:
        header = unpack_header(file.read(HEADER_SIZE_BYTES), path=str(path))
        if of is not None and of not in {header.owner, header.drainer}:
            return
        start = max(stored_bytes(header.segment_id), HEADER_SIZE_BYTES)
        file.seek(start)
        found = scan(file.read(), start, is_final=False, base_offset=start)
    is_gone = is_alive(header.owner) is False
    backlog.gone_count += is_gone
    if found.end_offset > start:
        backlog.journal_count += 1
        backlog.size_bytes += found.end_offset - start
        backlog.record_count += len(found.payloads)


__all__ = ["Backlog", "measure_backlog"]
