"""What one run logged as artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from otel_experiments._short_repr import short
from otel_experiments.errors import ArtifactNotFoundError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.closest import closest

if TYPE_CHECKING:
    from otel_experiments.model.search import Expression


class ArtifactsView(Mapping[str, ArtifactView]):
    """What a run logged as artifacts, by name: of each the one logged last; `all` has every one."""

    def __init__(self, source: ArtifactSource, run_id: str) -> None:
        self._source = source
        self._run_id = run_id
        self._stored = source.store.artifacts(ArtifactQuery(run_ids=(run_id,)))
        self._all = [ArtifactView(one, source) for one in self._stored]
        self._by_name = {view.name: view for view in self._all}

    def all(self) -> list[ArtifactView]:
        """Return every artifact that the run logged, in the order of time."""
        return list(self._all)

    def where(self, condition: str | Expression) -> list[ArtifactView]:
        """Return those of which a search expression is true, in the order of time: `type == "model" and step > 100`.

        Args:
            condition: an expression over `name`, `type`, `size` (in bytes), `step`, `aliases`, `metadata["key"]`, ...; what is not there
                fulfils no comparison.

        Raises:
            SearchSyntaxError: it cannot be understood; the error points at the place.
        """
        from otel_experiments.query.artifact_condition import condition_of  # noqa: PLC0415 - few search

        is_meant = condition_of(condition)
        return [view for view, stored in zip(self._all, self._stored, strict=True) if is_meant(stored)]

    def __getitem__(self, name: str) -> ArtifactView:
        """Return what the run logged last under a name.

        Raises:
            ArtifactNotFoundError: it logged nothing under the name.
        """
        found = self._by_name.get(name)
        if found is None:
            nearest = closest(name, list(self._by_name))
            known = ", ".join(list(self._by_name)[:5]) or "none"
            raise ArtifactNotFoundError(
                wanted=name,
                store=self._source.location,
                found=f"run {self._run_id[:8]} logged {known}",
                suggestions=[nearest] if nearest else [],
            )
        return found

    def get(self, name: str, default: ArtifactView | None = None) -> ArtifactView | None:  # type: ignore[override] # no other default makes sense
        """Return what the run logged last under a name, or the default."""
        return self._by_name.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.artifact_html import artifacts_html  # noqa: PLC0415 - only notebooks ask

        return artifacts_html(f"Artifacts of run {self._run_id[:8]}", self._all)

    def __repr__(self) -> str:
        return f"ArtifactsView({short(list(self._by_name))})"
