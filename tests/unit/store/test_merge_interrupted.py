"""A merge that an exception of the program's own cuts off: that exception leaves it, and each record is stored once."""

import gc
import sys

import pytest

from otel_experiments.collect.journal_place import journal_directory
from otel_experiments.collect.merge import JournalMerger
from otel_experiments.journal import encode
from otel_experiments.journal.format import RecordType
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import Run, RunState

RUN_ID = "cd" * 16
NAMES = ("loss", "accuracy", "rate")
RAISES = {
    "Ctrl-C": KeyboardInterrupt(),
    "a timeout": TimeoutError("too slow"),
    "a ValueError": ValueError("stop"),
    "a KeyError": KeyError("stop"),
    "a MemoryError": MemoryError(),
}


def fill(writer, first, count):
    """Append a run and `count` points of each of its metrics, which are logged by turns."""
    writer.append(encode.encode_run(Run(RUN_ID, "e", "n", RunState.RUNNING, 1, 1)))
    pack = encode.points_struct(1).pack
    for step in range(first, first + count):
        for number, name in enumerate(NAMES):
            keys = (SeriesKey(name),)
            declared = ((("keyset", number), lambda n=number, k=keys: encode.encode_keyset(n, RUN_ID, k)),)
            writer.append(pack(RecordType.POINTS, number, step, step, step / 3), declared)


class Raising:
    """Raise an exception at one of the calls that follow, as a signal handler would."""

    def __init__(self, error, at_call):
        self._error, self._at_call, self._calls = error, at_call, 0
        self.has_raised = False

    def __call__(self, frame, event, argument):
        """Count a call; called by the interpreter with the frame."""
        self._calls += 1
        if self._calls == self._at_call:
            self.has_raised = True
            raise self._error


def merge_until(merger, raising):
    """Merge with an exception on its way; return what came out.

    The collector of garbage rests: it calls back what Hypothesis has it call, and what is raised there goes nowhere.
    """
    before = sys.gettrace()
    gc.disable()
    sys.settrace(raising)
    try:
        merger.merge()
    except BaseException as error:
        return error
    finally:
        sys.settrace(before)
        gc.enable()
    return None


@pytest.mark.parametrize("kind", RAISES)
def test_what_cuts_a_merge_off_leaves_it_and_each_point_is_stored_once(kind, store, tmp_path):
    """Ctrl-C or a timeout in `finish()` comes out as it was raised; nothing is doubled, dropped or called damaged."""
    directory = journal_directory(tmp_path / "experiments.db")
    writer = JournalWriter(directory)
    merger = JournalMerger(store, directory)
    total, at_call, damages = 0, 1, []
    while True:
        fill(writer, total, 5)
        total += 5
        raising = Raising(RAISES[kind], at_call)
        error = merge_until(merger, raising)
        assert (error is RAISES[kind]) == raising.has_raised, (at_call, error)
        RAISES[kind].__traceback__ = None
        if not raising.has_raised:
            break
        at_call += 1 + at_call // 8
    damages = merger.merge().damages

    assert damages == []
    for name in NAMES:
        assert list(store.points(RUN_ID, SeriesKey(name)).steps) == list(range(total)), name
    writer.close()


@pytest.mark.parametrize("moment", ["before the transaction", "after the transaction"])
def test_what_is_stored_when_a_merge_is_cut_off_is_handed_on_by_the_next(moment, store, tmp_path):
    """Ctrl-C round the transaction that stores a batch keeps none of its points from being sent, and none goes twice."""
    directory = journal_directory(tmp_path / "experiments.db")
    writer = JournalWriter(directory)
    handed = []
    sink = CutOff(store, moment)
    merger = JournalMerger(sink, directory, on_batch=handed.append)
    fill(writer, 0, 5)

    with pytest.raises(KeyboardInterrupt):
        merger.merge()
    fill(writer, 5, 5)
    merger.merge()

    steps = [step for batch in handed for block in batch.points for step in block.steps]
    assert sorted(steps) == sorted(list(range(10)) * len(NAMES))
    assert list(store.points(RUN_ID, SeriesKey("loss")).steps) == list(range(10))
    writer.close()


def test_what_cannot_be_handed_on_keeps_nothing_after_it_out_of_the_store(store, tmp_path):
    """A receiver of what is stored fails once: its error comes out, and later merges store and hand on what follows."""
    directory = journal_directory(tmp_path / "experiments.db")
    writer = JournalWriter(directory)
    handed = []
    error = ValueError("not this batch")

    def receive(batch):
        handed.append(batch)
        if len(handed) == 1:
            raise error

    merger = JournalMerger(store, directory, on_batch=receive)
    fill(writer, 0, 5)

    with pytest.raises(ValueError, match="not this batch") as caught:
        merger.merge()
    fill(writer, 5, 5)
    merger.merge()

    steps = [[step for block in batch.points for step in block.steps] for batch in handed]
    assert caught.value is error
    assert [sorted(set(each)) for each in steps] == [list(range(5)), list(range(5, 10))]
    assert list(store.points(RUN_ID, SeriesKey("loss")).steps) == list(range(10))
    writer.close()


class CutOff:
    """A sink in which Ctrl-C comes at the first transaction."""

    def __init__(self, store, moment):
        self._store, self._moment = store, moment
        self.journal_offset = store.journal_offset

    def apply(self, batch):
        """Store the batch, or not, and raise the first time."""
        moment, self._moment = self._moment, None
        if moment != "before the transaction":
            self._store.apply(batch)
        if moment is not None:
            raise KeyboardInterrupt
