"""The doctor's look at a bundle: what it says of itself, and whether it is as it was made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from otel_experiments._bundle import check_bundle_file
from otel_experiments.cli.doctor.diagnosis import Diagnosis
from otel_experiments.cli.terminal import format as fmt
from otel_experiments.errors import StoreError
from otel_experiments.store.sqlite.bundle_header import GET_IT_AGAIN


def check_bundle(path: Path) -> Iterator[Diagnosis]:
    """Yield what is to be said about the bundle at the path."""
    try:
        manifest, damages = check_bundle_file(path)
    except StoreError as error:
        text, _, fix = str(error).partition("\n")
        yield Diagnosis("problem", "bundle", text, fix.strip())
        return
    for damage in damages:
        yield Diagnosis("problem", "bundle", f"{str(path)!r}: {damage}.", GET_IT_AGAIN)
    if not damages:
        runs = f"{manifest.run_count} run{'s' * (manifest.run_count != 1)}"
        size = fmt.size(path.stat().st_size)
        yield Diagnosis(
            "ok", "bundle", f"{str(path)!r}: {runs}, {size}; it is as it was made, and only read."
        )
