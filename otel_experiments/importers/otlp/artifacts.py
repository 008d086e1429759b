"""What the events about artifacts say: which bytes a run kept and used, and where aliases point."""

from __future__ import annotations

from collections.abc import Mapping

from otel_experiments.importers.otlp.attribute_values import text_of
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed, parse_digest
from otel_experiments.model.artifact_name import why_no_alias, why_no_name
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.values import MlArtifactForm, MlArtifactRole


def add_artifact(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    """Add what a run kept; an event without a name that an artifact can have, or without a digest, says nothing."""
    name, digest = _text(record, attr.ML_ARTIFACT_NAME), _digest(record)
    is_media = _text(record, attr.ML_ARTIFACT_ROLE) == MlArtifactRole.MEDIA
    if digest is None or not name or (not is_media and why_no_name(name) is not None):
        return
    is_folder = _text(record, attr.ML_ARTIFACT_FORM) == MlArtifactForm.FOLDER
    step = record.attributes.get(attr.ML_ARTIFACT_STEP)
    rank = record.attributes.get(attr.ML_DISTRIBUTED_RANK)
    body: Mapping[str, object] = record.body if isinstance(record.body, Mapping) else {}
    metadata, caption = body.get("metadata"), body.get("caption")
    batch.artifacts.append(
        ArtifactLogged(
            run_id=identity.run_id,
            experiment=_experiment(record),
            name=name,
            digest=digest,
            time_ns=record.time_ns,
            type=_text(record, attr.ML_ARTIFACT_TYPE) or "file",
            role="media" if is_media else "artifact",
            is_folder=is_folder,
            size_bytes=_count(record, attr.ML_ARTIFACT_SIZE, 0),
            file_count=_count(record, attr.ML_ARTIFACT_FILE_COUNT, 1) if is_folder else 1,
            file_name=_text(record, attr.ARTIFACT_FILENAME),
            media_type=_text(record, attr.ML_ARTIFACT_MEDIA_TYPE),
            step=float(step) if isinstance(step, (int, float)) and not isinstance(step, bool) else None,
            index=_count(record, attr.ML_ARTIFACT_INDEX, 0),
            caption=caption if isinstance(caption, str) else _text(record, attr.ML_ARTIFACT_CAPTION),
            metadata=metadata if isinstance(metadata, Mapping) else {},
            place=_text(record, attr.ML_ARTIFACT_URI),
            rank=rank if isinstance(rank, int) and 0 <= rank < 2**31 else None,
            span_id=record.span_id or "",
        )
    )


def add_use(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    """Add what a run used."""
    digest, name = _digest(record), _text(record, attr.ML_ARTIFACT_NAME)
    if digest is not None:
        experiment = _experiment(record) if name else ""
        batch.artifact_uses.append(ArtifactUsed(identity.run_id, digest, record.time_ns, experiment, name))


def add_alias(batch: WriteBatch, record: LogRecord, identity: Identity) -> None:
    """Add where a run let an alias point; one without a digest is taken away."""
    name, alias = _text(record, attr.ML_ARTIFACT_NAME), _text(record, attr.ML_ARTIFACT_ALIAS)
    digest = _digest(record)
    is_damaged = digest is None and attr.ARTIFACT_HASH in record.attributes
    if not is_damaged and why_no_name(name) is None and why_no_alias(alias) is None:
        batch.artifact_aliases.append(
            AliasSet(_experiment(record), name, alias, digest, record.time_ns, identity.run_id)
        )


def _digest(record: LogRecord) -> str | None:
    found = parse_digest(_text(record, attr.ARTIFACT_HASH))
    return None if found is None or found[1] else found[0]


def _experiment(record: LogRecord) -> str:
    """Return the experiment that a name belongs to: that of the run where the event says no other."""
    return _text(record, attr.ML_ARTIFACT_EXPERIMENT) or text_of(
        record.resource.attributes, attr.ML_EXPERIMENT_NAME
    )


def _text(record: LogRecord, key: str) -> str:
    found = record.attributes.get(key)
    return found if isinstance(found, str) else ""


def _count(record: LogRecord, key: str, default: int) -> int:
    found = record.attributes.get(key)
    return found if isinstance(found, int) and 0 <= found < 2**63 else default
