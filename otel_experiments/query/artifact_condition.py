"""Which artifacts a search expression is true of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_experiments.model.artifact import StoredArtifact
    from otel_experiments.model.search import Expression


def condition_of(where: str | Expression | None) -> Callable[[StoredArtifact], bool]:
    """Return what tells whether an artifact is meant; without an expression each is.

    Raises:
        SearchSyntaxError: the expression cannot be understood.
        QueryError: it compares what cannot be compared.
    """
    if where is None:
        return lambda _: True
    from otel_experiments.query.search.parser import parse_search  # noqa: PLC0415 - few search
    from otel_experiments.query.search.records import ARTIFACTS  # noqa: PLC0415 - as above
    from otel_experiments.store.semantics.record_values import artifact_values  # noqa: PLC0415 - as above
    from otel_experiments.store.semantics.search import check, matches  # noqa: PLC0415 - as above

    wanted = parse_search(where, subject=ARTIFACTS) if isinstance(where, str) else where
    check(wanted)
    return lambda stored: matches(wanted, artifact_values(stored))
