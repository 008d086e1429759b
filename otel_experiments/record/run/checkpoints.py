"""The event of a saved checkpoint: where it is, how large, of which step and epoch, and the digest of its bytes.

A small one is hashed before its scope ends, so that its span has the digest, too. A large one is hashed while training goes
on, and its event is written when the digest is known, with the time at which the scope ended.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import context as context_api

from otel_experiments.codec.text import clean_text, shown, text_of
from otel_experiments.errors import ArtifactError
from otel_experiments.model.artifact_name import name_of_file
from otel_experiments.process.interruption import pass_on
from otel_experiments.process.signals_wait import SignalsWait
from otel_experiments.record.base.artifact_digest import ArtifactDigest
from otel_experiments.record.run.artifacts import Details
from otel_experiments.record.spans.scopes import place_of
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import events, values

if TYPE_CHECKING:
    from otel_experiments.record.base.written import Written
    from otel_experiments.record.run.core import RunCore

HASHED_AT_ONCE_BYTES: Final = 16 << 20
"""Up to here the scope waits for the digest: 10 to 25 ms on a processor that has instructions for SHA-256."""


class Checkpoints:
    """The part of a run that knows of its checkpoints."""

    def __init__(self, core: RunCore) -> None:
        self._core = core

    def note(self, attributes: Mapping[str, Any], written: Written, size: int | None) -> str:
        """Record that a checkpoint was saved; return its digest as an attribute has it, empty where it is not known yet."""
        core = self._core
        if attributes.get(attr.ML_OPERATION_NAME) != values.MlOperationName.SAVE_CHECKPOINT:
            return ""
        if core.gate.is_closed:
            core.gate.refuse("event")
            return ""
        saved = _Saved(core, attributes, written, size)
        if not written.is_kept and written.is_hashed is False:
            saved.write("")
            return ""
        is_large = size is None or size > HASHED_AT_ONCE_BYTES
        if is_large and not written.is_hashed and not core.is_inherited and not core.pipeline.is_inherited:
            core.pipeline.artifacts.add(saved.name, saved.finish, lambda: saved.write(""))
            return ""
        return str.__str__(saved.finish())


class _Saved:
    """A saved checkpoint whose event is written once."""

    def __init__(
        self, core: RunCore, attributes: Mapping[str, Any], written: Written, size: int | None
    ) -> None:
        self._core = core
        self._written = written
        self.name = text_of(attributes[attr.ML_CHECKPOINT_NAME])
        self._context = core.context_here()
        self._time_ns = core.pipeline.clock()
        place = {**place_of(context_api.get_current()), **attributes}
        self._place: dict[str, Any] = {
            key: place[key] for key in (attr.ML_EPOCH_INDEX, attr.ML_STEP_INDEX) if key in place
        }
        self._found: dict[str, Any] = {
            attr.ML_CHECKPOINT_NAME: self.name,
            attr.ML_CHECKPOINT_URI: written.path,
            **self._place,
        }
        if size is not None:
            self._found[attr.ML_CHECKPOINT_SIZE] = size
        self._path = Path(os.path.abspath(written.path))  # noqa: PTH100 - links stay as they are
        self._seen = _state_of(self._path)
        self._lock = threading.Lock()
        self._is_written = False

    def finish(self) -> ArtifactDigest:
        """Hash the checkpoint, keep it where that is asked for, and write the event."""
        digest = ArtifactDigest()
        with self._core.guard:
            digest = self._kept() if self._written.is_kept else self._hashed()
        self.write(digest)
        return digest

    def _kept(self) -> ArtifactDigest:
        epoch = self._place.get(attr.ML_EPOCH_INDEX)
        kept = self._core.parts.artifacts.log(
            self._path,
            name_of_file(clean_text(self.name)),
            details=Details(
                "checkpoint",
                self._place.get(attr.ML_STEP_INDEX),
                None if epoch is None else {"epoch": epoch},
            ),
        )
        return cast("ArtifactDigest", kept)

    def _hashed(self) -> ArtifactDigest:
        with SignalsWait("otel_experiments.artifacts.digest"):
            from otel_experiments.artifacts.digest import digest_of  # noqa: PLC0415 - only where bytes are looked at

        try:
            digest = digest_of(self._path)
            if _state_of(self._path) == self._seen:
                return ArtifactDigest(digest)
            why = "it changed before it was hashed; write the next one to another file"
        except (ArtifactError, OSError) as error:
            pass_on(error)
            why = text_of(error)
        what = f"The digest of checkpoint {shown(self.name)} is not known: {why}"
        self._core.guard.lost("checkpoint digest", what, name=self.name)
        return ArtifactDigest()

    def write(self, digest: str) -> None:
        """Write the event, unless that is done."""
        with self._lock:
            is_first, self._is_written = not self._is_written, True
        if is_first:
            found = dict(self._found)
            if digest:
                found[attr.ARTIFACT_HASH] = str.__str__(digest)
            with self._core.guard:
                self._core.write_event(
                    events.ML_CHECKPOINT_SAVED.name,
                    None,
                    self._core.pipeline.redactor.mapping(found, "event attribute"),
                    time_ns=self._time_ns,
                    context=self._context,
                )


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError) as error:
        pass_on(error)
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
