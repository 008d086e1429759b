"""Which traces leave, by the standard's variables."""

import sys

import pytest
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased

from otel_experiments.record.base.ids import PrivateIdGenerator
from otel_experiments.record.otlp import sampling
from otel_experiments.record.otlp.sampling import InstalledSampler, Share, read_sampling


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


RUN, CHUNK, OTHER = "a" * 32, "b" * 32, "c" * 32
RESOURCE = {
    "ml.run.id": RUN,
    "ml.run.name": "r",
    "ml.experiment.name": "e",
    "service.name": "s",
    "host.name": "h",
}


class Noting(Sampler):
    """Keeps what it is asked, and answers with one decision after the other."""

    def __init__(self, *decisions):
        self.asked = []
        self._decisions = list(decisions)

    def should_sample(
        self, parent_context, trace_id, name, kind=None, attributes=None, links=None, trace_state=None
    ):
        """Answer."""
        self.asked.append((f"{trace_id:032x}", name, dict(attributes)))
        decision = self._decisions.pop(0)
        if isinstance(decision, Exception):
            raise decision
        return SamplingResult(decision)

    def get_description(self):
        """Say what it is."""
        return "noting"


def test_an_installed_sampler_is_asked_once_about_the_root_of_a_trace():
    """It hears what is the same in every process of the run, and its first answer holds for the whole trace."""
    sampler = Noting(Decision.RECORD_AND_SAMPLE, Decision.RECORD_ONLY, Decision.DROP)
    installed = InstalledSampler("noting", sampler)

    taken = [[installed.takes(one, RESOURCE) for one in (RUN, CHUNK, OTHER)] for _ in range(3)]

    known = {"ml.run.id": RUN, "ml.run.name": "r", "ml.experiment.name": "e", "service.name": "s"}
    assert taken == [[True, False, False]] * 3
    assert sampler.asked == [
        (RUN, "run e", {"ml.operation.name": "run", **known}),
        (CHUNK, "chunk e", {"ml.operation.name": "trace", **known}),
        (OTHER, "chunk e", {"ml.operation.name": "trace", **known}),
    ]
    assert not installed.takes_all


def test_a_sampler_that_raises_takes_the_trace(caplog):
    """What it raised is said, and the trace is sent whole: the answer is remembered as any other."""
    installed = InstalledSampler("noting", Noting(LookupError("no such tenant"), Decision.DROP))

    assert [installed.takes(one, RESOURCE) for one in (RUN, RUN, CHUNK)] == [True, True, False]
    assert "OTEL_TRACES_SAMPLER='noting': the sampler raised LookupError('no such tenant')" in caplog.text


def test_decisions_are_bounded(monkeypatch):
    """A process that lives for years remembers the decisions of its newest traces."""
    monkeypatch.setattr(sampling, "MAX_DECISIONS", 2)
    sampler = Noting(*[Decision.RECORD_AND_SAMPLE] * 4)
    installed = InstalledSampler("noting", sampler)
    for one in (RUN, CHUNK, OTHER, OTHER, CHUNK, RUN):
        installed.takes(one, RESOURCE)

    assert [trace_id for trace_id, _, _ in sampler.asked] == [RUN, CHUNK, OTHER, RUN]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("None", "made_samplers:make raised TypeError('None has no should_sample')"),
        ("1 / 0", "made_samplers:make raised ZeroDivisionError('division by zero')"),
        ("ALWAYS_OFF", ""),
    ],
)
def test_an_installed_sampler_is_made_with_the_argument_or_named(tmp_path, monkeypatch, made, said):
    """What it needs is the text of the variable; one that cannot be made samples nothing away."""
    about = tmp_path / "site" / "made-1.0.dist-info"
    about.mkdir(parents=True)
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
    about.joinpath("entry_points.txt").write_text(
        "[opentelemetry_traces_sampler]\nMade = made_samplers:make\n"
    )
    about.with_name("made_samplers.py").write_text(
        f"from opentelemetry.sdk.trace.sampling import ALWAYS_OFF\nseen = []\n"
        f"def make(argument):\n    seen.append(argument)\n    return {made}\n"
    )
    monkeypatch.syspath_prepend(about.parent)
    monkeypatch.delitem(sys.modules, "made_samplers", raising=False)
    notices = []

    found = read_sampling({"OTEL_TRACES_SAMPLER": "Made", "OTEL_TRACES_SAMPLER_ARG": "7"}, notices)

    assert sys.modules["made_samplers"].seen == ["7"]
    assert len(notices) == bool(said)
    assert all(said in notice for notice in notices)
    assert found.takes_all is bool(said)
    assert found.takes(RUN, RESOURCE) is bool(said)
