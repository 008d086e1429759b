"""The pauses before a refused request is tried again."""

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.record.otlp.backoff import LONGEST_PAUSE_S, SHORTEST_PAUSE_S, Backoff


@given(st.lists(st.one_of(st.none(), st.floats(0.001, 10_000)), min_size=1, max_size=30), st.floats(0, 1))
def test_nobody_is_asked_before_the_time_that_it_named(delays, share):
    """After each refusal the wait is at least what was asked for; without a request it grows up to a bound."""
    backoff, now_s = Backoff(lambda low, high: low + share * (high - low)), 1000.0
    for refusals, delay_s in enumerate(delays):
        backoff.note_refused(now_s, delay_s)
        wait_s = backoff.wait_s(now_s)
        if delay_s is None:
            assert 0.799 * SHORTEST_PAUSE_S <= wait_s <= 1.201 * LONGEST_PAUSE_S
            assert wait_s >= 0.799 * min(LONGEST_PAUSE_S, SHORTEST_PAUSE_S * 2.0**refusals)
        else:
            assert 0.999_999 * delay_s <= wait_s <= 1.101 * delay_s
        assert backoff.is_asked_for is (delay_s is not None)
        now_s += wait_s
        assert backoff.wait_s(now_s + 0.001) == 0.0


def test_pauses_double_and_end_when_a_request_is_taken():
    """Half a second, one, two, four; then half a second again."""
    backoff = Backoff(lambda low, high: (low + high) / 2)
    waits = []
    for _ in range(4):
        backoff.note_refused(0.0)
        waits.append(backoff.wait_s(0.0))
    backoff.note_taken()

    assert (waits, backoff.wait_s(0.0), backoff.refusals) == ([0.5, 1.0, 2.0, 4.0], 0.0, 0)
