"""Figures and long texts of a report, as a person reads them."""

import math
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun, MetricSeries
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.findings.difference import show_change
from otel_experiments.golden.number_text import (
    show_chance,
    show_growth,
    show_p,
    show_ratio,
    show_time,
    show_times,
)
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.report.html import render_html
from otel_experiments.golden.report.markdown import render_markdown
from otel_experiments.golden.report.text import render_text
from otel_experiments.golden.timing.compare import StageSample, TimingRun, compare_timing
from otel_experiments.model.span import Span

PROMPT = "You are a careful assistant. Read the whole report before you answer, and cite the page. " * 12


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (show_ratio(1.584), "1.58x"),
        (show_ratio(23.44), "23.4x"),
        (show_ratio(1234.4), "1,234x"),
        (show_ratio(math.inf), "from nothing"),
        (show_ratio(math.nan), "not known"),
        (show_p(0.0004), "p=0.0004"),
        (show_p(0.0), "p<1e-12"),
        (show_p(3e-10), "p=3e-10"),
        (show_chance(0.0), "less than 1%"),
        (show_chance(0.34), "34%"),
        (show_chance(1.0), "more than 99%"),
        (show_time(999), "0.999 us"),
        (show_time(1.2e6), "1.2 ms"),
        (show_time(math.nan), ""),
        (show_times(1.2e6, 180e6), "1.2 -> 180 ms"),
        (show_times(1.2e6, 18e9), "0.0012 -> 18 s"),
        (show_times(0.0, 5e12), "0 -> 5,000 s"),
        (show_growth(5.6e-15), ""),
        (show_growth(-2.0), ""),
        (show_growth(0.5), "growing 3.16x per 100 steps"),
        (show_growth(7.92), "growing by 10^7.9 per 100 steps"),
    ],
)
def test_a_figure_is_one_that_a_person_reads(shown, text):
    """No `infx`, no 10^5.6e-15, no 0% chance, no milliseconds in powers of ten."""
    assert shown == text


def run_with(prompt="", losses=()):
    """Return a run of one span with a prompt, and a curve."""
    span = Span("t", "1", "run", 1, 9, attributes={"ml.span.lane": "main", "prompt": prompt})
    return CapturedRun(
        [span], metrics=[MetricSeries("loss", list(range(len(losses))), list(losses))] if losses else []
    )


def told(golden, candidate):
    """Return the reports of a comparison, in three forms."""
    comparison = compare(make_golden([golden], name="ask"), [candidate], policy=Policy(timing="off"))
    return render_text(comparison), render_markdown(comparison), render_html(comparison)


def test_a_changed_word_in_a_long_prompt_is_shown_in_its_context():
    """A prompt of 1,000 characters is not printed twice: the word that changed is, with the words around it."""
    words = PROMPT.split(" ")
    words[80] = "never"

    text, markdown, _ = told(run_with(PROMPT), run_with(" ".join(words)))

    for report in (text, markdown):
        assert re.search(r"\[-\w+-\]\{\+never\+\}", report)
        assert "and cite the page. [-" in report
        assert report.count("You are a careful assistant") <= 2
    assert max(map(len, text.splitlines())) < 400


def test_texts_that_have_little_in_common_are_shown_by_their_beginnings():
    """Two unlike prompts are shown as far as a line goes, with their lengths."""
    other = "Schreibe drei Zeilen Prosa, bitte ohne Namen; nenne keine Quelle! " * 20
    line = show_change(f'"{PROMPT}"'[1:], other)

    assert line.startswith("You are a careful")
    assert f"({len(other):,} characters)" in line
    assert len(line) < 400


@given(
    words=st.lists(
        st.sampled_from(["alpha", "beta", "gamma", "delta", "  ", "\n", "e-mail,", "ß"]),
        min_size=60,
        max_size=200,
    ),
    seed=st.integers(0, 2**32),
    edits=st.integers(1, 5),
)
def test_what_is_marked_is_what_changed(words, seed, edits):
    """Of long texts every mark holds words of the side that it is of, and equal texts never get here."""
    draw = random.Random(seed)
    changed = list(words)
    for _ in range(edits):
        changed[draw.randrange(len(changed))] = draw.choice(["zeta", "eta", ""])
    golden, candidate = " ".join(words), " ".join(changed)
    if golden == candidate:
        return

    line = show_change(golden, candidate)

    gone = re.findall(r"\[-(.*?)-\]", line, re.DOTALL)
    new = re.findall(r"\{\+(.*?)\+\}", line, re.DOTALL)
    assert gone or new
    assert all(text in golden or "..." in text for text in gone)
    assert all(text in candidate or "..." in text for text in new)


def test_a_deviation_from_zero_has_no_relative_size():
    """A curve that was 0 and is not any more differs by an absolute figure, not by `inf relative`."""
    text, _, _ = told(run_with(losses=[0.0] * 40), run_with(losses=[0.5] * 40))

    assert "at most 0.5" in text
    assert "inf" not in text
    assert "growing" not in text


def test_waiting_beside_more_cpu_time_does_not_say_that_there_was_none():
    """Where CPU time rose too, and explains no more than a part, the reading says so with its figure."""

    def run(wall, cpu):
        stages = {f"run/{name}": StageSample(3, wall * 1e8, 1e8) for name in ("load", "fit", "save")}
        return TimingRun(stages | {"run/eval": StageSample(3, wall * wall * 1e8, cpu * 2e7)})

    (stage,) = [
        one for one in compare_timing([run(1.0, 1.0)] * 5, [run(1.6, 1.2)]).stages if one.path == "run/eval"
    ]

    assert (stage.code, stage.fails) == ("waiting", False)
    assert "CPU time, 1.20x, does not explain it" in stage.reason
