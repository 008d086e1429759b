"""Every exception of ours.

    OtelExperimentsError
    ├── ConfigurationError (ValueError)        settings, names and arguments that cannot be used
    │   └── InvalidNameError
    ├── RunError
    │   ├── RunNotFoundError (LookupError)
    │   ├── AmbiguousRunError (LookupError)
    │   ├── NoActiveRunError (RuntimeError)
    │   └── IllegalTransitionError (ValueError)
    ├── StoreError
    │   ├── StoreNotFoundError (LookupError)
    │   ├── StorePathError (ValueError)
    │   ├── NotAStoreError (ValueError)
    │   ├── NewerSchemaError
    │   ├── StoreLockedError (TimeoutError)
    │   └── JournalMovedError
    ├── JournalError
    │   └── NewerJournalError
    └── QueryError (ValueError)
        └── SearchSyntaxError

Two regimes, never mixed: configuring, querying and comparing raise these; recording never raises into user
code (`record/guard.py` counts and logs instead). Constructors take the facts by keyword, keep them as
attributes and make the text: what happened, to which object, what was found instead, what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class OtelExperimentsError(Exception):
    """The root of everything this package raises on purpose."""


class ConfigurationError(OtelExperimentsError, ValueError):
    """A setting, a name or an argument cannot be used."""


class InvalidNameError(ConfigurationError):
    """A name is empty, too long, or holds a character that no name may hold."""

    def __init__(self, *, kind: str, name: str, why: str, fix: str) -> None:
        self.kind, self.name = kind, name
        shown = name if len(name) <= 60 else f"{name[:57]}..."
        super().__init__(f"The {kind} {shown!r} cannot be used: {why}.\n  {fix}")


class RunError(OtelExperimentsError):
    """Something about a run does not hold."""


class RunNotFoundError(RunError, LookupError):
    """No run answers to the given id, prefix or name."""

    def __init__(
        self, *, wanted: str, store: str, known: Sequence[str], suggestion: str | None = None
    ) -> None:
        self.wanted, self.store, self.known, self.suggestion = wanted, store, tuple(known), suggestion
        found = (
            f"{len(known)} runs: {', '.join(known[:3])}{', ...' if len(known) > 3 else ''}"
            if known
            else "it is empty"
        )
        hint = f"Did you mean {suggestion!r}? " if suggestion else ""
        super().__init__(
            f"No run {wanted!r} in store {store!r} ({found}).\n  {hint}List them with: otel-experiments runs --store {store}"
        )


class AmbiguousRunError(RunError, LookupError):
    """Several runs answer to the given prefix or name."""

    def __init__(self, *, wanted: str, store: str, matches: Sequence[str]) -> None:
        self.wanted, self.store, self.matches = wanted, store, tuple(matches)
        shown = ", ".join(matches[:5]) + (", ..." if len(matches) > 5 else "")
        super().__init__(
            f"{wanted!r} names {len(matches)} runs in store {store!r}: {shown}.\n  Give more digits of the run id."
        )


class NoActiveRunError(RunError, RuntimeError):
    """A function that needs the current run was called where there is none, or where it cannot be told."""

    def __init__(self, *, action: str, active: Sequence[str] = ()) -> None:
        self.action, self.active = action, tuple(active)
        if active:
            text = (
                f"{action} needs one current run, but {len(active)} are active in this process: "
                f"{', '.join(active[:5])}.\n  Call the method of the run that is meant: run.log(...)."
            )
        else:
            text = f"{action} needs a current run, and none is active.\n  Start one: with otel_experiments.start_run('name') as run: ..."
        super().__init__(text)


class IllegalTransitionError(RunError, ValueError):
    """A run was asked to take a state that may not follow its present one."""

    def __init__(self, *, run_id: str, current: str, requested: str, allowed: Sequence[str]) -> None:
        self.run_id, self.current, self.requested, self.allowed = run_id, current, requested, tuple(allowed)
        onward = (
            f"From {current!r} it may go to: {', '.join(allowed)}." if allowed else f"{current!r} is final."
        )
        super().__init__(f"Run {run_id[:8]} is {current!r} and cannot become {requested!r}.\n  {onward}")


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

    def __init__(self, *, path: str, waited_s: float) -> None:
        self.path, self.waited_s = path, waited_s
        super().__init__(
            f"Store {path!r} was locked by another process for {waited_s:g} s.\n"
            "  Nothing is lost: recorded data waits in the journals beside it. Find the holder: fuser "
            f"{path}"
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


class QueryError(OtelExperimentsError, ValueError):
    """A question to the store cannot be understood or may not be asked."""


class SearchSyntaxError(QueryError):
    """A search expression cannot be understood; the text points at the column."""

    def __init__(self, *, expression: str, column: int, why: str, fix: str) -> None:
        self.expression, self.column, self.why = expression, column, why
        super().__init__(f"{why}\n  {expression}\n  {' ' * column}^\n  {fix}")
