"""Which traces leave, by the standard's variables."""

import pytest
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased

from otel_experiments.record.base.ids import PrivateIdGenerator
from otel_experiments.record.otlp.sampling import Share, read_sampling


@pytest.mark.parametrize(
    ("sampler", "argument", "share"),
    [
        ("", "", 1.0),
        ("always_on", "", 1.0),
        ("ALWAYS_OFF", "", 0.0),
        ("parentbased_always_on", "0.1", 1.0),
        ("parentbased_always_off", "", 0.0),
        ("traceidratio", "0.25", 0.25),
        ("parentbased_traceidratio", "0", 0.0),
        ("traceidratio", "", 1.0),
    ],
)
def test_the_samplers_of_the_specification_are_known(sampler, argument, share):
    """Each name gives the share of traces that the specification gives it, without a word."""
    notices = []

    found = read_sampling({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}, notices)

    assert (found.share, found.takes_all, notices) == (share, share == 1.0, [])


@pytest.mark.parametrize(
    ("sampler", "argument", "named"),
    [
        ("jaeger_remote", "", "OTEL_TRACES_SAMPLER='jaeger_remote' names no sampler that can be used"),
        ("traceidratio", "ten", "OTEL_TRACES_SAMPLER_ARG='ten' cannot be used"),
        ("traceidratio", "1.5", "OTEL_TRACES_SAMPLER_ARG='1.5' cannot be used"),
        ("traceidratio", "-1", "OTEL_TRACES_SAMPLER_ARG='-1' cannot be used"),
        ("traceidratio", "nan", "OTEL_TRACES_SAMPLER_ARG='nan' cannot be used"),
    ],
)
def test_what_names_no_sampler_samples_nothing_away(sampler, argument, named):
    """Everything is sent, and one text says what was found and what it may be."""
    notices = []

    found = read_sampling({"OTEL_TRACES_SAMPLER": sampler, "OTEL_TRACES_SAMPLER_ARG": argument}, notices)

    (text,) = notices
    assert found.takes_all
    assert text.startswith(named)
    assert "Correct or unset it." in text


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_a_trace_is_in_the_share_where_the_sdk_would_sample_it(share):
    """So that services that sample by the same ratio keep the same traces."""
    sampler = TraceIdRatioBased(share)
    ids = [PrivateIdGenerator().generate_trace_id() for _ in range(500)]

    taken = [Share(share).takes(f"{one:032x}", {}) for one in ids]

    assert taken == [
        sampler.should_sample(None, one, "run").decision is Decision.RECORD_AND_SAMPLE for one in ids
    ]
    assert any(taken) is (share > 0)
