"""The HTML report: one page without network or script, both trees side by side, curves drawn."""

import html
import math
import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.figures.escape import show_hidden
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.checks.curves import CurveView
from otel_experiments.golden.comparison import Comparison, compare
from otel_experiments.golden.curves.compare import Curve
from otel_experiments.golden.findings import Finding
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.report.html import render_html
from otel_experiments.golden.report.tree import pair_trees
from otel_experiments.golden.shown.curve import draw_curve

NAME = "tests/golden/test_train.otg"
STEP = "run/epoch/train.step"
HOSTILE = "<script>alert(1)</script> 🚀 \"q\" 'x' \u202e --> ]]>"
VOID = {"meta", "br"}


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.ids, self.links, self.loads, self.open = set(), [], [], [], []
        self.texts = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):  # noqa: D102 - as HTMLParser has it
        self.tags.add(tag)
        values = dict(attributes)
        if "id" in values:
            self.ids.append(values["id"])
        if "href" in values:
            self.links.append(values["href"])
        self.loads += [key for key in values if key in {"src", "srcset", "action"} or key.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):  # noqa: D102 - as above
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):  # noqa: D102 - as above
        assert self.open.pop() == tag

    def handle_data(self, data):  # noqa: D102 - as above
        self.texts.append(data)


def run(programs, program, seed=77):
    """Return a run of a program on a quiet machine."""
    return programs.run_program(program, programs.Conditions(seed=seed, noise=0.01, jitter=0.01))


@pytest.fixture(scope="module")
def golden(programs):
    """Return the golden of five runs of the base program."""
    return make_golden([run(programs, programs.training(), seed) for seed in range(5)], name=NAME)


@pytest.fixture(scope="module")
def changed(programs, golden):
    """Return a comparison in which an attribute, a curve and the structure have changed."""
    program = programs.training(lr=0.01, loss=lambda step: math.nan if step >= 17 else 2.1 * 0.97**step)
    program.body.append(programs.Work("upload", {"to": HOSTILE}, own_ms=1.0))
    return compare(golden, [run(programs, program)])


def found(*findings, name=NAME, curves=()):
    """Return a comparison with these findings and no trees."""
    return Comparison(
        "fail", findings, Policy(), golden_name=name, golden_runs=1, candidate_runs=1, curves=curves
    )


def test_the_page_loads_and_runs_nothing(changed):
    """It can be opened from an artifact years later, without network and without JavaScript."""
    text = render_html([changed, changed])

    page = Page(text)

    assert page.loads == []
    assert page.tags.isdisjoint({"script", "link", "img", "iframe", "object", "base", "form"})
    assert re.findall(r"https?://[^\"' <]+", text.replace("http://www.w3.org/2000/svg", "")) == []
    assert "url(" not in text
    assert "default-src 'none'" in html.unescape(text)


def test_every_link_of_the_page_has_its_target(changed):
    """Findings lead to their spans and back; two comparisons on one page do not share anchors."""
    page = Page(render_html([changed, changed]))

    assert len(page.ids) == len(set(page.ids))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert {"g1", "g2", "g1-f1", "g2-f1"} <= set(page.ids)
    assert sum(link.startswith("#g1-r") for link in page.links) >= len(changed.findings)


def test_findings_stand_beside_the_spans_they_are_about(changed):
    """The row of the optimizer is marked with its finding, in both trees' values."""
    text = render_html(changed)

    row = next(
        line for line in text.splitlines() if line.startswith('<div class="row') and "optimizer" in line
    )
    number = next(at for at, one in enumerate(changed.findings, 1) if one.code == "attr")
    assert "marked fail-row" in row
    assert row.index("lr=0.001") < row.index("lr=0.01 ")
    assert f'<a class="badge fail" href="#g1-f{number}">attr</a>' in row
    assert "<del>0.001</del> → <ins>0.01</ins>" in text


def test_what_one_side_lacks_is_an_empty_cell(changed):
    """An added span stands on the right only."""
    row = next(
        line
        for line in render_html(changed).splitlines()
        if line.startswith('<div class="row') and ">upload<" in line
    )

    assert row.index('<div class="gone"></div>') < row.index(">upload<")
    assert html.escape(show_hidden(HOSTILE)[:10]) in row


def test_a_page_of_what_passes_says_so(programs, golden):
    """Equal runs have no findings, and long stretches of equal rows are folded."""
    text = render_html(compare(golden, [run(programs, programs.training())]))

    assert "Nothing has changed." in text
    assert "<details><summary>13 equal rows</summary>" in text


def test_a_comparison_of_nothing_is_a_page_too(golden):
    """An empty candidate has no trees, and its finding is shown."""
    page = Page(render_html(compare(golden, [])))

    assert "there is no candidate run" in "".join(page.texts)


@given(st.text(max_size=40) | st.just(HOSTILE) | st.text("<>&\"'\ud800\x00\n/", max_size=12))
def test_any_name_is_text_on_the_page(text):
    """Names cannot open elements, leave an attribute or stop the page."""

    def page_of(name):
        curve = CurveView(name, name, [Curve([0, 1], [1.0, 2.0])], [Curve([0, 1], [1.0, math.nan])])
        finding = Finding("nonfinite", name, key=name, golden=name, candidate=name, detail=name)
        return Page(render_html(found(finding, name=name, curves=(curve,)), accept=name))

    page, plain = page_of(text), page_of("a")

    assert page.tags - {"del", "ins", "p"} == plain.tags - {"del", "ins", "p"}
    assert page.loads == []
    assert show_hidden(text) in page.texts or not text.strip()


# --- trees -------------------------------------------------------------------------------------------------------


def test_rows_of_equal_place_stand_beside_each_other(programs, golden):
    """A removed and an added stage leave all other rows paired."""
    program = programs.training(has_eval=False)
    program.body.append(programs.Work("upload", own_ms=1.0))
    comparison = compare(golden, [run(programs, program)])

    paired = pair_trees(comparison.golden, comparison.candidate).pairs

    alone = [(one.row.path, one.golden is None) for one in paired if None in {one.golden, one.candidate}]
    assert alone == [("run/epoch/eval", False), ("run/upload", True)]
    assert all(one.golden.path == one.candidate.path for one in paired if one.golden and one.candidate)


def test_loops_stay_folded(golden):
    """Thirty steps are one row with their number per epoch."""
    form = golden.variants[0].form

    rows = [pair.row for pair in pair_trees(form, form).pairs]

    assert [(row.label, row.count) for row in rows if row.path == STEP] == [("train.step", 10)]
    assert len(rows) == 13


def test_rows_that_are_left_out_are_counted(golden):
    """A page of a huge tree stays a page."""
    form = golden.variants[0].form

    paired = pair_trees(form, form, max_rows=5)

    assert (len(paired.pairs), paired.golden_left_out, paired.candidate_left_out) == (5, 8, 8)


# --- curves ------------------------------------------------------------------------------------------------------


def classes(drawing):
    """Return the classes of a drawing's elements, in order."""
    return [element.get("class") for element in ET.fromstring(drawing).iter() if element.get("class")]


def test_a_curve_shows_the_range_of_its_goldens_and_where_it_is_nan(changed):
    """Five goldens make a band; each NaN of the candidate is a cross; the first changed step a line."""
    view = next(one for one in changed.curves if one.metric == "loss")

    drawn = classes(draw_curve(view, first_changed=17.0))

    assert (
        drawn.count("oxp-area oxp-f-1 oxp-s-1"),
        drawn.count("oxp-s-1 oxp-thin"),
        drawn.count("oxp-s-0"),
        drawn.count("oxp-lost oxp-s-bad"),
    ) == (
        1,
        5,
        1,
        13,
    )
    assert drawn.count("oxp-mark oxp-s-bad") == 1


def test_a_line_breaks_where_a_value_is_missing():
    """NaN in the middle leaves two lines, and a value between two NaN is a dot."""
    values = [1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0]

    drawn = classes(draw_curve(CurveView("run", "loss", [], [Curve(list(range(7)), values)])))

    assert [kind for kind in drawn if kind in {"oxp-s-0", "oxp-f-0"} or "lost" in kind] == [
        "oxp-s-0",
        "oxp-f-0",
        "oxp-s-0",
        "oxp-lost oxp-s-bad",
        "oxp-lost oxp-s-bad",
    ]


def test_a_curve_without_a_finite_value_is_not_drawn():
    """There is no axis for NaN alone; the page says so instead."""
    view = CurveView("run", "loss", [Curve([0], [math.nan])], [Curve([0], [math.inf])])

    assert draw_curve(view) == ""
    assert "no run has a finite value" in render_html(
        found(Finding("nonfinite", "run", key="loss"), curves=(view,))
    )


def test_a_long_curve_keeps_its_extremes():
    """A single spike among a hundred thousand values is drawn."""
    values = [1.0] * 100_000
    values[54_321] = 100.0

    drawing = draw_curve(CurveView("run", "loss", [], [Curve(list(range(100_000)), values)]))

    points = ET.fromstring(drawing).find(".//{*}polyline").get("points").split()
    assert len(points) < 700
    assert min(float(point.split(",")[1]) for point in points) < 20


@given(
    st.lists(st.tuples(st.floats(), st.floats()), max_size=12),
    st.lists(st.tuples(st.floats(), st.floats()), max_size=12),
)
def test_any_numbers_are_drawn_inside_the_picture(ours, theirs):
    """The largest and the smallest floats, NaN and infinities leave every point inside the frame."""
    views = [[Curve(*map(list, zip(*points, strict=True)))] if points else [] for points in (ours, theirs)]

    drawing = draw_curve(CurveView("run", "loss", *views))

    for line in ET.fromstring(drawing).iter() if drawing else ():
        for point in line.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 460
            assert 0 <= y <= 200


def test_long_values_are_shown_where_they_differ(programs):
    """Of two long values that differ in one word, what they have in common is left out around that word."""
    prompts = [" ".join(["word"] * 50 + [word] + ["word"] * 50) for word in ("yes", "no")]
    ours, theirs = (
        programs.run_program(programs.Work("run", {}, [programs.Work("ask", {"prompt": prompt})]))
        for prompt in prompts
    )

    page = render_html(compare(make_golden([ours], name="ask"), [theirs]))

    (around,) = re.findall(r"\.\.\.((?:word|\s)*<del>yes</del><ins>no</ins>(?:word|\s)*)\.\.\.", page)
    assert len(around) < 120


def test_a_page_of_many_findings_leads_to_what_comes_after_them(programs):
    """Above a list of many findings they are counted by code, with links to the spans below."""
    ours, theirs = (
        programs.run_program(
            programs.Work(
                "run", {}, [programs.Work(f"stage{at:03}", {"size": at + more}) for at in range(60)]
            )
        )
        for more in (0, 1)
    )

    page = render_html(compare(make_golden([ours], name="many"), [theirs]))

    assert "60 findings: attr 60" in page
    assert page.index('href="#g1-spans"') < page.index("<h3>Findings</h3>") < page.index('id="g1-spans"')
