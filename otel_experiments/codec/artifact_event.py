"""The event by which a run says that it has kept bytes: made of the record, so that a journal need not hold it as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from otel_experiments.model.log import LogRecord
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv.events import ML_ARTIFACT_LOGGED
from otel_experiments.semconv.values import MlArtifactForm

if TYPE_CHECKING:
    from otel_experiments.model.artifact import ArtifactLogged
    from otel_experiments.model.span import AttributeValue, Resource, Scope

MAX_EVENT_CHARS: Final = 1000
"""As on the run's span and resource: OpenTelemetry advises against longer attributes. The body has the whole text."""
INFO: Final = (9, "INFO")
"""SeverityNumber of logs.proto, and its text."""
SAMPLED: Final = 1
_NAME: Final = ML_ARTIFACT_LOGGED.name
_FILE: Final = str(MlArtifactForm.FILE)
_FOLDER: Final = str(MlArtifactForm.FOLDER)


def artifact_event(logged: ArtifactLogged, resource: Resource, scope: Scope, span_id: str) -> LogRecord:
    """Return the event about an artifact. `span_id` is that of the run's root span, for one that has no span itself."""
    return LogRecord(
        time_ns=logged.time_ns,
        observed_time_ns=logged.time_ns,
        event_name=_NAME,
        severity_number=INFO[0],
        severity_text=INFO[1],
        body=_body(logged),
        attributes=_attributes(logged),
        trace_id=logged.run_id,
        span_id=logged.span_id or span_id,
        flags=SAMPLED,
        resource=resource,
        scope=scope,
        run_id=logged.run_id,
    )


def _attributes(logged: ArtifactLogged) -> dict[str, AttributeValue]:
    attributes: dict[str, AttributeValue] = {
        attr.ML_ARTIFACT_NAME: logged.name,
        attr.ARTIFACT_HASH: logged.digest,
        attr.ML_ARTIFACT_TYPE: logged.type,
        attr.ML_ARTIFACT_ROLE: logged.role,
        attr.ML_ARTIFACT_FORM: _FOLDER if logged.is_folder else _FILE,
        attr.ML_ARTIFACT_SIZE: logged.size_bytes,
    }
    if logged.is_folder:
        attributes[attr.ML_ARTIFACT_FILE_COUNT] = logged.file_count
    if logged.file_name:
        attributes[attr.ARTIFACT_FILENAME] = logged.file_name
    if logged.media_type:
        attributes[attr.ML_ARTIFACT_MEDIA_TYPE] = logged.media_type
    if logged.index:
        attributes[attr.ML_ARTIFACT_INDEX] = logged.index
    if logged.caption:
        attributes[attr.ML_ARTIFACT_CAPTION] = logged.caption[:MAX_EVENT_CHARS]
    if logged.place:
        attributes[attr.ML_ARTIFACT_URI] = logged.place
    if logged.step is not None:
        attributes[attr.ML_ARTIFACT_STEP] = float(logged.step)
    if logged.rank is not None:
        attributes[attr.ML_DISTRIBUTED_RANK] = logged.rank
    return attributes


def _body(logged: ArtifactLogged) -> AttributeValue:
    body: dict[str, object] = {"metadata": dict(logged.metadata)} if logged.metadata else {}
    if len(logged.caption) > MAX_EVENT_CHARS:
        body["caption"] = logged.caption
    return cast("AttributeValue", body or None)
