"""A saved model is tied to its run: kept as an artifact, with a file beside it that says which run made it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from otel_experiments.codec.model_link import ModelLink, dump_link, link_path
from otel_experiments.codec.text import shown, text_of
from otel_experiments.errors import OtelExperimentsError
from otel_experiments.process.interruption import Swallowing, pass_on
from otel_experiments.record.base.other_trackers import tell_unknown

if TYPE_CHECKING:
    from otel_experiments.record.base.artifact_digest import ArtifactDigest
    from otel_experiments.record.run.artifacts import Artifacts, Details
    from otel_experiments.record.run.core import RunCore


def link_model(
    core: RunCore,
    artifacts: Artifacts,
    path: str | os.PathLike[str],
    name: str | None,
    details: Details,
    unknown: Mapping[str, object],
) -> ArtifactDigest:
    """Keep a saved model and write the file beside it. Raises nothing of its own."""
    with core.guard:
        tell_unknown(core.guard, "run.link_model", unknown)
    kept = cast("ArtifactDigest", artifacts.log(path, name, details=details))
    if kept:
        with core.guard:
            try:
                _write(link_path(os.fsdecode(path)), dump_link(_link_of(core, kept)))
            except (OtelExperimentsError, OSError, TypeError, ValueError) as error:
                pass_on(error)
                what = f"The model {shown(path)} is kept, and nothing beside it says so: {text_of(error)}"
                core.guard.lost("model link", what, name=text_of(path), error=error)
    return kept


def _link_of(core: RunCore, kept: ArtifactDigest) -> ModelLink:
    storage = core.pipeline.storage
    run, used = ({"run_id": core.id}, ()) if storage is None else storage.describe_run(core.id)
    store = core.pipeline.store_path
    return ModelLink(
        digest=str(kept),
        size_bytes=kept.size_bytes,
        name=kept.name,
        store=str(store or core.pipeline.settings.shown_store),
        run=run or {"run_id": core.id, "name": core.name, "experiment": core.experiment},
        used=tuple(used),
    )


def _write(path: Path, text: str) -> None:
    """Write a whole file or none."""
    partial = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    except BaseException:
        with Swallowing(OSError):
            partial.unlink(missing_ok=True)
        raise
