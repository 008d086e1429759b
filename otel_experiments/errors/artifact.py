"""What does not hold about an artifact: its name, its bytes, where they come from, where they go."""

from __future__ import annotations

from collections.abc import Sequence

from otel_experiments.errors.root import OtelExperimentsError


class ArtifactError(OtelExperimentsError):
    """Something about an artifact does not hold."""


class ArtifactNotFoundError(ArtifactError, LookupError):
    """No artifact answers to the given name, version, alias or digest; `suggestions` are names that may be meant."""

    def __init__(
        self,
        *,
        wanted: str,
        store: str,
        found: str = "no such artifact",
        suggestions: Sequence[str] = (),
        is_file: bool = False,
    ) -> None:
        """Make the text; `is_file`: the artifact is there, and no such file in it."""
        self.wanted, self.store, self.found, self.suggestions = wanted, store, found, tuple(suggestions)
        hint = f"Did you mean {' or '.join(map(repr, suggestions))}? " if suggestions else ""
        if is_file:
            super().__init__(
                f"No such file in artifact {wanted!r} of store {store!r} ({found}).\n"
                f"  {hint}Name one of its files: artifact.read_bytes(FILE)"
            )
            return
        super().__init__(
            f"No artifact {wanted!r} in store {store!r} ({found}).\n"
            f"  {hint}List them with: otel-experiments artifacts --store {store}"
        )


class ArtifactMissingError(ArtifactError, LookupError):
    """The bytes of an artifact are not where they are kept."""

    def __init__(
        self,
        *,
        digest: str,
        place: str,
        found: str = "it is not there",
        fix: str | None = None,
        is_lost: bool = True,
    ) -> None:
        """Make the text; without `is_lost` they were left out on purpose, and nothing is wrong."""
        self.digest, self.place, self.found = digest, place, found
        copy = "If the store was copied, copy the folder of its artifacts as well: it lies beside the store's file."
        super().__init__(
            f"The bytes of artifact {digest} are {'missing' if is_lost else 'not'} in {place!r}: {found}.\n  {fix or copy}"
        )


class ArtifactDamagedError(ArtifactError, ValueError):
    """The bytes that are kept are not those that were logged; `path` is the file that has them."""

    def __init__(self, *, digest: str, path: str, found: str) -> None:
        self.digest, self.path, self.found = digest, path, found
        super().__init__(
            f"The bytes of artifact {digest} are damaged: {path} has {found}.\n"
            "  Log the same bytes again, or put back a copy of that file; do not use what was read."
        )


class ArtifactSourceError(ArtifactError, ValueError):
    """What is to be kept is no file or folder that can be read as a whole."""

    def __init__(
        self, *, source: str, why: str, fix: str = "Give a regular file, a folder, or bytes."
    ) -> None:
        self.source, self.why, self.fix = source, why, fix
        shown = source if len(source) <= 200 else f"{source[:197]}..."
        super().__init__(f"{shown!r} cannot be kept as an artifact: {why}.\n  {fix}")


class ArtifactPlaceError(ArtifactError, OSError):
    """The place where the bytes of artifacts are to be written takes none; nothing that was there is changed."""

    def __init__(self, *, place: str, why: str, fix: str) -> None:
        self.place, self.why, self.fix = place, why, fix
        super().__init__(
            f"The bytes of an artifact cannot be written to {place!r}: {why}. What was there is as it was.\n  {fix}"
        )


class ArtifactsLockedError(ArtifactError, TimeoutError):
    """Another process held the folder of artifacts for longer than we may wait."""

    def __init__(self, *, place: str, waited_s: float, holder: str) -> None:
        self.place, self.waited_s, self.holder = place, waited_s, holder
        super().__init__(
            f"The artifacts in {place!r} were locked for {waited_s:g} s by {holder}.\n"
            f"  Try again when it has ended. Find it: fuser {place}/lock"
        )


class ArtifactsUnknownError(ArtifactError):
    """Which artifacts are in use cannot be known, since something that may say so cannot be read."""

    def __init__(self, *, store: str, why: str, fix: str | None = None) -> None:
        self.store, self.why, self.fix = store, why, fix
        doctor = f"See what is wrong, and how to mend it: otel-experiments doctor --store {store}"
        super().__init__(
            f"Which artifacts the store {store!r} uses cannot be known: {why} Nothing was removed.\n  {fix or doctor}"
        )


class AmbiguousArtifactError(ArtifactError, LookupError):
    """Several artifacts answer to the given name or beginning of a digest; `matches` lists them."""

    def __init__(self, *, wanted: str, store: str, matches: Sequence[str]) -> None:
        self.wanted, self.store, self.matches = wanted, store, tuple(matches)
        shown = ", ".join(matches[:5]) + (", ..." if len(matches) > 5 else "")
        super().__init__(
            f"{wanted!r} names {len(matches)} artifacts in store {store!r}: {shown}.\n  Write one of them: {matches[0]}"
        )


class ArtifactAliasError(ArtifactError, ValueError):
    """Nothing can be called so."""

    def __init__(self, *, alias: str, name: str, why: str, fix: str) -> None:
        self.alias, self.name, self.why, self.fix = alias, name, why, fix
        shown = alias if len(alias) <= 100 else f"{alias[:97]}..."
        super().__init__(f"{shown!r} cannot be an alias of artifact {name!r}: {why}.\n  {fix}")
