"""What goes wrong inside our processors is counted and told once; the caller's code never sees it."""

import errno

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider

from otel_experiments.record.base.declared import References
from otel_experiments.record.base.guard import Guard
from otel_experiments.record.spans.adoption import AdoptingSpanProcessor
from otel_experiments.record.spans.processors import (
    JournalLogProcessor,
    JournalSpanProcessor,
)


class BrokenJournal:
    """A journal on a disk that answers with errors."""

    def append(self, payload, declarations=()):  # noqa: D102 - the journal's interface
        raise OSError(errno.EIO, "Input/output error")


@pytest.fixture
def guard():
    """Return a guard as users have it: it counts and logs."""
    return Guard()


@pytest.fixture
def broken(guard):
    """Return a span processor whose journal is broken."""
    return JournalSpanProcessor(BrokenJournal(), References(), guard, lambda _run_id, _size: None)


def tracer_with(processor):
    """Return a tracer of a provider with this processor."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    return provider.get_tracer("test")


def test_a_span_that_cannot_be_written_ends_like_any_other(broken, guard, caplog):
    """Every lost span is counted; the log tells it once, with its name."""
    tracer = tracer_with(broken)

    for _ in range(3):
        with tracer.start_as_current_span("fit") as span:
            pass

    assert span.end_time is not None
    assert guard.losses == {"span": 3}
    assert caplog.text.count("'fit' was not recorded") == 1


def test_a_long_span_whose_start_cannot_be_written_starts_like_any_other(broken, guard):
    """A stage is written when it opens; where that fails the stage opens all the same."""
    lane_of_ours = {"ml.span.lane": "main", "ml.span.sequence": 1, "ml.operation.name": "stage"}

    with tracer_with(broken).start_as_current_span("stage", attributes=lane_of_ours) as span:
        assert span.is_recording()

    assert guard.losses == {"span start": 1, "span": 1}


def test_a_foreign_span_that_cannot_be_looked_at_is_left_alone():
    """What the application hands to the adopting processor may be anything."""
    adopting = AdoptingSpanProcessor()
    span = tracer_with(adopting).start_span("query")

    adopting.on_start(span, parent_context="no context at all")
    span.set_attribute("still", "usable")
    span.end()

    assert span.attributes == {"still": "usable"}


def test_a_log_record_that_cannot_be_written_is_emitted_like_any_other(guard, caplog):
    """Logging goes on; the losses are counted and told once."""
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(JournalLogProcessor(BrokenJournal(), References(), guard))

    for _ in range(2):
        provider.get_logger("test").emit(LogRecord(body="something happened"))

    assert guard.losses == {"log record": 2}
    assert caplog.text.count("A log record was not recorded") == 1
