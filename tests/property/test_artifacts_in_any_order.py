"""What stores say of artifacts does not depend on the order in which records arrive, but for the numbers of versions."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactQuery, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.store import open_store

RUNS = st.sampled_from(["a" * 32, "b" * 32])
EXPERIMENTS = st.sampled_from(["digits", "letters"])
NAMES = st.sampled_from(["model", "data/train"])
DIGESTS = st.sampled_from([f"sha256:{digit * 64}" for digit in "123"])
TIMES = st.integers(1, 4)
LOGGED = st.builds(
    ArtifactLogged,
    run_id=RUNS,
    experiment=EXPERIMENTS,
    name=NAMES,
    digest=DIGESTS,
    time_ns=TIMES,
    role=st.sampled_from(["artifact", "media"]),
    step=st.none() | st.sampled_from([0.0, -0.0, 1.0]),
    caption=st.sampled_from(["", "a", "b"]),
    metadata=st.dictionaries(st.sampled_from("xy"), st.integers(0, 2), max_size=2),
)
RECORDS = st.lists(
    st.one_of(
        LOGGED,
        st.builds(ArtifactUsed, RUNS, DIGESTS, TIMES, EXPERIMENTS, NAMES),
        st.builds(
            AliasSet, EXPERIMENTS, NAMES, st.sampled_from(["best", "old"]), st.none() | DIGESTS, TIMES, RUNS
        ),
    ),
    max_size=8,
)
FIELDS = {ArtifactLogged: "artifacts", ArtifactUsed: "artifact_uses", AliasSet: "artifact_aliases"}


def batch_of(records):
    """A batch of records of any kind."""
    batch = WriteBatch()
    for record in records:
        getattr(batch, FIELDS[type(record)]).append(record)
    return batch


def seen(store):
    """What a store says of artifacts; of versions only which digests share a name, each with one number of its own."""
    stored = store.artifacts(ArtifactQuery(role=None))
    numbers = {
        (one.logged.experiment, one.logged.name, one.logged.digest): one.version
        for one in stored
        if one.logged.role == "artifact"
    }
    taken = {(experiment, name, number) for (experiment, name, _), number in numbers.items()}
    assert len(taken) == len(numbers)
    shown = [replace(one, version=None) for one in stored]
    return repr(shown), store.artifact_uses(), sorted(numbers)


@settings(max_examples=60)
@given(records=RECORDS, data=st.data())
def test_any_order_and_any_repetition_gives_the_same(records, data):
    """In SQLite and in memory; in one batch, or one by one in another order, some of it twice."""
    turned = data.draw(st.permutations(records))
    again = data.draw(st.lists(st.sampled_from(records), max_size=3)) if records else []
    found = []
    for location, order in (
        ("sqlite://:memory:", records),
        ("memory://", records),
        ("sqlite://:memory:", [*turned, *again]),
        ("memory://", [*turned, *again]),
    ):
        with open_store(location) as store:
            if order is records:
                store.apply(batch_of(records))
            for record in () if order is records else order:
                store.apply(batch_of([record]))
            found.append(seen(store))

    assert found[1:] == found[:1] * 3


@settings(max_examples=60)
@given(records=RECORDS)
def test_both_stores_give_the_same_numbers(records):
    """Versions are numbered in the order of arrival, from 0 and without a gap."""
    found = []
    for location in ("sqlite://:memory:", "memory://"):
        with open_store(location) as store:
            store.apply(batch_of(records))
            found.append([one.version for one in store.artifacts(ArtifactQuery())])
            by_name = {}
            for one in store.artifacts(ArtifactQuery()):
                by_name.setdefault((one.logged.experiment, one.logged.name), set()).add(one.version)
            assert all(numbers == set(range(len(numbers))) for numbers in by_name.values())

    assert found[0] == found[1]


@settings(max_examples=40)
@given(records=RECORDS, others=RECORDS)
def test_merging_a_store_twice_is_merging_it_once(records, others):
    """Runs of a store, brought into another that has artifacts of its own: nothing is doubled, and nothing is renumbered again."""
    with open_store("sqlite://:memory:") as source, open_store("sqlite://:memory:") as target:
        source.apply(batch_of(records))
        target.apply(batch_of(others))
        states = []
        for _ in range(2):
            for run_id in ("a" * 32, "b" * 32):
                if source.get_run(run_id) is not None:
                    for page in source.whole_run(run_id):
                        target.apply(page)
            states.append(target.artifacts(ArtifactQuery(role=None)))

        assert states[0] == states[1]
        logged = {repr(one.logged) for one in source.artifacts(ArtifactQuery(role=None))}
        assert len(states[0]) >= len(logged)
