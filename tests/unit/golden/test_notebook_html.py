"""What a notebook shows of a golden comparison."""

import math

import pytest

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.comparison import Comparison, compare
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.policy import Policy


def run(programs, program, seed=77):
    """Return a run of a program on a quiet machine."""
    return programs.run_program(program, programs.Conditions(seed=seed, noise=0.01, jitter=0.01))


@pytest.fixture(scope="module")
def golden(programs):
    """Return the golden of three runs of the base program."""
    return make_golden([run(programs, programs.training(), seed) for seed in range(3)], name="train.otg")


def test_a_changed_program_shows_its_findings_and_curves(programs, golden):
    """The verdict, each finding with its place, and the curve that changed, drawn with the goldens' range."""
    program = programs.training(lr=0.01, loss=lambda step: math.nan if step >= 17 else 2.1 * 0.97**step)

    found = compare(golden, [run(programs, program)])
    html = found._repr_html_()

    assert ">changed</span>" in html
    assert all(finding.code in html for finding in found.failures)
    assert html.count('role="img"') >= 1
    assert "oxp-area oxp-f-1 oxp-s-1" in html
    assert (
        repr(found)
        == f"Comparison('fail', 'train.otg', {len(found.findings)} findings, {len(found.failures)} failing)"
    )


def test_an_equal_program_shows_that_nothing_changed(programs, golden):
    """No table and no curve, only the verdict."""
    html = compare(golden, [run(programs, programs.training(), 1)])._repr_html_()

    assert ">passes</span>" in html
    assert "<polyline" not in html


def test_findings_are_bounded_and_stay_text():
    """Of a thousand findings the first are shown, and their texts are no HTML."""
    findings = tuple(
        Finding("attr", f"run/{number}<b>", key="k", golden="<i>", candidate="x" * 9_999)
        for number in range(1_000)
    )

    html = Comparison(
        "fail", findings, Policy(), golden_name="<u>", golden_runs=1, candidate_runs=1
    )._repr_html_()

    assert "and 980 more" in html
    assert not any(tag in html for tag in ("<b>", "<i>", "<u>"))
    assert len(html) < 60_000
