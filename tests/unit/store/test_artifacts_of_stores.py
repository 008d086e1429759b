"""What every store says of artifacts: versions, aliases, uses, whatever keeps its data."""

from __future__ import annotations

import math
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from otel_experiments.model.artifact import (
    AliasSet,
    ArtifactLogged,
    ArtifactQuery,
    ArtifactUsed,
    StoredArtifact,
)
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.schema import MIGRATIONS
from otel_experiments.store.sqlite.write_artifacts import ArtifactWriter
from otel_experiments.store.sqlite.write_origin import OriginWriter
from otel_experiments.store.sqlite.write_run import RunWriter

RUN, OTHER = "a" * 32, "b" * 32
ONE, TWO, THREE = (f"sha256:{digit * 64}" for digit in "123")
FORMER = Path(__file__).parents[2] / "data" / "store_v4.db"


def a_model(digest: str = ONE, time_ns: int = 10, run_id: str = RUN, **changes: object) -> ArtifactLogged:
    """A record of a model that a run logged."""
    return replace(ArtifactLogged(run_id, "digits", "model", digest, time_ns, type="model"), **changes)


def names(found: list[StoredArtifact]) -> list[tuple[str, int | None, tuple[str, ...]]]:
    """Name, version and aliases of what was found."""
    return [(one.logged.name, one.version, one.aliases) for one in found]


def test_a_record_comes_back_as_it_was_logged(store):
    """Every field that a run gave is there again, also where the run's own record has not arrived."""
    logged = a_model(
        is_folder=True, size_bytes=7, file_count=2, file_name="out.pt", media_type="x/y", step=1.5,
        caption="a note", metadata={"f1": 0.5, "odd": math.inf}, place="s3://bucket", rank=1, span_id="c" * 16,
    )  # fmt: skip

    store.apply(WriteBatch(artifacts=[logged]))

    assert store.artifacts(ArtifactQuery()) == [StoredArtifact(logged, 0, ("latest",))]
    assert store.get_run(RUN).state is RunState.PENDING


def test_each_digest_under_a_name_is_a_version_and_the_same_digest_is_the_same(store):
    """v0, v1 in the order of arrival; a digest that comes again keeps its number, and `latest` follows it by time."""
    store.apply(WriteBatch(artifacts=[a_model(ONE, 10), a_model(TWO, 20)]))
    assert names(store.artifacts(ArtifactQuery())) == [("model", 0, ()), ("model", 1, ("latest",))]

    store.apply(WriteBatch(artifacts=[a_model(ONE, 30, OTHER)]))

    assert names(store.artifacts(ArtifactQuery())) == [
        ("model", 0, ("latest",)),
        ("model", 1, ()),
        ("model", 0, ("latest",)),
    ]


def test_a_batch_that_repeats_digests_gives_each_one_number(store):
    """Records that come again, and digests that do, take no number, wherever they are in what is stored at once."""
    again = a_model(ONE, 10)
    store.apply(WriteBatch(artifacts=[a_model(TWO, 5)]))

    store.apply(WriteBatch(artifacts=[again, a_model(ONE, 20), a_model(THREE, 30), again, a_model(TWO, 40)]))

    assert [
        (one.logged.digest, one.logged.time_ns, one.version) for one in store.artifacts(ArtifactQuery())
    ] == [
        (TWO, 5, 0),
        (ONE, 10, 1),
        (ONE, 20, 1),
        (THREE, 30, 2),
        (TWO, 40, 0),
    ]


def test_a_name_belongs_to_its_experiment(store):
    """Two experiments that log `model` have versions of their own."""
    store.apply(WriteBatch(artifacts=[a_model(ONE), a_model(TWO, experiment="letters")]))

    found = store.artifacts(ArtifactQuery(name="model", version=0))
    assert [one.logged.experiment for one in found] == ["digits", "letters"]
    assert len(store.artifacts(ArtifactQuery(experiment="letters"))) == 1


def test_an_alias_points_where_it_was_set_last(store):
    """`best` moves with the latest time, whatever arrives last, and can be taken away."""
    store.apply(
        WriteBatch(
            artifacts=[a_model(ONE, 10), a_model(TWO, 20)],
            artifact_aliases=[
                AliasSet("digits", "model", "best", TWO, 50, RUN),
                AliasSet("digits", "model", "best", ONE, 40, OTHER),
            ],
        )
    )
    assert [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="best"))] == [TWO]
    assert names(store.artifacts(ArtifactQuery(version=1))) == [("model", 1, ("latest", "best"))]

    store.apply(WriteBatch(artifact_aliases=[AliasSet("digits", "model", "best", None, 60)]))
    assert store.artifacts(ArtifactQuery(alias="best")) == []


@pytest.mark.parametrize("is_turned", [False, True])
def test_two_aliases_of_the_same_time_end_the_same_in_any_order(store, is_turned):
    """Processes that set `best` in the same nanosecond: which one counts does not depend on who is stored first."""
    store.apply(WriteBatch(artifacts=[a_model(ONE, 10), a_model(TWO, 20)]))
    aliases = [AliasSet("digits", "model", "best", digest, 50) for digest in (ONE, TWO)]
    for alias in reversed(aliases) if is_turned else aliases:
        store.apply(WriteBatch(artifact_aliases=[alias]))

    assert [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="best"))] == [TWO]


@pytest.mark.parametrize("is_turned", [False, True])
def test_of_two_versions_of_the_same_time_the_latest_is_the_same_in_any_order(store, is_turned):
    """Two ranks that log in the same nanosecond: `latest` does not depend on who is stored first."""
    models = [a_model(ONE, 10), a_model(TWO, 10)]
    for model in reversed(models) if is_turned else models:
        store.apply(WriteBatch(artifacts=[model]))

    assert [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="latest"))] == [TWO]


def test_an_alias_that_points_at_nothing_is_not_there(store):
    """An alias whose artifact was not logged under the name is shown nowhere, until it arrives."""
    store.apply(
        WriteBatch(artifacts=[a_model(ONE)], artifact_aliases=[AliasSet("digits", "model", "best", TWO, 1)])
    )
    assert store.artifacts(ArtifactQuery(alias="best")) == []

    store.apply(WriteBatch(artifacts=[a_model(TWO)]))
    assert [one.logged.digest for one in store.artifacts(ArtifactQuery(alias="best"))] == [TWO]


def test_what_arrives_twice_is_there_once(store):
    """A batch that is applied again, as after an interrupted transfer, changes nothing."""
    batch = WriteBatch(
        artifacts=[a_model(ONE), a_model(TWO, 20, role="media", step=3.0)],
        artifact_uses=[ArtifactUsed(RUN, TWO, 5, "digits", "model")],
        artifact_aliases=[AliasSet("digits", "model", "best", ONE, 1)],
    )
    store.apply(batch)
    before = store.artifacts(ArtifactQuery(role=None)), store.artifact_uses()

    store.apply(batch)

    assert (store.artifacts(ArtifactQuery(role=None)), store.artifact_uses()) == before


@pytest.mark.parametrize("is_turned", [False, True])
def test_two_forms_of_a_record_become_one_in_any_order(store, is_turned):
    """A record of which one form says less (a long caption was cut on the way) is kept in the form that says more."""
    forms = [a_model(caption="cut..."), a_model(caption="the whole caption")]
    for one in reversed(forms) if is_turned else forms:
        store.apply(WriteBatch(artifacts=[one]))

    assert [one.logged.caption for one in store.artifacts(ArtifactQuery())] == ["the whole caption"]


def test_media_have_no_versions_and_are_listed_apart(store):
    """Images over steps do not mix with artifacts, and come in the order of time and position."""
    images = [
        ArtifactLogged(RUN, "digits", "img", ONE, 10 + step, role="media", step=float(step), index=index)
        for step in (1, 0)
        for index in (1, 0)
    ]
    store.apply(WriteBatch(artifacts=[a_model(), *images]))

    found = store.artifacts(ArtifactQuery(role="media", name="img"))
    assert [(one.logged.step, one.logged.index) for one in found] == [(0.0, 0), (0.0, 1), (1.0, 0), (1.0, 1)]
    assert {one.version for one in found} == {None}
    assert names(store.artifacts(ArtifactQuery())) == [("model", 0, ("latest",))]


def test_a_step_that_is_no_number_is_no_step(store):
    """A NaN step is kept as none in every store."""
    store.apply(WriteBatch(artifacts=[a_model(step=math.nan), a_model(TWO, step=math.inf)]))

    assert {one.logged.step for one in store.artifacts(ArtifactQuery())} == {None, math.inf}


def test_artifacts_are_found_by_each_condition(store):
    """By run, type, digest, the beginning of a digest, version, alias: alone and together."""
    data = ArtifactLogged(OTHER, "digits", "data", THREE, 5, type="dataset")
    store.apply(WriteBatch(artifacts=[a_model(ONE, 10), a_model(TWO, 20), data]))

    def found(**query: object) -> list[str]:
        return [one.logged.digest for one in store.artifacts(ArtifactQuery(**query))]

    assert found(run_ids=(OTHER,)) == [THREE]
    assert found(run_ids=()) == []
    assert found(type="model") == [ONE, TWO]
    assert found(digest=TWO) == [TWO]
    assert found(digest="sha256:2222222") == []
    assert found(digest="sha256:22222222", is_prefix=True) == [TWO]
    assert found(alias="latest") == [THREE, TWO]
    assert found(alias="latest", name="model") == [TWO]
    assert found(version=0, name="model") == [ONE]
    assert found(version=2) == []
    assert found(role="media") == []


def test_uses_are_found_by_run_and_by_digest_and_the_first_counts(store):
    """A run that uses an artifact in every epoch is one use, of the first time."""
    store.apply(
        WriteBatch(
            artifact_uses=[
                ArtifactUsed(RUN, ONE, 9, "digits", "data"),
                ArtifactUsed(RUN, ONE, 5, "digits", "data"),
                ArtifactUsed(OTHER, ONE, 7),
                ArtifactUsed(OTHER, TWO, 8),
            ]
        )
    )

    assert store.artifact_uses(run_ids=[RUN]) == [ArtifactUsed(RUN, ONE, 5, "digits", "data")]
    assert [used.run_id for used in store.artifact_uses(digests=[ONE])] == [RUN, OTHER]
    assert [used.digest for used in store.artifact_uses(run_ids=[OTHER])] == [ONE, TWO]
    assert len(store.artifact_uses()) == 3


def test_a_version_that_another_store_gave_is_kept_where_it_is_free(store):
    """Merged runs keep `v5`, and where another digest has the number, the next one follows the greatest."""
    store.apply(WriteBatch(artifacts=[a_model(ONE, version=5)]))
    store.apply(WriteBatch(artifacts=[a_model(TWO, 20, version=5), a_model(THREE, 30)]))

    assert [one.version for one in store.artifacts(ArtifactQuery())] == [5, 6, 7]


def test_a_number_beyond_all_versions_is_not_taken(store):
    """A damaged number from elsewhere leaves room for the versions to come."""
    store.apply(WriteBatch(artifacts=[a_model(ONE, version=2**62), a_model(TWO, 20, version=10**9 - 1)]))
    store.apply(WriteBatch(artifacts=[a_model(THREE, 30, version=-1)]))

    assert [one.version for one in store.artifacts(ArtifactQuery())] == [0, 10**9 - 1, 1]


def test_merging_runs_of_another_store_doubles_nothing_and_keeps_what_was_said(store):
    """Pages of a run, applied in another store twice, give its artifacts, versions, aliases and uses once."""
    with open_store("sqlite://:memory:") as source:
        source.apply(
            WriteBatch(
                artifacts=[a_model(ONE, 10), a_model(TWO, 20, OTHER), a_model(THREE, 30, role="media")],
                artifact_uses=[ArtifactUsed(OTHER, ONE, 15, "digits", "model")],
                artifact_aliases=[
                    AliasSet("digits", "model", "best", ONE, 40),
                    AliasSet("digits", "model", "gone", None, 41),
                    AliasSet("letters", "model", "mine", ONE, 42, OTHER),
                ],
            )
        )
        for _ in range(2):
            for run_id in (OTHER, RUN):
                for page in source.whole_run(run_id):
                    store.apply(page)

        assert store.artifacts(ArtifactQuery(role=None)) == source.artifacts(ArtifactQuery(role=None))
        assert store.artifact_uses() == source.artifact_uses()
        said = [
            [alias for page in one.whole_run(OTHER) for alias in page.artifact_aliases]
            for one in (store, source)
        ]
        assert said[0] == said[1]
        assert {alias.alias for alias in said[0]} == {"best", "gone", "mine"}


def test_a_store_of_the_former_schema_gets_the_tables_of_artifacts(tmp_path):
    """A store of an earlier release keeps its runs, and takes artifacts from now on."""
    path = tmp_path / "experiments.db"
    shutil.copy(FORMER, path)

    with open_store(path) as store:
        assert store.get_run(RUN).name == "brave-otter"
        assert store.artifacts(ArtifactQuery(role=None)) == []
        store.apply(WriteBatch(artifacts=[a_model()]))
    with open_store(path, read_only=True) as store:
        assert names(store.artifacts(ArtifactQuery())) == [("model", 0, ("latest",))]


def test_a_row_that_cannot_be_read_is_left_out_and_named(tmp_path):
    """A row that another program damaged hides nothing but itself, and is mended when its record comes again."""
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[Run(RUN, "digits", "n", RunState.RUNNING, 1)], artifacts=[a_model(ONE)]))
        store.apply(WriteBatch(artifacts=[a_model(TWO, 20)]))
    connection = sqlite3.connect(path)
    connection.execute("update artifacts set metadata = '[1' where digest = ?", (ONE,))
    connection.commit()
    connection.close()

    with open_store(path) as store:
        with pytest.warns(match="artifact_id = 1"):
            assert [one.logged.digest for one in store.artifacts(ArtifactQuery())] == [TWO]
        store.apply(WriteBatch(artifacts=[a_model(ONE)]))
        assert len(store.artifacts(ArtifactQuery())) == 2


def test_the_next_version_costs_as_much_as_the_first() -> None:
    """A run that logs one name thousands of times is stored as fast as one that logs it ten times."""

    def steps_after(count: int) -> int:
        taken = 0

        def step() -> None:
            nonlocal taken
            taken += 1

        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
            for statements in MIGRATIONS:
                for statement in statements:
                    connection.execute(statement)
            writer = ArtifactWriter(RunWriter(OriginWriter()))
            digests = [f"sha256:{number:064x}" for number in range(count + 1)]
            logged = [ArtifactLogged("ab" * 16, "digits", "model", one, 1) for one in digests]
            writer.write(connection, WriteBatch(artifacts=logged[:-1]))
            connection.set_progress_handler(step, 1)
            writer.write(connection, WriteBatch(artifacts=logged[-1:]))
        return taken

    assert steps_after(5000) < 2 * steps_after(10)
