"""The lineage of what a text, a run or an artifact means."""

from __future__ import annotations

from otel_experiments.errors import ArtifactNotFoundError, RunNotFoundError
from otel_experiments.query.artifact_search import find_artifact
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.lineage import Lineage, lineage_of_artifact, lineage_of_run
from otel_experiments.query.run_search import as_typed, find_run
from otel_experiments.query.run_view import RunView
from otel_experiments.store import Store


def lineage_of(
    source: ArtifactSource, store: Store, of: str | RunView | ArtifactView, *, location: str, most: int
) -> Lineage:
    """Return what a run or artifact came from and what came of it; `location` is the store's address in errors.

    Raises:
        ArtifactNotFoundError: a text means neither an artifact nor a run.
        AmbiguousArtifactError: several artifacts are meant.
        AmbiguousRunError: several runs are meant.
    """
    if isinstance(of, RunView):
        return lineage_of_run(source, of.id, most=most)
    if not isinstance(of, str):
        return lineage_of_artifact(source, of, most=most)
    try:
        view = find_artifact(source, as_typed(of), experiment=None)
    except ArtifactNotFoundError:
        try:
            run = find_run(store, of, location=location)
        except RunNotFoundError:
            run = None
        if run is None:
            raise
        return lineage_of_run(source, run.run_id, most=most)
    return lineage_of_artifact(source, view, most=most)
