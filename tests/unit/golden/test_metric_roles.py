"""Metrics that the machine makes are asked for and not measured; rules name metrics as a report prints them."""

import math

import pytest

from otel_experiments.errors import NonFiniteGoldenError
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.roles import DEFAULT_RULES, Rules
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.curves.compare import CurveSettings
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.golden.findings.description import place_of
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.golden.report.text import render_text
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr

STEPS = [0.0, 1.0, 2.0]


def run(metrics=(), *, spans=(), attributes=None):
    """Return a run of one root span, with series of (name or name@phase, values)."""
    series = []
    for name, values in metrics:
        name, _, phase = name.partition("@")  # noqa: PLW2901 - the name without its phase
        series.append(MetricSeries(name, STEPS[: len(values)], list(values), phase))
    root = Span(
        trace_id="ab" * 16,
        span_id=f"{1:016x}",
        name="run digits",
        start_ns=0,
        end_ns=100,
        attributes={attr.ML_SPAN_LANE: "main", attr.ML_SPAN_SEQUENCE: 0, **(attributes or {})},
    )
    return CapturedRun([root, *spans], metrics=series)


def codes(golden_runs, candidate, *, rules=DEFAULT_RULES, policy=None, ignore=(), severity="fail"):
    """Return (code, metric) of what a candidate shows against a golden that went through its file."""
    golden = make_golden(golden_runs, rules=rules, ignore=ignore)
    golden = read_golden(write_golden(golden))
    comparison = compare(golden, [candidate], policy=policy or Policy(timing="off"))
    return [(one.code, one.key) for one in comparison.findings if one.severity == severity]


@pytest.mark.parametrize(
    "name",
    ["step_time", "throughput", "tokens_per_second", "images/s", "latency_ms", "eta", "gpu_util", "memory"],
)
def test_times_and_rates_may_have_any_value(name):
    """A run that took another time is the same run: these metrics are compared for their presence only."""
    golden = run([(name, [0.5, 0.4, 0.6]), ("loss", [3.0, 2.0, 1.0])])

    assert codes([golden], run([(name, [5.5, math.inf]), ("loss", [3.0, 2.0, 1.0])])) == []
    assert codes([golden], run([("loss", [3.0, 2.0, 1.0])])) == [("metric-removed", name)]
    assert codes([run([("loss", [1.0])])], run([("loss", [1.0]), (name, [1.0])])) == [("metric-added", name)]


def test_a_golden_holds_no_times():
    """The file says that the metric is recorded and holds no value, so it does not change with every update."""
    text = write_golden(make_golden([run([("step_time", [0.123, 0.456]), ("loss", [2.0, 1.0])])]))

    assert "series step_time runs=1 volatile\n" in text
    assert "0.123" not in text
    assert "2.0 | 1.0" in text


def test_what_a_rate_over_no_time_is_makes_a_golden():
    """An infinite rate in the first step is no reason to refuse a golden; an infinite loss is."""
    make_golden([run([("tokens_per_second", [math.inf, 5.0])])])
    with pytest.raises(NonFiniteGoldenError):
        make_golden([run([("loss", [math.inf, 5.0])])])


@pytest.mark.parametrize(
    ("rule", "metric"),
    [
        ("jitter", "jitter"),
        ("~jitter", "jitter"),
        ("run digits ~jitter", "jitter"),
        ("jit*", "jitter"),
        ("jitter", "jitter@val"),
        ("jitter@val", "jitter@val"),
        ("~jitter@val", "jitter@val"),
        ("a/b", "a/b"),
        ("~a/*", "a/b"),
        ("run digits ~a [b]", "a [b]"),
        ("run * ~jitter", "jitter"),
    ],
)
def test_a_volatile_metric_is_named_as_the_report_prints_it(rule, metric):
    """`--volatile NAME` takes the bare name, and what stands in the report's line."""
    golden = run([(metric, [1.0, 2.0])])
    changed = run([(metric, [1.0, 3.0])])

    assert codes([golden], changed) == [("curve-diverged", metric)]
    assert codes([golden], changed, rules=Rules(volatile=[rule])) == []
    assert codes([golden], changed, rules=Rules(volatile=[rule]), severity="advisory") == []


@pytest.mark.parametrize("rule", ["jitter@train", "~jit", "run other ~jitter", "run digits ~loss", "~*loss"])
def test_a_rule_for_another_metric_changes_nothing(rule):
    """A rule that names another metric, phase or path does not excuse this one, and is said to match nothing."""
    golden, changed = run([("jitter@val", [1.0, 2.0])]), run([("jitter@val", [1.0, 3.0])])
    rules = Rules(volatile=[rule])

    assert codes([golden], changed, rules=rules) == [("curve-diverged", "jitter@val")]
    assert codes([golden], changed, rules=rules, severity="advisory") == [("rule-unused", "volatile")]


def test_a_declared_metric_is_compared_whatever_its_name():
    """`--metric NAME` lets a time count, where a simulation's own time is the result."""
    golden, changed = run([("survival_time", [1.0, 2.0])]), run([("survival_time", [1.0, 3.0])])

    assert codes([golden], changed) == []
    assert codes([golden], changed, rules=Rules(metric=["survival_time"])) == [
        ("curve-diverged", "survival_time")
    ]


@pytest.mark.parametrize("metric", ["loss", "a/b", "loss@val", "lo[x]"])
def test_an_ignore_rule_is_written_as_the_report_prints_the_metric(metric):
    """The place in the report's line, copied into a rule, ignores that finding and nothing else."""
    golden = run([(metric, [1.0, 2.0]), ("other", [1.0, 1.0])])
    changed = run([(metric, [1.0, 3.0]), ("other", [1.0, 2.0])])
    comparison = compare(make_golden([golden]), [changed], policy=Policy(timing="off"))
    (shown,) = (place_of(one) for one in comparison.failures if one.key == metric)

    assert shown in render_text(comparison)
    for path in (shown, f"~{metric}"):
        rule = IgnoreRule(path, "*", reason="noise")
        assert codes([golden], changed, ignore=[rule]) == [("curve-diverged", "other")]


def test_an_ignore_rule_for_a_span_leaves_metrics_of_its_name_alone():
    """A rule that ignores spans called `loss` says nothing about the metric `loss`."""
    golden, changed = run([("loss", [1.0, 2.0])]), run([("loss", [1.0, 3.0])])

    assert codes([golden], changed, ignore=[IgnoreRule("loss", "*", reason="slow")]) == [
        ("curve-diverged", "loss")
    ]


@pytest.mark.parametrize("name", ["loss", "~loss", "run digits ~loss", "loss@val", "lo*"])
def test_a_tolerance_names_a_metric_as_the_report_prints_it(name):
    """`--rtol` takes the same names as every other rule, and one that matches nothing is said."""
    golden, changed = run([("loss@val", [1.0, 2.0])]), run([("loss@val", [1.0, 2.1])])
    wide = Policy(timing="off", curves={name: CurveSettings(mode="tolerance", rtol=0.1)})
    wrong = Policy(timing="off", curves={"los": CurveSettings(mode="tolerance", rtol=0.1)})

    assert codes([golden], changed, policy=wide) == []
    assert codes([golden], changed, policy=wrong) == [("curve-diverged", "loss@val")]
    assert codes([golden], changed, policy=wrong, severity="advisory") == [("rule-unused", "tolerance")]


def test_rules_that_match_nothing_are_said_with_the_nearest_name():
    """A misspelt attribute, metric or path is said, since it would accept nothing in silence."""
    golden = make_golden(
        [run([("step_tme", [1.0])], attributes={"batch": 3, "lr": 0.1})],
        rules=Rules(volatile=["step_time", "lr"], config=["learning_rate"], unordered=["run digits/load"]),
    )

    comparison = compare(golden, [run([("step_tme", [1.0])], attributes={"batch": 3, "lr": 0.2})])

    assert [one.detail for one in comparison.findings if one.code == "rule-unused"] == [
        "config learning_rate: no attribute or metric has this name",
        "unordered run digits/load: no span of such a path has children",
        "volatile step_time: no attribute or metric has this name; there is 'step_tme'",
    ]
    assert comparison.verdict == "pass"


def test_a_time_that_a_span_carries_is_left_out():
    """A float such as `forward_ms` on a span is a measurement; a parameter, a setting and a declared one are compared."""
    before = {"forward_ms": 1.25, "timeout_s": 5.0, "ml.hyperparameter.time_s": 1.0, "wait_s": 2.0}
    after = {"forward_ms": 2.25, "timeout_s": 6.0, "ml.hyperparameter.time_s": 2.0, "wait_s": 3.0}

    found = codes([run(attributes=before)], run(attributes=after), rules=Rules(config=["wait_s"]))

    assert sorted(found) == [("attr", "ml.hyperparameter.time_s"), ("attr", "timeout_s"), ("attr", "wait_s")]


def test_a_metric_that_only_some_runs_have_is_optional():
    """A metric that one of the golden's runs lacks may be absent, and is compared where it is there."""
    golden = [run([("loss", [1.0]), ("best", [2.0])]), run([("loss", [1.0])])]

    assert codes(golden, run([("loss", [1.0])])) == []
    assert codes(golden, run([("loss", [1.0]), ("best", [2.0])])) == []
    assert codes(golden, run([("loss", [1.0]), ("best", [3.0])])) == [("curve-diverged", "best")]
    assert codes(golden, run([("best", [2.0])])) == [("metric-removed", "loss")]


def test_runs_that_each_log_another_number_of_steps_leave_the_number_open():
    """Three runs of three lengths say that the next will have a fourth; two of one length say that it counts."""
    lengths = [run([("loss", [1.0] * size)]) for size in (1, 2, 3)]

    assert codes([lengths[0], lengths[1]], lengths[2]) == [("curve-length", "loss")]
    longer = CapturedRun(lengths[0].spans, metrics=[MetricSeries("loss", [0.0, 1.0, 2.0, 3.0], [1.0] * 4)])
    assert codes(lengths, longer) == []
