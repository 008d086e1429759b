"""What a run declared of its metrics, as readers ask about many of them."""

from otel_experiments.model.batch import MetricDefinition, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.query import Reader
from otel_experiments.store import open_store

RUN = "0123456789abcdef0123456789abcdef"


class Counted:
    """A store that counts how often the definitions of its run are read."""

    def __init__(self, store):
        self.store = store
        self.reads = 0

    def __getattr__(self, name):
        return getattr(self.store, name)

    def metric_definitions(self, run_id):
        """Count a read, and return what the store has."""
        self.reads += 1
        return self.store.metric_definitions(run_id)


def test_definitions_of_a_run_are_read_once_for_all_its_metrics():
    """A list of many metrics with their x axes reads the definitions of the run once, not once a metric."""
    store = Counted(open_store("memory://"))
    names = [f"m/{number}" for number in range(20)]
    store.apply(
        WriteBatch(
            metric_definitions=[MetricDefinition(RUN, name, step_metric="epoch") for name in names],
            points=[PointBlock(RUN, tuple(map(SeriesKey, names)), [0.0], [1], tuple([1.0] for _ in names))],
        )
    )

    found = Reader(store).run(RUN).metrics.all()

    assert [one.step_metric for one in found] == ["epoch"] * 20
    assert not any(one.is_hidden for one in found)
    assert store.reads == 1


def test_a_rule_that_says_nothing_of_hiding_leaves_a_metric_hidden(tmp_path):
    """Only a rule that says so shows again what a glob hides; one for the direction alone does not."""
    store = open_store(f"sqlite://{tmp_path / 'runs.db'}")
    names = ["debug/loss", "debug/norm", "debug/shown"]
    rules = [
        MetricDefinition(RUN, "debug/*", is_hidden=True),
        MetricDefinition(RUN, "debug/loss", "min"),
        MetricDefinition(RUN, "debug/n*", step_metric="epoch"),
        MetricDefinition(RUN, "debug/shown", is_hidden=False),
    ]
    points = [PointBlock(RUN, tuple(map(SeriesKey, names)), [0.0], [1], ([1.0], [1.0], [1.0]))]
    store.apply(WriteBatch(metric_definitions=rules, points=points))

    found = {one.name: one.is_hidden for one in Reader(store).run(RUN).metrics.all()}

    assert found == {"debug/loss": True, "debug/norm": True, "debug/shown": False}
    store.close()
