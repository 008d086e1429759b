"""Bytes become part of a run: hashed, placed, and only then named, so that no name ever points at half a file.

The journal record is written under the lock that a sweep has to wait for: between the bytes and their name nothing is
swept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from otel_experiments.errors import ArtifactPlaceError
from otel_experiments.journal import encode
from otel_experiments.model.artifact import AliasSet, ArtifactLogged
from otel_experiments.record.base.room import why_not_kept

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Put
    from otel_experiments.record.run.artifact_source import Source
    from otel_experiments.record.run.core import RunCore


def keep(
    core: RunCore,
    source: Source,
    describe: Callable[[Put], ArtifactLogged],
    aliases: Sequence[str] = (),
) -> ArtifactLogged | None:
    """Keep what `source` has and write its record, which `describe` makes; None where the journal took none.

    Raises:
        ArtifactError: the bytes cannot be read, or not kept.
        OSError: as above, where the system says so.
    """
    blobs = core.pipeline.blobs()
    if blobs is None:
        raise ArtifactPlaceError(
            place=core.pipeline.settings.shown_store,
            why="there is no folder for them where no store is kept",
            fix="Say where bytes are kept: configure(artifacts=FOLDER), or configure a store.",
        )
    prepared = source.prepare(blobs)
    try:
        with blobs.adding() as adding:
            put = adding.place(prepared)
            logged = describe(put)
            if not core.pipeline.run_events.write_artifact(logged):
                core.guard.lost(*why_not_kept(core.pipeline.journal, "Artifacts"), name=logged.name)
                return None
    finally:
        prepared.discard()
    for what in put.left_out:
        core.guard.lost("artifact entry", f"Of folder {logged.name!r} is left out: {what}", name=what)
    for alias in aliases:
        write_alias(
            core, AliasSet(core.experiment, logged.name, alias, logged.digest, logged.time_ns, core.id)
        )
    return logged


def write_alias(core: RunCore, alias: AliasSet) -> None:
    """Write down that an alias of a name was set."""
    core.keep(encode.encode_artifact_alias(alias), "Aliases of artifacts")
    core.pipeline.run_events.write_artifact_alias(alias, core.id)
