"""Errors of stores and of the journals beside them: what is no store, what cannot be written now, what a newer release wrote."""

from __future__ import annotations

from otel_experiments.errors.root import OtelExperimentsError


class StoreError(OtelExperimentsError):
    """The store cannot do what was asked."""


class StoreNotFoundError(StoreError, LookupError):
    """There is no store at the path that is to be read."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"No store at {path!r}.\n  Record a run first (otel-experiments demo makes some), "
            "or name another store: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        )


class StoreIncompleteError(StoreError, LookupError):
    """The file is the beginning of a store whose contents lay beside it, and were not copied with it."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"{path!r} holds no runs by itself: it was copied while a process recorded, or after it was killed, and "
            f"what was recorded lies in {path}-wal and {path}.journals, which are not beside it.\n"
            "  Copy all three again, or read the original once (otel-experiments runs): then the one file holds all."
        )


class StorePathError(StoreError, ValueError):
    """The store's path cannot hold a store: a directory, not writable, an unknown scheme."""

    def __init__(self, *, path: str, why: str, fix: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"The store {path!r} cannot be used: {why}.\n  {fix}")


class NotAStoreError(StoreError, ValueError):
    """The file exists but is not a store of ours; it was left untouched."""

    def __init__(self, *, path: str, found: str) -> None:
        self.path, self.found = path, found
        super().__init__(
            f"{path!r} is not an otel-experiments store: {found}. The file was left as it is.\n"
            "  Name another path: --store PATH or OTEL_EXPERIMENTS_STORE=PATH."
        )


class NewerSchemaError(StoreError):
    """The store was written by a newer release; it was left untouched."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Store {path!r} has schema version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )


class StoreLockedError(StoreError, TimeoutError):
    """Another process held the store for longer than we may wait."""

    def __init__(self, *, path: str, waited_s: float, is_importing: bool = False) -> None:
        self.path, self.waited_s = path, waited_s
        waits = "recorded data waits in the journals beside it. Find the holder: fuser"
        if is_importing:
            waits = "import again what it did not take; what is stored stays as it is. Find the holder: fuser"
        super().__init__(
            f"Store {path!r} was locked by another process for {waited_s:g} s.\n"
            f"  Nothing is lost: {waits} {path}"
        )


class StoreFullError(StoreError):
    """Disk, quota, memory, a right or another limit does not let through what was to be written; nothing of the batch was kept."""

    def __init__(self, *, path: str, why: str, fix: str = "Free some space") -> None:
        self.path, self.why, self.fix = path, why, fix
        super().__init__(
            f"Store {path!r} takes nothing now: {why}. Nothing of the batch was written, nothing older is harmed.\n"
            f"  {fix}, and try again; what waits in the journals beside the store is written then."
        )


class StoreFailedError(StoreError):
    """A store of another package raised, did not answer, or answered what cannot be."""

    def __init__(self, *, path: str, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(
            f"Store {path!r} does not do what it was asked: {why}.\n"
            "  Try again when it works. What programs have recorded for it waits in their journals, and is stored then: nothing of it is lost."
        )


class StoreDamagedError(StoreError):
    """The store's file does not hold what it should, or the disk does not give it back."""

    def __init__(self, *, path: str, found: str, fix: str | None = None) -> None:
        self.path, self.found = path, found
        rescue = f"Copy it away, then save what can be read: sqlite3 COPY .recover | sqlite3 {path}"
        super().__init__(
            f"Store {path!r} cannot be read or written: {found}. It was left as it is.\n  {fix or rescue}"
        )


class StoreClosedError(StoreError, ValueError):
    """A store was used after it was closed."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(f"The store {path!r} is closed.\n  Open it again: open_store({path!r})")


class StoreReadOnlyError(StoreError, PermissionError):
    """A store that may only be read was asked to write or to upgrade itself."""

    def __init__(self, *, path: str, action: str) -> None:
        self.path, self.action = path, action
        super().__init__(
            f"Store {path!r} is open for reading only and cannot {action}.\n"
            f"  Open it for writing: open_store({path!r}), as a user who may write the file and its folder."
        )


class BundleReadOnlyError(StoreReadOnlyError):
    """A bundle was to be written: recorded into, or changed."""

    def __init__(self, *, path: str) -> None:
        self.path, self.action = path, "be written"
        StoreError.__init__(
            self,
            f"{path!r} is a bundle, which is only read: nothing can be recorded into it or changed in it.\n"
            f"  Take its runs into a store, and go on there: otel-experiments import {path} --store experiments.db",
        )


class NewerBundleError(StoreError):
    """The bundle was made by a newer release, in a format that this one does not know."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Bundle {path!r} has format version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )


class StoreForkedError(StoreError):
    """A forked process opened a store that its parent was using at the very moment of the fork."""

    def __init__(self, *, path: str) -> None:
        self.path = path
        super().__init__(
            f"Store {path!r} was in use in the parent process when this process was forked, so its locks cannot "
            "be trusted here.\n  Fork before the store is opened, or start the process with the spawn method."
        )


class JournalMovedError(StoreError):
    """Another process has drained the journal segment meanwhile; re-read from `found` and try again."""

    def __init__(self, *, segment_id: str, expected: int, found: int) -> None:
        self.segment_id, self.expected, self.found = segment_id, expected, found
        super().__init__(
            f"Journal segment {segment_id} stands at {found} in the store, not at {expected}.\n"
            "  Another process drained it; read it again from there."
        )


class JournalError(OtelExperimentsError):
    """A journal cannot be written or read."""


class NewerJournalError(JournalError):
    """A journal was written by a newer release; it was left untouched."""

    def __init__(self, *, path: str, found: int, supported: int) -> None:
        self.path, self.found, self.supported = path, found, supported
        super().__init__(
            f"Journal {path!r} has format version {found}; this release reads up to {supported}. It was left as it is.\n"
            "  Upgrade: pip install --upgrade otel-experiments"
        )
