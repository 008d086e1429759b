"""The end of a process goes on while an endpoint takes requests, and no longer."""

import threading
import time

import pytest

from otel_experiments.record.base.guard import Guard
from otel_experiments.record.otlp.answer import Outcome
from otel_experiments.record.otlp.backoff import Backoff
from otel_experiments.record.otlp.ending import go_on_while_taken, tell_unsent
from otel_experiments.record.otlp.queue import Queue, one
from otel_experiments.record.otlp.sender import SignalSender

REQUESTS = 6


class SlowEndpoint:
    """Takes a request each time that it is let."""

    def __init__(self):
        self.may_take = threading.Semaphore(0)
        self.taken = []

    def send(self, entries):
        """Take a request when it is let."""
        self.may_take.acquire()
        self.taken += entries
        return Outcome(is_taken=True)

    def close(self):
        """Hold nothing up."""
        self.may_take.release(2 * REQUESTS)


@pytest.fixture
def endpoint():
    """Return an endpoint that answers nothing yet."""
    return SlowEndpoint()


@pytest.fixture
def sender(endpoint):
    """Return a sender that has sent one request, and has more to send."""
    queue = Queue("spans", endpoint.send, weight=one, size=lambda n: 1, max_held=100, max_request=1)
    made = SignalSender(
        "traces",
        "127.0.0.1:1",
        endpoint,
        [queue],
        guard=Guard(),
        backoff=Backoff(lambda low, high: 0.0),
        delay_s=0.0,
        kept="the store has them",
        on_unserved=lambda sender, detail: None,
    )
    made.put(queue, range(REQUESTS))
    endpoint.may_take.release()
    yield made
    made.stop()
    made.join(30.0)


def test_an_endpoint_that_takes_requests_is_waited_for(endpoint, sender):
    """One request a step: the end waits until all are taken."""
    steps = []

    def wait(timeouts_s):
        steps.append(timeouts_s)
        before = sender.taken_requests
        endpoint.may_take.release()
        deadline_s = time.monotonic() + 30.0
        while sender.taken_requests == before and time.monotonic() < deadline_s:
            sender.await_answer(sender.ask(time.monotonic() + 0.01), time.monotonic() + 0.01)
        sender.is_suspect = False

    go_on_while_taken([sender], time.monotonic() + 600.0, wait)

    assert endpoint.taken == list(range(REQUESTS))
    assert len(steps) <= REQUESTS + 1
    assert all(list(timeouts_s) == [sender] for timeouts_s in steps)


def test_an_endpoint_that_takes_nothing_in_a_step_is_not_waited_for(endpoint, sender):
    """The end waits one step for it, however much time there is."""
    steps = []

    go_on_while_taken([sender], time.monotonic() + 600.0, steps.append)

    assert len(steps) <= 2
    assert len(endpoint.taken) <= 1


def test_the_end_comes_when_its_time_is_over(endpoint, sender):
    """Nobody is waited for where there is no time left."""
    go_on_while_taken([sender], time.monotonic() - 1.0, pytest.fail)

    assert len(endpoint.taken) <= 1


@pytest.mark.parametrize(
    ("is_kept", "is_whole", "said"),
    [
        (True, True, "The store has them; `otel-experiments push --unsent` sends them."),
        (
            True,
            False,
            "The store has them; `otel-experiments push --unsent` sends them, with what waits in the journal and is not counted here.",
        ),
        (False, True, "The store has them."),
    ],
)
def test_what_is_left_is_said_with_what_sends_it(endpoint, sender, caplog, is_kept, is_whole, said):
    """One line an endpoint: how many items, why, and what to do."""
    deadline_s = time.monotonic() + 30.0
    while not sender.taken_requests and time.monotonic() < deadline_s:
        sender.await_answer(sender.ask(time.monotonic() + 0.01), time.monotonic() + 0.01)
    sender.last_detail = "busy"
    left = sender.waiting.counts["spans"]
    tell_unsent([sender], "the store has them", is_kept=is_kept, is_whole=is_whole)

    assert caplog.messages == [f"OTLP: 127.0.0.1:1 did not take {left} spans (busy). {said}"]


def test_what_was_refused_in_part_is_said_with_the_reason_of_the_endpoint(caplog):
    """A partial success: what it rejected, why, and that no push of the rest sends it."""
    queue = Queue(
        "spans",
        lambda entries: Outcome(is_taken=True, rejected_count=2, detail="too old"),
        weight=one,
        size=lambda n: 1,
        max_held=100,
        max_request=10,
    )
    sender = SignalSender(
        "traces",
        "127.0.0.1:1",
        SlowEndpoint(),
        [queue],
        guard=Guard(),
        backoff=Backoff(lambda low, high: 0.0),
        delay_s=0.0,
        kept="the store has them",
        is_kept=True,
        on_unserved=lambda sender, detail: None,
    )
    sender.put(queue, range(5))
    deadline_s = time.monotonic() + 30.0
    sender.await_answer(sender.ask(deadline_s), deadline_s)
    sender.stop()
    sender.join(30.0)
    caplog.clear()

    tell_unsent([sender], "the store has them", is_kept=True, is_whole=True, store_option=" --store x.db")

    again = "`otel-experiments push RUN --store x.db` sends a whole run again."
    assert caplog.messages == [
        f"OTLP: 127.0.0.1:1 did not take 2 spans for good (too old). The store has them; {again}"
    ]


@pytest.mark.parametrize("is_kept", [True, False])
def test_what_waits_in_the_journal_alone_is_said_too(endpoint, sender, caplog, is_kept):
    """Nothing came out of the journal, so that nothing is counted: the line is there all the same, and only then."""
    sender.stop()
    sender.join(30.0)
    for queue in sender.waiting.queues:
        queue.close()
        queue.land()
    tell_unsent([sender], "the store has them", is_kept=is_kept, is_whole=True)
    assert caplog.messages == []

    tell_unsent([sender], "the store has them", is_kept=is_kept, is_whole=False)

    sends = "`otel-experiments push --unsent` sends it" if is_kept else "The store has them"
    assert caplog.messages == [
        f"OTLP: 127.0.0.1:1 did not get what waits in the journal, since there was no time to store it. {sends}."
    ]
