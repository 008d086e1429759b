"""What does not hold about media: what was asked for, and the bytes."""

from __future__ import annotations

from otel_experiments.errors.artifact import ArtifactError


class MediaNotFoundError(ArtifactError, LookupError):
    """A run logged nothing under this name, or nothing at this step."""

    def __init__(self, *, run: str, wanted: str, found: str, fix: str) -> None:
        self.run, self.wanted, self.found, self.fix = run, wanted, found, fix
        super().__init__(f"Run {run} has no media {wanted}: {found}.\n  {fix}")


class MediaRefusedError(ArtifactError, ValueError):
    """A picture, table, sound or the like is none that can be kept. Recording catches, counts and tells it."""

    def __init__(self, *, why: str) -> None:
        self.why = why
        super().__init__(f"The value cannot be kept as media: {why}.")


class MediaUnreadableError(ArtifactError, ValueError):
    """The bytes of media are those that were logged, and not of the media type that was said then."""

    def __init__(self, *, name: str, type: str, found: str) -> None:  # noqa: A002 - as in the record
        self.name, self.type, self.found = name, type, found
        super().__init__(
            f"The media {name!r} of type {type} cannot be read as what it was: {found}.\n"
            "  item.read_bytes() has its bytes as they were logged, item.download(PATH) writes them to a file."
        )
