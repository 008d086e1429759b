"""Artifacts: versions, aliases and uses of bytes that runs logged."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from otel_experiments.model.artifact import (
    AliasSet,
    ArtifactLogged,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.store import Store
from otel_experiments.testing.store_contract.given import OTHER, RUN

_ONE, _TWO, _THREE = (f"sha256:{digit * 64}" for digit in "123")


def _a_model(digest: str = _ONE, time_ns: int = 10, run_id: str = RUN, **changes: Any) -> ArtifactLogged:
    """A record of a model that a run logged."""
    return replace(ArtifactLogged(run_id, "digits", "model", digest, time_ns, type="model"), **changes)


def _best(digest: str | None, time_ns: int) -> AliasSet:
    return AliasSet("digits", "model", "best", digest, time_ns)


class ArtifactContract:
    """Artifacts: versions, aliases and uses of bytes that runs logged."""

    def test_an_artifact_comes_back_as_it_was_logged(self, store: Store) -> None:
        """Every field is there again, also where the run's own record has not arrived."""
        logged = _a_model(
            is_folder=True, size_bytes=7, file_count=2, file_name="out.pt", media_type="x/y", step=1.5, caption="a note",
            metadata={"f1": 0.5, "odd": math.inf}, place="s3://bucket", rank=1, span_id="c" * 16,
        )  # fmt: skip

        store.apply(WriteBatch(artifacts=[logged]))

        assert store.artifacts(ArtifactQuery()) == [StoredArtifact(logged, 0, ("latest",))]
        assert store.get_run(RUN) is not None

    def test_each_digest_under_a_name_is_a_version(self, store: Store) -> None:
        """Numbers follow the arrival, a digest that comes again keeps its own, and each experiment counts for itself."""
        store.apply(WriteBatch(artifacts=[_a_model(_ONE, 10), _a_model(_TWO, 20)]))
        store.apply(
            WriteBatch(artifacts=[_a_model(_ONE, 30, OTHER), _a_model(_THREE, 40, experiment="letters")])
        )

        found = [(one.logged.digest, one.version, one.aliases) for one in store.artifacts(ArtifactQuery())]

        assert found == [
            (_ONE, 0, ("latest",)),
            (_TWO, 1, ()),
            (_ONE, 0, ("latest",)),
            (_THREE, 0, ("latest",)),
        ]

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_an_alias_points_where_it_was_set_last(self, store: Store, order: tuple[int, ...]) -> None:
        """The latest time counts whatever arrives last; None takes an alias away; what was never logged has none."""
        aliases = [_best(_ONE, 40), _best(_TWO, 50)]
        store.apply(WriteBatch(artifacts=[_a_model(_ONE, 10)]))
        for place in order:
            store.apply(WriteBatch(artifact_aliases=[aliases[place]]))
        before = store.artifacts(ArtifactQuery(alias="best"))
        store.apply(WriteBatch(artifacts=[_a_model(_TWO, 20)]))
        after = [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="best"))]
        store.apply(WriteBatch(artifact_aliases=[_best(None, 60)]))

        assert (before, after) == ([], [_TWO])
        assert store.artifacts(ArtifactQuery(alias="best")) == []

    def test_artifacts_that_arrive_twice_are_there_once(self, store: Store) -> None:
        """A batch that is applied again, as after an interrupted transfer, changes nothing."""
        batch = WriteBatch(
            artifacts=[_a_model(), _a_model(_TWO, 20, role="media", step=3.0)],
            artifact_uses=[ArtifactUsed(RUN, _TWO, 5, "digits", "model")],
            artifact_aliases=[_best(_ONE, 1)],
        )

        store.apply(batch)
        once = store.artifacts(ArtifactQuery(role=None)), store.artifact_uses()
        store.apply(batch)

        assert (len(once[0]), len(once[1])) == (2, 1)
        assert (store.artifacts(ArtifactQuery(role=None)), store.artifact_uses()) == once

    def test_artifacts_are_found_by_each_condition(self, store: Store) -> None:
        """By role, run, type, digest, the beginning of a digest, version and alias."""
        data = ArtifactLogged(OTHER, "digits", "data", _THREE, 5, type="dataset")
        image = _a_model(_ONE, 30, role="media")
        store.apply(WriteBatch(artifacts=[_a_model(_ONE, 10), _a_model(_TWO, 20), data, image]))

        def found(**query: Any) -> list[str]:
            return [one.logged.digest for one in store.artifacts(ArtifactQuery(**query))]

        assert found() == [_THREE, _ONE, _TWO]
        assert found(role="media") == [_ONE]
        assert found(run_ids=(OTHER,)) == [_THREE]
        assert found(run_ids=()) == []
        assert found(type="model") == [_ONE, _TWO]
        assert found(digest="sha256:2222222") == []
        assert found(digest="sha256:22222222", is_prefix=True) == [_TWO]
        assert found(alias="latest", name="model") == [_TWO]
        assert found(version=0, name="model") == [_ONE]

    def test_uses_are_found_by_run_and_digest_and_the_first_counts(self, store: Store) -> None:
        """A run that uses an artifact in every epoch is one use, of the first time."""
        first = ArtifactUsed(RUN, _ONE, 5, "digits", "data")
        others = [ArtifactUsed(OTHER, _ONE, 7), ArtifactUsed(OTHER, _TWO, 8)]
        store.apply(WriteBatch(artifact_uses=[replace(first, time_ns=9), first, *others]))

        assert store.artifact_uses() == [first, *others]
        assert store.artifact_uses(run_ids=[RUN]) == [first]
        assert store.artifact_uses(digests=[_TWO]) == [others[1]]

    def test_a_whole_run_has_its_artifacts(self, store: Store) -> None:
        """The pages of a run have what it logged and used, with the versions, and the aliases of these names."""
        used = ArtifactUsed(RUN, _TWO, 5, "digits", "data")
        store.apply(
            WriteBatch(artifacts=[_a_model()], artifact_uses=[used], artifact_aliases=[_best(_ONE, 1)])
        )

        pages = list(store.whole_run(RUN))

        assert [one for page in pages for one in page.artifacts] == [_a_model(version=0)]
        assert [one for page in pages for one in page.artifact_uses] == [used]
        assert [one for page in pages for one in page.artifact_aliases] == [_best(_ONE, 1)]
