"""Stores that others write over `StoreBase`: what they may answer, and what becomes of what they must not."""

import pytest

from otel_experiments.codec.batch_text import dump_batch
from otel_experiments.errors import JournalMovedError, StoreDamagedError
from otel_experiments.model.batch import JournalAdvance, ParamSet, SharedTrace, WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span

RUN, TRACE = "a" * 32, "b" * 32
LOSS = SeriesKey("loss")


def a_run(**changes):
    """A run with little in it."""
    return Run(RUN, "digits", "first", RunState.RUNNING, 5, **changes)


def points(*values, start=0):
    """Points at consecutive steps."""
    steps = [float(start + index) for index in range(len(values))]
    return PointBlock(RUN, (LOSS,), steps, [start + index + 1 for index in range(len(values))], (values,))


def test_two_processes_write_one_store(list_store):
    """What one process applies the other reads at once, and both write on."""
    one = list_store()
    other = list_store(one.entries)

    for start, store in enumerate([one, other, one, other]):
        store.apply(WriteBatch(points=[points(float(start), start=start)]))

    assert list(one.points(RUN, LOSS).values) == list(other.points(RUN, LOSS).values) == [0.0, 1.0, 2.0, 3.0]


def test_a_journal_is_taken_once_by_several_processes(list_store):
    """A part of a journal that another process has stored is refused, and stored once."""
    one = list_store()
    other = list_store(one.entries)
    batch = WriteBatch(points=[points(1.0)], journal=[JournalAdvance("seg", 0, 10)])
    other.apply(batch)

    with pytest.raises(JournalMovedError):
        one.apply(batch)

    assert len(one.points(RUN, LOSS)) == 1
    assert len(one.entries) == 1


@pytest.mark.parametrize("makes_points", [False, True])
def test_who_comes_too_late_takes_the_next_number(list_store, makes_points):
    """An entry that another process added meanwhile comes first, and nothing is lost or doubled."""
    entries = []

    class Overtaken(list_store):
        is_overtaken = False

        def add_entry(self, number, entry):
            if not self.is_overtaken:
                self.is_overtaken = True
                list_store(entries).apply(WriteBatch(points=[points(1.0, 2.0)]))
            return super().add_entry(number, entry)

    store = Overtaken(entries)
    traces = [SharedTrace(TRACE, points_of=lambda run_id, spans: [])] if makes_points else []

    store.apply(WriteBatch(points=[points(3.0, start=2)], shared_traces=traces))

    assert list(store.points(RUN, LOSS).values) == [1.0, 2.0, 3.0]
    assert list(list_store(entries).points(RUN, LOSS).values) == [1.0, 2.0, 3.0]


def test_points_that_are_made_of_spans_are_in_the_entry(list_store):
    """A span that joins a run makes its points where it is stored; who reads later has the same points, and makes none."""
    store = list_store()
    calls = []

    def make(run_id, spans):
        calls.append(run_id)
        return [PointBlock(run_id, (LOSS,), [float(len(spans))], [7], ([0.5],))]

    trace = SharedTrace(TRACE, points_of=make)
    store.apply(WriteBatch(runs=[a_run()], spans=[Span(TRACE, "1" * 16, "root", 1, end_ns=9, run_id=RUN)]))
    late = Span(TRACE, "2" * 16, "late", 2, end_ns=3, parent_span_id="1" * 16, is_received=True)
    store.apply(WriteBatch(spans=[late], shared_traces=[trace]))

    assert calls == [RUN]
    for read in (store, list_store(store.entries)):
        assert list(read.points(RUN, LOSS).values) == [0.5]
    assert calls == [RUN]


def test_whether_a_run_is_purged_is_decided_once(list_store):
    """A condition of a purge is asked where the purge is applied, and its answer is what is kept."""
    store = list_store()
    store.apply(WriteBatch(runs=[a_run()]))

    store.apply(WriteBatch(purges=[RunPurge(RUN, 9, unless=lambda run: run.name == "first")]))
    assert list_store(store.entries).get_run(RUN) is not None

    store.apply(WriteBatch(purges=[RunPurge(RUN, 9, unless=lambda run: run.name == "second")]))
    assert list_store(store.entries).get_run(RUN) is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (None, "read_entries returned None, not entries"),
        (7, "read_entries returned 7, not entries"),
        ([None], "read_entries gave None as entry 0, not bytes"),
        ([b"nonsense"], "entry 0 cannot be read"),
        ([b"{}"], "entry 0 cannot be read"),
        (
            [b'{"$WriteBatch":{"of_a_newer_release":[1]}}'],
            "entry 0 cannot be read: WriteBatch cannot be made",
        ),
        ([b'{"$WriteBatch":{"points":[{"$array":["x","AA=="]}]}}'], "entry 0 cannot be read: A column"),
        ([b"[" * 100_000], "entry 0 cannot be read"),
    ],
    ids=str,
)
def test_entries_that_are_none_are_refused(list_store, answer, said):
    """A store that gives what is no entry is said to be damaged, and nothing is added to it."""

    class Odd(list_store):
        def read_entries(self, first):
            return answer

    store = Odd()

    with pytest.raises(StoreDamagedError, match=said.replace("[", r"\[")):
        store.get_run(RUN)
    with pytest.raises(StoreDamagedError):
        store.apply(WriteBatch(runs=[a_run()]))
    assert store.entries == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [(None, "add_entry returned None, neither True nor False"), (False, "read_entries gives none")],
)
def test_an_answer_that_cannot_be_is_refused(list_store, answer, said):
    """A store that does not say whether it kept an entry, or says that there is one and shows none, ends no loop silently."""

    class Odd(list_store):
        def add_entry(self, number, entry):
            return answer

    with pytest.raises(StoreDamagedError, match=said):
        Odd().apply(WriteBatch(runs=[a_run()]))


@pytest.mark.parametrize("is_kept", [True, False])
@pytest.mark.parametrize("makes_points", [False, True])
def test_a_store_that_fails_leaves_no_doubt(list_store, is_kept, makes_points):
    """After an error the store is asked what it has: what it kept is there once, what it did not keep is not there."""

    class Failing(list_store):
        fails = True

        def add_entry(self, number, entry):
            if self.fails and not is_kept:
                raise ConnectionResetError("gone")
            added = super().add_entry(number, entry)
            if self.fails:
                raise ConnectionResetError("gone")
            return added

    store = Failing()
    traces = [SharedTrace(TRACE, points_of=lambda run_id, spans: [])] if makes_points else []
    batch = WriteBatch(points=[points(1.0)], journal=[JournalAdvance("seg", 0, 10)], shared_traces=traces)
    with pytest.raises(ConnectionResetError):
        store.apply(batch)

    assert store.journal_offset("seg") == (10 if is_kept else 0)
    store.fails = False
    if not is_kept:
        store.apply(batch)
    assert list(store.points(RUN, LOSS).values) == [1.0]


def test_an_interruption_in_the_middle_of_an_entry_doubles_nothing(list_store, monkeypatch):
    """A signal that ends a read while an entry is taken has all entries read anew."""
    writer = list_store()
    writer.apply(WriteBatch(points=[points(1.0)]))
    writer.apply(WriteBatch(points=[points(2.0, start=1)], params=[ParamSet(RUN, "lr", 0.1, 1)]))
    reader = list_store(writer.entries)
    times = []

    def params_of(labels, run_ids):
        times.append(run_ids)
        raise KeyboardInterrupt

    from otel_experiments.store import store_base

    take = store_base.take_batch

    def take_and_end(contents, batch):
        take(contents, batch)
        if batch.params and not times:
            params_of(contents, ())

    monkeypatch.setattr(store_base, "take_batch", take_and_end)
    with pytest.raises(KeyboardInterrupt):
        reader.get_run(RUN)

    assert list(reader.points(RUN, LOSS).values) == [1.0, 2.0]


def test_an_entry_that_was_refused_is_passed_over(list_store):
    """What no store takes, and another program wrote all the same, does not keep anyone from reading the rest."""
    store = list_store()
    store.entries.append(dump_batch(WriteBatch(journal=[JournalAdvance("seg", 5, 10)])).encode())
    store.entries.append(dump_batch(WriteBatch(runs=[a_run()])).encode())

    assert store.get_run(RUN) == a_run()
    assert store.journal_offset("seg") == 0
