"""Stores into stores: what both have is there once, whatever came first."""

import math
import threading

import pytest

import otel_experiments as ox
from otel_experiments._merge import import_store
from otel_experiments.errors import ConfigurationError, StoreNotFoundError
from otel_experiments.importers.stores.points import KnownPoints
from otel_experiments.model.batch import Heartbeat, ParamSet, RunStateChange, TagSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, Points, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.search import RunQuery
from otel_experiments.model.span import Span
from otel_experiments.model.unsent import Unsent
from otel_experiments.store import open_store

RUN = "0af7651916cd43dd8448eb211c80319c"
OTHER = "1bf7651916cd43dd8448eb211c80319c"
LOSS = SeriesKey("loss", "train")


def block(values, *, first=0, run_id=RUN, key=LOSS, time_ns=None):
    """Return points of one series, a step and a millisecond apart, or all of one time."""
    steps = [float(first + index) for index in range(len(values))]
    times = [10**18 + int(step) * 10**6 if time_ns is None else time_ns for step in steps]
    return PointBlock(run_id, (key,), steps, times, (list(values),))


def a_run(run_id=RUN, name="one", **facts):
    """Return a run that has succeeded."""
    return Run(run_id, "digits", name, RunState.SUCCEEDED, created_ns=1, started_ns=1, ended_ns=9, **facts)


@pytest.fixture
def store_of(tmp_path):
    """Return what makes a store of batches and gives its path."""

    def make(name, *batches):
        with open_store(tmp_path / name) as store:
            for batch in batches:
                store.apply(batch)
        return tmp_path / name

    return make


def contents(path):
    """Return all that a store holds, in an order that does not depend on how it came there."""
    found = {}
    with open_store(path, read_only=True) as store:
        for run_id in [run.run_id for run in store.find_runs(RunQuery())] + [None]:
            for page in store.whole_run(run_id):
                for name in WriteBatch.__slots__:
                    rows = getattr(page, name)
                    if name == "points":
                        rows = [
                            (row.run_id, row.keys, point)
                            for row in rows
                            for point in zip(
                                row.steps, row.times_ns, map(float.hex, row.values[0]), strict=True
                            )
                        ]
                    found.setdefault((run_id, name), []).extend(map(repr, rows))
    return {key: sorted(rows) for key, rows in found.items() if rows}


def test_a_store_is_taken_as_it_is(store_of, tmp_path):
    """A store that is imported into an empty one is there as it was: runs, labels, points with their bits, spans, logs."""
    span = Span(RUN, "b7ad6b7169203331", "epoch", 5, 8, run_id=RUN)
    record = LogRecord(6, 6, body="half way", run_id=RUN)
    path = store_of(
        "a.db",
        WriteBatch(
            runs=[a_run()],
            params=[ParamSet(RUN, "lr", 0.1, 3)],
            tags=[TagSet(RUN, "kept", "yes", 3), TagSet(RUN, "gone", None, 4)],
            points=[block([0.5, math.nan, -0.0, math.inf])],
            spans=[span],
            log_records=[record],
        ),
        WriteBatch(log_records=[LogRecord(7, 7, body="of no run")]),
    )

    report = import_store(path, store=tmp_path / "b.db")

    assert contents(tmp_path / "b.db") == contents(path)
    assert (report.new_run_ids, report.known_run_ids, report.new_point_count) == ([RUN], [], 4)
    assert report.found == {"spans": 1, "log records": 2}
    assert report.is_complete


def test_importing_twice_and_back_doubles_nothing(store_of, tmp_path):
    """A store imported twice, and imported back into where it came from, adds nothing."""
    a = store_of("a.db", WriteBatch(runs=[a_run()], points=[block([0.5, 0.5, 0.25])]))
    b = store_of("b.db", WriteBatch(runs=[a_run(OTHER, "two")], points=[block([1.0], run_id=OTHER)]))

    import_store(a, store=b)
    first = contents(b)
    again = import_store(a, a, store=b)
    back = import_store(b, store=a)

    assert contents(b) == first == contents(a)
    assert (again.new_run_ids, again.known_run_ids, again.new_point_count) == ([], [RUN, RUN], 0)
    assert (back.new_run_ids, back.known_run_ids, back.new_point_count) == ([OTHER], [RUN], 1)
    assert len(contents(a)[RUN, "points"]) == 3


def test_points_recorded_since_are_added(store_of):
    """Where a run went on after it was taken elsewhere, importing it again brings what came since, and nothing else."""
    early = WriteBatch(runs=[a_run()], points=[block([float(value) for value in range(3000)])])
    a, b = store_of("a.db", early), store_of("b.db", early)
    store_of("a.db", WriteBatch(points=[block([7.0, 7.0], first=3000), block([1.0], key=SeriesKey("acc"))]))

    report = import_store(a, store=b)

    assert contents(b) == contents(a)
    assert report.new_point_count == 3


@pytest.mark.parametrize("page", [1, 6_000])
def test_points_alike_are_all_kept(store_of, page):
    """A series with points alike in step, time and value keeps each of them, also where the stores' histories differ."""
    alike = [PointBlock(RUN, (LOSS,), [1.0], [10**18], ([0.5],))] * page
    a = store_of("a.db", WriteBatch(runs=[a_run()], points=[*alike, *alike]))
    b = store_of("b.db", WriteBatch(runs=[a_run()], points=[block([9.0], first=50), *alike]))

    import_store(a, store=b)
    import_store(a, store=b)

    assert len(contents(b)[RUN, "points"]) == 2 * page + 1


def test_the_later_value_of_a_label_counts(store_of):
    """Of a param and a tag that were changed in both stores the later change counts, whichever store takes the other."""
    a = WriteBatch(
        runs=[a_run()],
        params=[ParamSet(RUN, "lr", 0.1, 5)],
        tags=[TagSet(RUN, "stage", "old", 5), TagSet(RUN, "best", None, 9)],
    )
    b = WriteBatch(
        runs=[a_run()],
        params=[ParamSet(RUN, "lr", 0.2, 7)],
        tags=[TagSet(RUN, "stage", "new", 7), TagSet(RUN, "best", "yes", 8)],
    )
    one, two = store_of("one.db", a), store_of("two.db", b)

    import_store(one, store=two)
    import_store(two, store=one)

    assert contents(one) == contents(two)
    with open_store(one, read_only=True) as store:
        assert (store.params([RUN])[RUN], store.tags([RUN])[RUN]) == ({"lr": 0.2}, {"stage": "new"})


def test_the_later_state_of_a_run_counts(store_of):
    """A run that was taken while it was running, and has ended since, has ended in both stores after both imports."""
    running = Run(RUN, "digits", "one", RunState.RUNNING, created_ns=1, started_ns=1)
    ended = RunStateChange(RUN, RunState.FAILED, 9, "out of memory", "MemoryError")
    a = store_of("a.db", WriteBatch(runs=[running]), WriteBatch(state_changes=[ended]))
    b = store_of("b.db", WriteBatch(runs=[running], heartbeats=[Heartbeat(RUN, 4)]))

    import_store(b, store=a)
    import_store(a, store=b)

    for path in (a, b):
        with open_store(path, read_only=True) as store:
            run = store.get_run(RUN)
        assert (run.state, run.reason, run.error_type) == (RunState.FAILED, "out of memory", "MemoryError")


def test_an_open_span_never_replaces_an_ended_one(store_of):
    """A span that has ended in one store stays ended when the other store, where it is open, is imported."""
    ended = Span(RUN, "b7ad6b7169203331", "epoch", 5, 8, run_id=RUN)
    still_open = Span(RUN, "b7ad6b7169203331", "epoch", 5, None, run_id=RUN)
    a = store_of("a.db", WriteBatch(runs=[a_run()], spans=[ended]))
    b = store_of("b.db", WriteBatch(runs=[a_run()], spans=[still_open]))

    import_store(b, store=a)
    import_store(a, store=b)

    assert "end_ns=8" in contents(a)[RUN, "spans"][0]
    assert contents(a) == contents(b)


def test_what_waits_in_journals_comes_once(tmp_path):
    """Points that a process has recorded and not stored yet are not doubled by an import of a copy that has them."""
    recorder = ox.Recorder(store=tmp_path / "a.db", drain_s=3600)
    with recorder, recorder.start_run("live") as run:
        run.log({"loss": 0.5}, step=1)
        ox.bundle([run.id], tmp_path / "x.oxb", store=tmp_path / "a.db")
        run.log({"loss": 0.25}, step=2)
        report = import_store(tmp_path / "x.oxb", store=tmp_path / "a.db")

    assert report.new_point_count == 0
    with ox.open(tmp_path / "a.db") as reader:
        assert list(reader.run("live").metrics["loss"].points().values) == [0.5, 0.25]


def test_two_imports_at_once_double_nothing(store_of, tmp_path):
    """Two imports of the same store that run at the same time leave each point once."""
    a = store_of(
        "a.db", WriteBatch(runs=[a_run()], points=[block([float(value) for value in range(20_000)])])
    )
    open_store(tmp_path / "b.db").close()
    threads = [
        threading.Thread(target=import_store, args=(a,), kwargs={"store": tmp_path / "b.db"})
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert contents(tmp_path / "b.db") == contents(a)
    assert not list(tmp_path.glob("*.importing"))


def test_a_store_is_not_imported_into_itself(store_of, tmp_path):
    """Naming the same file twice, by another name too, is refused before anything is read."""
    a = store_of("a.db", WriteBatch(runs=[a_run()]))
    (tmp_path / "link.db").symlink_to(a)

    with pytest.raises(ConfigurationError, match="cannot be imported into itself"):
        import_store(tmp_path / "link.db", store=a)


def test_what_was_not_sent_stays_with_the_store_that_recorded_it(store_of, tmp_path):
    """What an endpoint of the recording machine did not take is no debt of the store that takes the run, or of a bundle."""
    row = Unsent(RUN, "traces", "127.0.0.1:4317", Owner("host", "boot", 17, 99), 7, count=3, noted_ns=5)
    path = store_of("a.db", WriteBatch(runs=[a_run()], points=[block([0.5])], unsent=[row]))
    ox.bundle([RUN], tmp_path / "x.oxb", store=path)

    import_store(path, store=tmp_path / "b.db")

    for name, rows in (("a.db", [row]), ("b.db", []), ("x.oxb", [])):
        with open_store(tmp_path / name, read_only=True) as store:
            assert store.unsent() == rows


def test_a_store_that_is_missing_is_said(tmp_path):
    """A source that is not there is an error that names it."""
    with pytest.raises(StoreNotFoundError, match=r"none\.db"):
        import_store(tmp_path / "none.db", store=tmp_path / "b.db")


@pytest.mark.parametrize(
    ("known", "given", "new"),
    [
        ([], [1.0], [1.0]),
        ([1.0], [1.0], []),
        ([1.0, 2.0], [1.0], []),
        ([1.0], [1.0, 2.0], [2.0]),
        ([2.0, 1.0], [1.0, 2.0, 3.0], [3.0]),
        ([1.0], [2.0, 1.0, 1.0], [2.0, 1.0]),
        ([0.0], [-0.0], [-0.0]),
    ],
)
def test_points_are_crossed_off_one_by_one(known, given, new):
    """Of the points that come, as many are new as the series does not have, bit for bit, in their order."""
    times = [7] * 9
    points = KnownPoints(Points([1.0] * len(known), times[: len(known)], known))
    found = []
    for value in given:
        rest = points.without(PointBlock(RUN, (LOSS,), [1.0], [7], ([value],)))
        found += [] if rest is None else rest.values[0]

    assert [value.hex() for value in found] == [value.hex() for value in new]
