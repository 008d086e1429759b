"""What a reader says of artifacts, whatever run they are of."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression
    from otel_experiments.query.artifact_source import ArtifactSource
    from otel_experiments.query.artifact_view import ArtifactView
    from otel_experiments.query.lineage import Lineage
    from otel_experiments.query.run_view import RunView
    from otel_experiments.store import Store


class ArtifactReader:
    """The part of a reader that is of artifacts."""

    _store: Store
    _artifacts: ArtifactSource
    _location: str

    def artifact(self, wanted: str, *, experiment: str | None = None) -> ArtifactView:
        """Return the artifact that a text means: `name` (its latest version), `name:best`, `name:v3`, or a digest.

        `experiment/name:best` names one of another experiment. Of a digest 8 digits are enough.

        Args:
            wanted: what is meant.
            experiment: where a name is looked for that names no experiment; without it in all.

        Raises:
            ArtifactNotFoundError: there is none; the error says what there is.
            AmbiguousArtifactError: the name is in several experiments, or several digests begin so.
        """
        from otel_experiments.query.artifact_search import find_artifact  # noqa: PLC0415 - few ask
        from otel_experiments.query.run_search import as_typed  # noqa: PLC0415 - few ask

        return find_artifact(self._artifacts, as_typed(wanted), experiment=experiment)

    def artifacts(
        self,
        *,
        experiment: str | None = None,
        name: str | None = None,
        type: str | None = None,  # noqa: A002 - the user's word
        where: str | Expression | None = None,
    ) -> list[ArtifactView]:
        """Return each version of each artifact, by experiment, name and version; each as it was logged last.

        Raises:
            SearchSyntaxError: `where` cannot be understood; the error points at the place.
        """
        from otel_experiments.query.artifact_search import list_artifacts  # noqa: PLC0415 - few ask

        return list_artifacts(self._artifacts, experiment=experiment, name=name, type=type, where=where)

    def lineage(self, of: str | RunView | ArtifactView, *, most: int = 1000) -> Lineage:
        """Return what a run or artifact came from and what came of it; `print` draws it.

        Args:
            of: a run, an artifact, or a text that means one: an artifact if there is one, else a run.
            most: so many runs and artifacts at most are visited in each direction.

        Raises:
            ArtifactNotFoundError: the text means neither an artifact nor a run.
            AmbiguousArtifactError: several artifacts are meant.
            AmbiguousRunError: several runs are meant.
        """
        from otel_experiments.query.lineage_search import lineage_of  # noqa: PLC0415 - few ask

        return lineage_of(self._artifacts, self._store, of, location=self._location, most=most)
