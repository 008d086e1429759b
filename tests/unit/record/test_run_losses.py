"""How often what a run lost is written down: at once while it is little, seldom while it is much, never twice."""

import pytest

from otel_experiments.record.events import losses
from otel_experiments.record.events.losses import RunLosses

NAME = ("metric value", "loss")


class Journal:
    """Takes events, or refuses them as a full disk does."""

    def __init__(self):
        self.written = []
        self.is_full = False

    def write(self, run_id, run, name, attributes, *, time_ns, observed_ns):
        """Keep an event; False where it is refused."""
        if not self.is_full:
            self.written.append((run_id, attributes["ml.loss.count"], time_ns))
        return not self.is_full


@pytest.fixture
def journal():
    """Return where events go."""
    return Journal()


@pytest.fixture
def counting(journal):
    """Return the losses of a process that knows the runs a, b and c."""
    return RunLosses(journal, dict.fromkeys("abc", "known"), lambda: 7)


def test_much_is_written_in_ever_larger_portions(counting, journal):
    """Sixteen losses are written one by one, then an eighth of what is written already; the end writes the rest."""
    for _ in range(1000):
        counting.add("a", *NAME, 1)
    counts = [count for _, count, _ in journal.written]
    counting.write_all("a")
    counting.write_all("a")

    assert counts[:20] == [1] * 16 + [2, 3, 3, 3]
    assert len(counts) < 60
    assert sum(count for _, count, _ in journal.written) == 1000
    assert len(journal.written) == len(counts) + 1


def test_no_two_events_have_one_time(counting, journal):
    """A store takes two events of one time for one, so that a clock that stands still is moved on."""
    for _ in range(3):
        counting.add("a", *NAME, 1)

    assert [time_ns for *_, time_ns in journal.written] == [7, 8, 9]


def test_what_could_not_be_written_is_written_later_and_once(counting, journal):
    """While the disk is full nothing is given up; afterwards the sum is right."""
    counting.add("a", *NAME, 1)
    journal.is_full = True
    for _ in range(40):
        counting.add("a", *NAME, 1)
    counting.write_all()
    journal.is_full = False
    counting.add("a", *NAME, 1)

    assert [count for _, count, _ in journal.written] == [1, 41]


def test_a_run_that_has_not_started_keeps_its_losses(journal):
    """What is lost before a run is known waits until it is."""
    known = {}
    counting = RunLosses(journal, known, lambda: 7)
    counting.add("a", *NAME, 3)
    before = list(journal.written)
    known["a"] = "known"
    counting.write_all()

    assert (before, journal.written) == ([], [("a", 3, 7)])


def test_a_name_that_is_counted_apart_stays_so_beyond_the_most_names(counting, journal, monkeypatch):
    """New names beyond the most are counted together, under none; the ones before them go on."""
    monkeypatch.setattr(losses, "MAX_NAMES", 2)
    journal.is_full = True
    for name in ("x", "y", "z", "w", "x", "y"):
        counting.add("a", "metric value", name, 1)
    journal.is_full = False
    counting.write_all("a")

    assert sorted(count for _, count, _ in journal.written) == [2, 2, 2]


def test_the_oldest_of_too_many_runs_is_let_go(counting, journal, monkeypatch):
    """A process of endless runs holds counts of a bounded number of them, and of exactly that number."""
    monkeypatch.setattr(losses, "_MAX_RUNS", 2)
    journal.is_full = True
    for run_id in "abc":
        counting.add(run_id, *NAME, 1)
    journal.is_full = False
    counting.write_all()

    assert [run_id for run_id, *_ in journal.written] == ["b", "c"]
