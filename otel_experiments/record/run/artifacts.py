"""The artifacts of a run: bytes that it keeps, uses and names. `Run` has the documentation of each call.

What cannot be kept is told once for its name and counted, kind `artifact`. Only `use` raises: a program that asks for an
artifact cannot go on without it.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import trace

from otel_experiments.codec.number import number_of
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import (
    ArtifactError,
    ArtifactNotFoundError,
    ArtifactSourceError,
    ConfigurationError,
    InvalidNameError,
)
from otel_experiments.journal import encode
from otel_experiments.journal.limits import reason_of
from otel_experiments.model.artifact import (
    LATEST,
    AliasSet,
    ArtifactLogged,
    ArtifactUsed,
)
from otel_experiments.model.artifact_name import why_no_alias, why_no_name
from otel_experiments.process.interruption import is_interruption, pass_on
from otel_experiments.record.base.artifact_digest import ArtifactDigest
from otel_experiments.record.base.names import clean_name
from otel_experiments.record.base.notices import say_once
from otel_experiments.record.base.other_trackers import bytes_among, tell_unknown
from otel_experiments.record.params.flatten import flatten_params
from otel_experiments.record.pipeline.artifact_queue import ArtifactHandle, done_handle
from otel_experiments.record.run.artifact_source import LINKS, Source, source_of
from otel_experiments.record.run.keeping import keep, write_alias
from otel_experiments.record.spans.scopes import place_of
from otel_experiments.semconv import attributes as attr

if TYPE_CHECKING:
    from otel_experiments.artifacts.protocol import BlobStore, Prepared, Put
    from otel_experiments.model.run import ParamValue
    from otel_experiments.record.base.used_artifact import UsedArtifact
    from otel_experiments.record.run.core import RunCore

KIND: Final = "artifact"


class _GivenUpError(Exception):
    """The process could not wait for an artifact: it is counted, and not named any more."""


@dataclass(frozen=True, slots=True)
class Details:
    """What was said of an artifact, as it was passed."""

    type: object = None
    step: object = None
    metadata: object = None
    aliases: object = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What `log_artifact` was asked for, checked."""

    name: str
    type: str
    step: float | None
    metadata: Mapping[str, ParamValue]
    aliases: tuple[str, ...]
    span_id: str


class Artifacts:
    """The part of a run that keeps bytes."""

    def __init__(self, core: RunCore) -> None:
        self._core = core
        self._last: dict[str, str] = {}
        """The digest that this process logged last under each name."""

    def log(
        self,
        what: Any,
        name: str | None,
        *,
        details: Details = Details(),
        wait: bool = True,
        link: str | None = None,
        unknown: Mapping[str, object] | None = None,
    ) -> ArtifactDigest | ArtifactHandle:
        """Keep bytes under a name."""
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse(KIND)
        else:
            with core.guard:
                folder = None
                if unknown:
                    others = dict(unknown)
                    what = bytes_among(what, others)
                    folder = others.pop("artifact_path", None)
                    tell_unknown(core.guard, "run.log_artifact", others)
                try:
                    source = source_of(what, link)
                    asked = self._asked(source, _named_in(folder, source) if name is None else name, details)
                except (ArtifactSourceError, InvalidNameError) as error:
                    self._lost(name or _spoken(what), str(error), error)
                else:
                    if link is not None and link not in LINKS:
                        self._tell(f"link={shown(link)} is none of {', '.join(LINKS)}", asked.name)
                    return self._begin(source, asked, wait=wait)
        nothing = ArtifactDigest(name=name if isinstance(name, str) else "")
        return nothing if wait else done_handle(nothing)

    def _begin(self, source: Source, asked: Asked, *, wait: bool) -> ArtifactDigest | ArtifactHandle:
        core = self._core
        if wait:
            return self._kept(source, asked)
        if not source.is_lasting or core.is_inherited or core.pipeline.is_inherited:
            return done_handle(self._kept(source, asked))  # a forked worker may end at any moment
        if not core.pipeline.artifacts.has_room(
            source.held_bytes
        ):  # else a fast program would fill the memory
            return done_handle(self._kept(source, asked))
        given_up = threading.Event()

        def give_up() -> None:
            given_up.set()
            what = "the process ended before it was kept; keep it with wait=True, or wait for its result()"
            self._lost(asked.name, f"The artifact {shown(asked.name)} is not kept: {what}", None)

        def prepare(blobs: BlobStore) -> Prepared:
            prepared = source.prepare(blobs)
            if given_up.is_set():  # the place is closed: nothing is to be opened in it
                prepared.discard()
                raise _GivenUpError
            return prepared

        late = replace(source, prepare=prepare)
        return core.pipeline.artifacts.add(
            asked.name, lambda: self._kept(late, asked, given_up), give_up, held_bytes=source.held_bytes
        )

    def _kept(self, source: Source, asked: Asked, given_up: threading.Event | None = None) -> ArtifactDigest:
        """Keep what was given; an empty digest where it cannot be. Raises nothing of its own."""
        core = self._core

        def describe(put: Put) -> ArtifactLogged:
            if given_up is not None and given_up.is_set():
                raise _GivenUpError
            return ArtifactLogged(
                run_id=core.id,
                experiment=core.experiment,
                name=asked.name,
                digest=put.digest,
                time_ns=core.stamp_ns(),
                type=asked.type or ("folder" if put.is_folder else "file"),
                is_folder=put.is_folder,
                size_bytes=put.size_bytes,
                file_count=put.file_count,
                file_name=source.file_name,
                step=asked.step,
                metadata=asked.metadata,
                place=core.pipeline.settings.artifacts or "",
                rank=cast("int | None", core.providers.resource.attributes.get(attr.ML_DISTRIBUTED_RANK)),
                span_id=asked.span_id,
            )

        with core.guard:
            try:
                logged = keep(core, source, describe, asked.aliases)
            except _GivenUpError:
                logged = None
            except (ArtifactError, OSError, MemoryError) as error:
                pass_on(error)
                logged = None
                if given_up is None or not given_up.is_set():  # else it is counted already
                    why = reason_of(error) if isinstance(error, OSError) and error.errno else text_of(error)
                    self._lost(asked.name, f"The artifact {shown(asked.name)} is not kept: {why}", error)
            if logged is not None:
                self._last[logged.name] = logged.digest
                return ArtifactDigest(
                    logged.digest,
                    name=logged.name,
                    size_bytes=logged.size_bytes,
                    file_count=logged.file_count,
                    is_folder=logged.is_folder,
                )
        return ArtifactDigest(name=asked.name)

    def _asked(self, source: Source, name: object, details: Details) -> Asked:
        """Return what was asked for, as far as it can be used.

        Raises:
            InvalidNameError: the name cannot be used.
        """
        context = self._core.context_here()
        place = place_of(context)
        span = trace.get_current_span(context).get_span_context()
        wanted = source.name if name is None else name
        if name is None and not wanted:
            raise InvalidNameError(
                kind="artifact name",
                name="",
                why="what is kept has no file name, and no name was given",
                fix='Give it one: run.log_artifact(data, name="NAME").',
            )
        called = self._name(wanted)
        return Asked(
            called,
            self._type(called, details.type),
            self._step(called, place.get(attr.ML_STEP_INDEX) if details.step is None else details.step),
            self._metadata(called, details.metadata),
            self._aliases(called, details.aliases),
            trace.format_span_id(span.span_id) if span.is_valid else "",
        )

    def _name(self, name: object) -> str:
        if not isinstance(name, str):
            raise InvalidNameError(
                kind="artifact name",
                name=shown(name),
                why=f"it is of type {type(name).__name__}, not a text",
                fix="Pass a str.",
            )
        found = why_no_name(name)
        if found is not None:
            raise InvalidNameError(kind="artifact name", name=name, why=found[0], fix=found[1])
        return str.__str__(name)

    def _type(self, name: str, kind: object) -> str:
        if kind is None:
            return ""
        try:
            return clean_name(kind, "type of an artifact")
        except InvalidNameError as error:
            self._tell(f"{error} It is kept without a type", name)
            return ""

    def _step(self, name: str, step: object) -> float | None:
        if step is None:
            return None
        try:
            return number_of(step)
        except Exception as error:  # whatever was passed
            if is_interruption(error):
                raise
            self._tell(f"step={shown(step)} is no number; it is kept without a step", name)
            return None

    def _metadata(self, name: str, metadata: object) -> Mapping[str, ParamValue]:
        if metadata is None:
            return {}
        core = self._core
        try:
            flat = flatten_params(
                metadata,
                lambda error, count: core.guard.lost("name", str(error), name=error.name, count=count),
                lambda kind, inner, what: core.guard.lost(kind, what, name=inner),
            )
        except TypeError as error:
            pass_on(error)
            self._tell(f"metadata={shown(metadata)} is no mapping; it is kept without", name)
            return {}
        return core.pipeline.redactor.mapping(flat, "metadata of an artifact")

    def _aliases(self, name: str, aliases: object) -> tuple[str, ...]:
        given = [aliases] if isinstance(aliases, str) else aliases
        if given is None:
            return ()
        if not isinstance(given, Iterable):
            self._tell(f"aliases={shown(aliases)} are no list of texts; it is kept without", name)
            return ()
        listed: list[object] = []
        try:
            listed.extend(given)
        except Exception as error:  # whatever was passed
            if is_interruption(error):
                raise
            what = f"its aliases raised {type(error).__name__} when they were read; those before that are set"
            self._tell(what, name)
        others = [
            one for one in listed if not (isinstance(one, str) and one == LATEST)
        ]  # which it is already
        return tuple(dict.fromkeys(str(alias) for alias in others if self._can_be_alias(name, alias)))

    def _can_be_alias(self, name: str, alias: object) -> bool:
        if not isinstance(alias, str):
            found: tuple[str, str] | None = (f"it is of type {type(alias).__name__}", "Pass a text.")
        else:
            found = why_no_alias(alias)
        if found is not None:
            text = InvalidNameError(kind="alias", name=text_of(alias), why=found[0], fix=found[1])
            self._core.guard.lost("artifact alias", f"Artifact {shown(name)}: {text}", name=text_of(alias))
        return found is None

    def _tell(self, what: str, name: str) -> None:
        self._core.guard.lost("artifact detail", f"Artifact {shown(name)}: {what}", name=name)

    def _lost(self, name: object, what: str, error: BaseException | None) -> None:
        self._core.guard.lost(KIND, what, name=text_of(name), error=error)

    def set_alias(self, ref: object, alias: object) -> None:
        """Set an alias of an artifact."""
        core = self._core
        if core.gate.is_closed:
            core.gate.refuse("artifact alias")
            return
        with core.guard:
            if not self._can_be_alias(text_of(ref), alias):
                return
            try:
                experiment, name, digest = self._named(ref)
            except ArtifactError as error:
                core.guard.lost(
                    "artifact alias", f"The alias {shown(alias)} is not set: {error}", name=text_of(alias)
                )
                return
            write_alias(
                core, AliasSet(experiment, name, cast("str", alias), digest, core.stamp_ns(), core.id)
            )

    def _named(self, ref: object) -> tuple[str, str, str]:
        """Return experiment, name and digest of what a text or an artifact refers to."""
        if isinstance(ref, ArtifactDigest) and ref:
            return self._core.experiment, ref.name, str(ref)
        if isinstance(ref, str) and ref in self._last:
            return self._core.experiment, ref, self._last[ref]
        found = self._find(ref)
        return found.experiment, found.name, found.digest

    def use(
        self, ref: object, expected_type: object = None, unknown: Mapping[str, object] | None = None
    ) -> UsedArtifact:
        """Return an artifact to read, and record that the run uses it.

        Raises:
            ArtifactNotFoundError: there is none.
            ConfigurationError: `ref` refers to nothing.
        """
        core = self._core
        with core.guard:
            tell_unknown(core.guard, "run.use_artifact", unknown or {})
        found = self._find(ref)
        if expected_type is not None and expected_type != found.type:
            say_once(
                f"run.use_artifact({shown(ref)}): its type is {shown(found.type)}, not {shown(expected_type)}."
            )
        if core.gate.is_closed:
            core.gate.refuse("artifact use")
        else:
            with core.guard:
                used = ArtifactUsed(core.id, found.digest, core.stamp_ns(), found.experiment, found.name)
                core.keep(encode.encode_artifact_use(used), "Uses of artifacts")
                core.pipeline.run_events.write_artifact_use(used)
        return found

    def _find(self, ref: object) -> UsedArtifact:
        """Return an artifact of the store, which is given first what this process has recorded."""
        if not isinstance(ref, str):
            if all(isinstance(getattr(ref, key, None), str) for key in ("experiment", "name", "digest")):
                return cast("UsedArtifact", ref)
            raise ConfigurationError(
                f"{shown(ref)} refers to no artifact: it is of type {type(ref).__name__}.\n"
                '  Pass "NAME", "NAME:ALIAS", a digest, or an artifact that was read.'
            )
        pipeline = self._core.pipeline
        pipeline.artifacts.wait(timeout_s=pipeline.settings.exit_timeout_s)
        storage = pipeline.storage
        if storage is None:
            raise ArtifactNotFoundError(wanted=ref, store=pipeline.settings.store, found="no store is kept")
        return storage.find_artifact(str.__str__(ref), self._core.experiment)


def _named_in(folder: object, source: Source) -> str | None:
    """Return the name of a file in a folder of artifacts, as other trackers have it; None where none is given."""
    if folder is None:
        return None
    return f"{text_of(folder).strip('/')}/{source.name}".strip("/")


def _spoken(what: object) -> str:
    """Return how something without a name is called where it is lost: a path by itself, bytes by nothing."""
    return text_of(what) if isinstance(what, (str, os.PathLike)) else ""
