"""Pages of whole runs put together: less is written, and every series is as it was."""

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.importers.stores.gather import gathered, joined
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.store import open_store

RUN = "0af7651916cd43dd8448eb211c80319c"
KEYS = [SeriesKey("loss"), SeriesKey("acc"), SeriesKey("lr")]
BLOCKS = st.builds(
    lambda run_id, key, first, values: PointBlock(
        run_id, (key,), [first] * len(values), [7] * len(values), (values,)
    ),
    st.sampled_from([RUN, RUN[::-1]]),
    st.sampled_from(KEYS),
    st.sampled_from([0.0, -0.0, 1.0]),
    st.lists(st.floats(allow_nan=False), min_size=1, max_size=2),
)


def histories(blocks):
    """Return the points of each series in their order, with their bits."""
    found = {}
    for block in blocks:
        for key, values in zip(block.keys, block.values, strict=True):
            points = zip(map(float.hex, block.steps), block.times_ns, map(float.hex, values), strict=True)
            found.setdefault((block.run_id, key), []).extend(points)
    return found


@given(st.lists(BLOCKS, max_size=12))
def test_each_series_keeps_its_points_in_their_order(blocks):
    """Whatever the blocks are, the history of each series is the same when they are joined."""
    assert histories(joined(blocks)) == histories(blocks)


def test_series_of_one_axis_are_stored_with_one(tmp_path):
    """Series that were logged together share their steps and times in a store that takes them series by series."""
    steps, times = [0.0, 1.0], [5, 6]
    pages = [WriteBatch(points=[PointBlock(RUN, (key,), steps, times, ([1.0, 2.0],))]) for key in KEYS]

    with open_store(tmp_path / "a.db") as store:
        for page in gathered(pages):
            store.apply(page)
        assert store.sql("select count(*) from axes")[1] == [(1,)]
        assert store.sql("select count(*) from series")[1] == [(3,)]


def test_no_page_grows_without_end():
    """Many points and many items are cut into several pages, and nothing of them is left out."""
    block = PointBlock(RUN, (KEYS[0],), [0.0] * 300_000, [1] * 300_000, ([0.5] * 300_000,))
    params = [ParamSet(RUN, f"p{number}", number, 1) for number in range(3_000)]

    found = list(
        gathered([WriteBatch(points=[block])] * 4 + [WriteBatch(params=params)] * 3 + [WriteBatch()])
    )

    assert [sum(len(one.steps) for one in page.points) for page in found] == [600_000, 600_000, 0, 0]
    assert [len(page.params) for page in found] == [0, 0, 6_000, 3_000]
