"""What a bundle says of itself: when and by what it was made, what is in it, and what is not.

A bundle is a store in one file that is only read, with the bytes of its artifacts beside the runs that made them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

WhyLeftOut = Literal["not asked for", "too large", "missing", "damaged", "outside"]
"""Why the bytes of an artifact are not in a bundle. `outside`: a run that is not in it made them, and one that is used them."""
ON_PURPOSE: Final[tuple[WhyLeftOut, ...]] = ("not asked for", "too large")
"""The reasons of who made a bundle."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Bytes that a bundle names and does not hold. `name` is what the artifact is called. Units: bytes."""

    digest: str
    name: str
    size_bytes: int
    why: WhyLeftOut

    @property
    def is_on_purpose(self) -> bool:
        """Whether who made the bundle wanted it without these bytes."""
        return self.why in ON_PURPOSE


@dataclass(frozen=True, slots=True)
class BundleManifest:
    """What a bundle says of itself.

    Attributes:
        format_version: of the tables that a bundle has beside those of a store.
        product_version: of the release that made it.
        schema_url: which version of the vocabulary its telemetry speaks.
        created_ns: when it was made, in nanoseconds since the Unix epoch.
        run_count: how many runs are in it.
        live_run_ids: which of them were still going on: it has what was stored of them then.
        blob_count: of how many files, and lists of folders, the bytes are in it.
        blob_size_bytes: how large these are together.
        rows_digest: `sha256:` and the digest of all rows but the bytes, each of which has a digest itself.
        left_out: what it names and does not hold.
    """

    format_version: int
    product_version: str
    schema_url: str
    created_ns: int
    run_count: int
    live_run_ids: tuple[str, ...] = ()
    blob_count: int = 0
    blob_size_bytes: int = 0
    rows_digest: str = ""
    left_out: tuple[LeftOut, ...] = ()
