"""What fsspec gives for an URL: its filesystem, its errors, and when a file was written."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.artifacts.place_error import place_error
from otel_experiments.errors import ArtifactError, ArtifactPlaceError, MissingPackageError
from otel_experiments.process.interruption import pass_on

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_CHANGED_KEYS: Final = (
    "LastModified",
    "last_modified",
    "updated",
    "mtime",
    "modified",
    "created",
    "timeCreated",
)


class url_errors:  # noqa: N801 - as those of contextlib
    """Raise what an URL answers as an ArtifactPlaceError: each kind of it has errors of its own."""

    def __init__(self, address: str) -> None:
        self._address = address

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, ArtifactError) or not isinstance(error, Exception):
            return
        pass_on(error)
        raise _answered(self._address, error) from error


def file_system(address: str) -> tuple[AbstractFileSystem, str]:
    """Return the filesystem of an URL and the path in it; raises MissingPackageError and ArtifactPlaceError."""
    try:
        from fsspec.core import url_to_fs  # noqa: PLC0415 - an extra
    except ImportError:
        raise MissingPackageError(
            package="fsspec", purpose=f"Artifacts at {address}", extra="remote"
        ) from None
    try:
        files, root = url_to_fs(address, use_listings_cache=False)
    except ImportError as error:
        raise _missing(address, error) from error
    except ValueError as error:
        fix = "Give a folder, or a URL that fsspec knows, such as s3://BUCKET/PATH."
        raise ArtifactPlaceError(place=address, why=str(error), fix=fix) from error
    except Exception as error:  # some connect at once
        pass_on(error)
        raise _answered(address, error) from error
    return files, str(root).rstrip("/")


def _answered(address: str, error: Exception) -> ArtifactPlaceError:
    """Return the error for what an URL answers."""
    if isinstance(error, OSError) and error.errno:
        return place_error(address, error)
    why = f"{type(error).__name__}: {error}"[:300]
    fix = "Check the URL, the network, and who may write there."
    return ArtifactPlaceError(place=address, why=why, fix=fix)


def _missing(address: str, error: ImportError) -> MissingPackageError | ArtifactPlaceError:
    """Return the error for a filesystem whose package is not installed."""
    # fsspec says it in a sentence, and raises that from the import that failed.
    names = [one.name for one in (error, error.__cause__) if isinstance(one, ImportError) and one.name]
    if not names:
        return ArtifactPlaceError(
            place=address, why=f"fsspec cannot reach it: {error}", fix="Install what it needs for such a URL."
        )
    package = names[0].partition(".")[0]
    return MissingPackageError(package=package, purpose=f"Artifacts at {address}", extra=None)


def changed_ns(info: dict[str, Any]) -> int:
    """Return when a file was written, as each filesystem says it; now where it does not say, so that it stays."""
    value = next((info[key] for key in _CHANGED_KEYS if info.get(key) is not None), None)
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        value = (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    return int(value * 1e9) if isinstance(value, int | float) else time.time_ns()


def age_s(info: dict[str, Any]) -> float:
    """Return how long ago a file was written."""
    return max(0.0, (time.time_ns() - changed_ns(info)) / 1e9)
