"""What `run.log` is given that is no number: pictures, figures, tables, sounds, distributions. `Run.log` documents it.

Each becomes bytes in the caller's thread, so that it is safe when the call returns, and is kept as an artifact is. What cannot
be kept is told once for its name and counted, kind `media`; what is kept otherwise than it was given, kind `media value`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import trace

from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import ArtifactError, MediaRefusedError
from otel_experiments.journal.limits import reason_of
from otel_experiments.model.artifact import MEDIA_PHASE, ArtifactLogged
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.paths import is_folder
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.run.artifact_source import Source, source_of
from otel_experiments.record.run.keeping import keep
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import Put
    from otel_experiments.codec.media.media import Encoded, Media
    from otel_experiments.record.run.core import RunCore

KIND: Final = "media"
CHANGED: Final = "media value"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a medium belongs: step, place in a list, phase, and when it was made (None: now)."""

    step: float
    index: int
    phase: str | None
    time_ns: int | None


class MediaRecorder:
    """The part of a run that keeps media."""

    def __init__(self, core: RunCore) -> None:
        self._core = core

    def takes(self, value: object) -> bool:
        """Tell whether a value is media, or a list of them."""
        with SignalsWait("otel_experiments.codec.media.encode"):
            from otel_experiments.codec.media.encode import listed_media  # noqa: PLC0415 - a run of numbers needs none of it

        return listed_media(value) is not None

    def keep(
        self, name: str, value: object, step: float, phase: str | None, time_ns: int | None = None
    ) -> None:
        """Keep a value at a step, or each one of a list; `time_ns` is when it was made, by default now."""
        with SignalsWait("otel_experiments.codec.media.encode", "otel_experiments.codec.media.media"):
            from otel_experiments.codec.media.encode import listed_media  # noqa: PLC0415 - as above
            from otel_experiments.codec.media.media import Media  # noqa: PLC0415 - as above

        guard = self._core.guard
        with guard:
            for index, item in enumerate(listed_media(value) or ()):
                if isinstance(item, Media):
                    self._keep_one(name, item, _Place(step, index, phase, time_ns))
                    continue
                what = (
                    f"Item {index} of the list {shown(name)} is not kept: {type(item).__name__} is no medium"
                )
                guard.lost(
                    KIND,
                    f"{what}; log numbers under a name of their own, arrays as ox.Image(array)",
                    name=name,
                )

    def _keep_one(self, name: str, media: Media, place: _Place) -> None:
        with SignalsWait("otel_experiments.codec.media.encode"):
            from otel_experiments.codec.media.encode import encode_media  # noqa: PLC0415 - as above

        guard = self._core.guard

        def tell(what: str) -> None:
            guard.lost(
                CHANGED, f"The {media.type} {shown(name)} is not kept as it was given: {what}", name=name
            )

        try:
            encoded = encode_media(media, tell)
            if encoded is not None:
                self._write(name, encoded, place)
        except MediaRefusedError as error:
            self._lost(name, media, error.why)
        except (ArtifactError, OSError, MemoryError) as error:
            pass_on(error)
            why = str(reason_of(error)) if isinstance(error, OSError) and error.errno else text_of(error)
            self._lost(name, media, why)

    def _write(self, name: str, encoded: Encoded, place: _Place) -> None:
        core = self._core
        redactor = core.pipeline.redactor
        metadata = {**encoded.metadata, MEDIA_PHASE: place.phase} if place.phase else encoded.metadata
        span = trace.get_current_span(core.context_here()).get_span_context()

        def describe(put: Put) -> ArtifactLogged:
            return ArtifactLogged(
                run_id=core.id,
                experiment=core.experiment,
                name=name,
                digest=put.digest,
                time_ns=core.stamp_ns() if place.time_ns is None else place.time_ns,
                type=encoded.type,
                role="media",
                size_bytes=put.size_bytes,
                file_name=encoded.data.name if isinstance(encoded.data, Path) else f"{name}{encoded.ending}",
                media_type=encoded.media_type,
                step=place.step,
                index=place.index,
                caption=redactor.text(encoded.caption),
                metadata=metadata,
                place=core.pipeline.settings.artifacts or "",
                rank=cast("int | None", core.providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK)),
                span_id=trace.format_span_id(span.span_id) if span.is_valid else "",
            )

        keep(core, _source(encoded), describe)

    def _lost(self, name: str, media: Media, why: str) -> None:
        self._core.guard.lost(KIND, f"The {media.type} {shown(name)} is not kept: {why}", name=name)


def _source(encoded: Encoded) -> Source:
    data = encoded.data
    if isinstance(data, Path):
        if is_folder(data):
            raise MediaRefusedError(why=f"{str(data)!r} is a folder; keep it with run.log_artifact")
        return source_of(data)
    return Source(lambda blobs: blobs.prepare_bytes(data))
