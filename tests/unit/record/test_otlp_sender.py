"""One signal's sender: every item ends up sent once, or counted as lost, whatever answers come in whatever order."""

import threading
import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from otel_experiments.record.base.guard import Guard
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.backoff import Backoff
from otel_experiments.record.otlp.queue import Queue, one
from otel_experiments.record.otlp.sender import SignalSender
from otel_experiments.testing import SteppingClock

TAKEN = Outcome(is_taken=True)
ANSWERS = {
    "taken": TAKEN,
    "busy": Outcome(is_taken=False, is_passing=True, detail="busy"),
    "busy, with a time": Outcome(is_taken=False, is_passing=True, delay_s=0.001, detail="busy"),
    "gone": Outcome(is_taken=False, is_passing=True, is_unreachable=True, detail="gone"),
    "too large": Outcome(is_taken=False, is_too_large=True, detail="too large"),
    "odd item": Outcome(is_taken=False, is_divisible=True, detail="odd"),
    "never": Outcome(is_taken=False, detail="never"),
}


class Endpoint:
    """Gives the answers that it was told, then takes everything."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.got = []
        self.asked = 0

    def send(self, entries):
        """Answer one request."""
        self.asked += 1
        outcome = self.answers.pop(0) if self.answers else TAKEN
        if outcome.is_taken:
            self.got += entries
        return outcome

    def close(self):
        """Do nothing."""


def make_sender(endpoint, queues, guard=None, **changes):
    """Return a sender without pauses."""
    options = {
        "guard": guard or Guard(),
        "backoff": Backoff(lambda low, high: 0.0),
        "delay_s": 0.0,
        "kept": "the store has them",
        "on_unserved": lambda sender, detail: None,
    }
    return SignalSender("metrics", "127.0.0.1:1", endpoint, queues, **(options | changes))


def make_queue(noun, endpoint, **changes):
    """Return a queue of numbers in requests of eight."""
    options = {"weight": one, "size": lambda n: 5_000, "max_held": 10_000, "max_request": 8}
    return Queue(noun, endpoint.send, **(options | changes))


def flush(sender, timeout_s=30.0):
    """Wait until everything was tried."""
    deadline_s = time.monotonic() + timeout_s
    sender.await_answer(sender.ask(deadline_s), deadline_s)


@given(
    st.lists(st.sampled_from(sorted(ANSWERS)), max_size=40),
    st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
@settings(max_examples=60)
def test_every_item_is_sent_once_or_counted(answers, portions):
    """Two queues, any answers: what did not arrive was counted, nothing arrives twice, the order stays."""
    endpoint, guard = Endpoint(ANSWERS[name] for name in answers), Guard()
    queues = [make_queue("spans", endpoint), make_queue("log records", endpoint)]
    sender = make_sender(endpoint, queues, guard)
    items = iter(range(10**6))
    count = 0
    for number, portion in enumerate(portions):
        sender.put(queues[number % 2], [next(items) for _ in range(portion)])
        count += portion
    while any(queue.held_count for queue in queues):
        flush(sender)
    sender.stop()
    sender.join(30.0)

    lost = sum(queue.lost_count for queue in queues)
    assert len(endpoint.got) == len(set(endpoint.got)) == count - lost
    assert sum(guard.losses.values()) == lost
    assert sum(queue.sent_count for queue in queues) == len(endpoint.got)
    assert lost == 0 or {"too large", "odd item", "never"} & set(answers)


def test_sending_makes_no_spans_of_instrumented_libraries():
    """Instrumentation of gRPC, which would make a span for each request that sends spans, is off while we send."""
    seen = []

    class Watching(Endpoint):
        def send(self, entries):
            seen.append(is_instrumentation_enabled())
            return super().send(entries)

    endpoint = Watching([])
    queue = make_queue("points", endpoint)
    sender = make_sender(endpoint, [queue])
    sender.put(queue, range(3))
    flush(sender)
    sender.stop()

    assert (endpoint.got, seen, is_instrumentation_enabled()) == ([0, 1, 2], [False], True)


def test_one_item_that_cannot_be_encoded_costs_no_other(caplog):
    """It is counted and told with the reason; what was in a request with it arrives."""
    endpoint, guard = Endpoint([]), Guard()

    def send(entries):
        if 5 in entries:
            raise ValueError("5 has no form in OTLP")
        return endpoint.send(entries)

    queue = Queue("spans", send, weight=one, size=lambda n: 5_000, max_held=100, max_request=8)
    sender = make_sender(endpoint, [queue], guard)
    sender.put(queue, range(12))
    flush(sender)
    sender.stop()

    assert endpoint.got == [number for number in range(12) if number != 5]
    assert (queue.lost_count, guard.losses) == (1, {"otlp spans": 1})
    assert "did not take 1 span: it cannot be encoded: ValueError('5 has no form in OTLP')" in caplog.text


def test_queues_of_one_signal_take_turns():
    """A long queue is not emptied before the others are looked at."""
    endpoint = Endpoint([])
    long, short = make_queue("metric points", endpoint), make_queue("data points of instruments", endpoint)
    sender = make_sender(endpoint, [long, short], delay_s=3600.0)
    sender.put(long, range(100))
    sender.put(short, [-1])
    flush(sender)
    sender.stop()

    assert endpoint.got.index(-1) == 8
    assert len(endpoint.got) == 101


def test_an_endpoint_that_is_gone_gets_one_try_from_who_waits():
    """Nobody listens: whoever flushes hears it at once, and what waits goes on waiting."""
    endpoint = Endpoint([ANSWERS["gone"]] * 3)
    queue = make_queue("spans", endpoint)
    sender = make_sender(endpoint, [queue], backoff=Backoff(lambda low, high: 1000.0), delay_s=3600.0)
    sender.put(queue, range(5))
    asked = []
    for _ in range(4):
        flush(sender)
        asked.append((endpoint.asked, sender.is_suspect, queue.held_count))
    sender.stop()

    assert asked == [(1, True, 5), (2, True, 5), (3, True, 5), (4, False, 0)]


def test_what_is_put_after_a_signal_was_switched_off_does_not_wait():
    """The endpoint does not take the signal: memory is given to nothing that nobody will ask for."""
    told = []
    endpoint = Endpoint([Outcome(is_taken=False, is_unserved=True, detail="unknown service")])
    queue = make_queue("spans", endpoint)
    sender = make_sender(endpoint, [queue], on_unserved=lambda sender, detail: told.append(detail))
    sender.put(queue, range(20))
    flush(sender)
    sender.put(queue, range(20))
    flush(sender)
    sender.stop()

    assert (endpoint.asked, queue.held_count, queue.lost_count, told) == (1, 0, 0, ["unknown service"])


def test_without_a_thread_everything_waits_for_one():
    """The system refuses a thread once: what was put waits, and goes out when the next thing is put."""
    endpoint = Endpoint([])
    queue = make_queue("spans", endpoint)
    sender = make_sender(endpoint, [queue])
    before = threading.stack_size()
    threading.stack_size(1 << 46)  # more than there is
    try:
        sender.put(queue, [1, 2])
    finally:
        threading.stack_size(before)
    held, detail = queue.held_count, sender.last_detail
    sender.put(queue, [3])
    flush(sender)
    sender.stop()
    sender.join(30.0)

    assert (held, "no thread could be started" in detail, endpoint.got) == (2, True, [1, 2, 3])


class Watch:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self._clock = SteppingClock(start_ns=0, step_ns=1_000_000_000)
        self.now_s = self._clock() / 1e9

    def __call__(self):
        """Return the present time."""
        return self.now_s

    def pass_by(self, seconds):
        """Let whole seconds pass."""
        for _ in range(seconds):
            self.now_s = self._clock() / 1e9


@pytest.mark.parametrize("delay_s", [40.0, None], ids=["it names the time", "it names none"])
def test_an_endpoint_that_throttles_for_minutes_gets_everything_in_the_end(delay_s):
    """For ten minutes each request is refused: it is asked as it wishes, else ever more rarely, and nothing is lost."""
    watch = Watch()  # the jitter is 2, so that every pause is of whole seconds
    answers = [Outcome(is_taken=False, is_passing=True, delay_s=delay_s, detail="wait")] * 30
    endpoint, guard = Endpoint(answers), Guard()
    queue = make_queue("spans", endpoint)
    sender = make_sender(endpoint, [queue], guard, backoff=Backoff(lambda low, high: 2.0), clock=watch)
    asked = []
    for second in range(600):
        sender.put(queue, [second])
        before = endpoint.asked
        sender.await_answer(sender.ask(watch() + 0.5), watch() + 0.5)
        asked += [second] * (endpoint.asked - before)
        watch.pass_by(1)
    endpoint.answers.clear()
    watch.pass_by(120)
    flush_by(sender, watch)
    sender.stop()
    sender.join(30.0)

    pauses = [later - earlier for earlier, later in pairwise(asked)]
    if delay_s is not None:
        assert set(pauses) == {80}
    else:
        assert pauses[:8] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert endpoint.got == list(range(600))
    assert (queue.lost_count, guard.losses, sender.is_suspect) == (0, {}, False)


def flush_by(sender, clock):
    """Wait until everything was tried, by another clock."""
    sender.await_answer(sender.ask(clock() + 30.0), clock() + 30.0)
