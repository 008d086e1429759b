"""Figures as SVG: well-formed, inside the frame, without script or network, the same each time."""

import itertools
import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.figures import Area, Axis, Bars, Curves, Figure, Heat, Histogram, Line, Mark
from otel_experiments.figures.svg.sparkline import paint_sparkline
from otel_experiments.figures.svg.style import NAMED, PALETTE, page_style

HOSTILE = "</title><script>alert(1)</script>\"' onload=x \x00\u202e]]>&amp;"
SPECS = {
    "curves": Curves(
        HOSTILE,
        (Line(HOSTILE, [0, 1, 2], [1.0, math.nan, math.inf]), Line("other", [0, 5], [0.5, 2], color=11)),
        areas=(Area("range", [0, 1, 2], low=[0, 1, 1], high=[2, math.inf, 3]),),
        marks=(Mark(1, HOSTILE, "checkpoint"), Mark(math.nan, "nowhere")),
        notes=(HOSTILE,),
    ),
    "histogram": Histogram(HOSTILE, [0.0, 1.0, 4.0], [3, 1], notes=(HOSTILE,)),
    "bars": Bars(HOSTILE, (HOSTILE, "b"), [1.0, -2.0]),
    "heat": Heat(
        HOSTILE,
        [[1, math.nan], [0, 3]],
        columns=(HOSTILE, "b"),
        rows=(0.0, 1.0, 2.0),
        has_values=True,
        x=Axis(label=HOSTILE),
    ),
}


def elements(drawing, tag):
    """Return the elements of a drawing."""
    return list(ET.fromstring(drawing).iter(f"{{http://www.w3.org/2000/svg}}{tag}"))


def curve(values, **axis):
    """Return the SVG of one line over its index."""
    return Figure(Curves("loss", (Line("loss", list(range(len(values))), values),), **axis)).svg()


@pytest.mark.parametrize("kind", SPECS)
def test_hostile_names_stay_text(kind):
    """Whatever a name holds, the SVG is well-formed, has no script and no address, and needs nothing from elsewhere."""
    drawing = Figure(SPECS[kind]).svg()

    tags = {one.tag.partition("}")[2] for one in ET.fromstring(drawing).iter()}
    assert tags <= {
        "svg",
        "style",
        "title",
        "desc",
        "g",
        "line",
        "polyline",
        "polygon",
        "circle",
        "path",
        "rect",
        "text",
    }
    assert not any(
        name.startswith("on") or name in {"href", "id"}
        for one in ET.fromstring(drawing).iter()
        for name in one.attrib
    )
    assert re.findall("url|import|https?:", drawing.replace("http://www.w3.org/2000/svg", "")) == []


@pytest.mark.parametrize("kind", SPECS)
def test_a_figure_can_be_read_aloud(kind):
    """Each figure is an image with a name and a description."""
    root = ET.fromstring(Figure(SPECS[kind]).svg())

    assert root.get("role") == "img"
    assert root.get("aria-label").startswith("</title><script>")
    assert root.find("{*}title").text
    assert root.find("{*}desc").text


def test_the_description_says_how_a_line_goes():
    """Who cannot see the curve reads its ends, its extremes and what is not finite."""
    (said,) = elements(curve([2.0, math.nan, 0.5, 0.7]), "desc")

    assert said.text == (
        "1 line over steps 0 to 3, linear axis. loss: 4 points, from 2 to 0.7, lowest 0.5, highest 2, 1 not finite."
    )


@pytest.mark.parametrize("kind", SPECS)
def test_the_same_spec_is_the_same_drawing(kind):
    """Nothing of the time, of an id or of an order is in a figure: it can be kept and compared."""
    assert Figure(SPECS[kind]).svg() == Figure.from_json(Figure(SPECS[kind]).to_json()).svg()


def test_a_line_breaks_where_a_value_is_not_finite_and_a_sign_says_which():
    """NaN is a cross, an infinity a triangle at its side; a value between two gaps is a dot."""
    drawing = curve([1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0, -math.inf])

    assert (len(elements(drawing, "polyline")), len(elements(drawing, "circle"))) == (2, 1)
    assert [one.find("{*}title").text for one in elements(drawing, "path")] == [
        "loss: NaN at 2", "loss: inf at 4", "loss: -inf at 7",
    ]  # fmt: skip
    assert len({one.get("d")[-1] for one in elements(drawing, "path")}) == 2


def test_without_a_finite_value_the_figure_says_so():
    """NaN alone has no axis."""
    assert "no finite value" in [one.text for one in elements(curve([math.nan]), "text")]


def test_one_point_and_a_constant_are_in_the_middle():
    """A range of one value is no reason to draw at the edge."""
    (dot,) = elements(curve([7.0]), "circle")
    assert 100 < float(dot.get("cy")) < 200
    (line,) = elements(curve([0.5, 0.5]), "polyline")
    heights = {point.split(",")[1] for point in line.get("points").split()}
    assert len(heights) == 1
    assert 100 < float(heights.pop()) < 200


def test_what_a_logarithmic_axis_cannot_show_is_counted():
    """Values of zero and below have no place on it; the figure says how many."""
    drawing = curve([10.0, 0.0, -1.0, 100.0], y=Axis(scale="log"))

    texts = [one.text for one in elements(drawing, "text")]
    assert "2 values are not positive and not on the logarithmic axis" in texts
    assert "log scale" in texts


def test_a_spike_among_a_million_points_is_drawn():
    """A long line is thinned, and its extremes stay."""
    values = [1.0] * 1_000_000
    values[654_321] = 100.0

    drawing = curve(values)

    points = [
        tuple(map(float, one.split(","))) for one in elements(drawing, "polyline")[0].get("points").split()
    ]
    assert len(points) < 1_500
    assert min(y for _, y in points) < 40
    assert max(y for _, y in points) > 200


def test_a_hundred_lines_stay_small_and_the_legend_counts_them():
    """Of a hundred runs twelve are named, and the file is no larger than a picture."""
    steps = list(range(1_000))
    lines = tuple(Line(f"run {i}", steps, [math.sin(i + s / 50) for s in steps], color=i) for i in range(100))

    drawing = Figure(Curves("loss", lines)).svg()

    assert len(elements(drawing, "polyline")) == 100
    assert "and 88 more" in [one.text for one in elements(drawing, "text")]
    assert len(drawing) < 400_000


def test_lines_beyond_the_palette_are_dashed():
    """The eleventh line has the colour of the first, and is told apart from it."""
    lines = tuple(Line(str(i), [0, 1], [i, i], color=i) for i in (0, 10))

    first, eleventh = elements(Figure(Curves("", lines)).svg(), "polyline")

    assert (first.get("class"), eleventh.get("class")) == ("oxp-s-0", "oxp-s-0 oxp-dashed")


def test_labels_of_the_horizontal_axis_do_not_touch():
    """However narrow the figure, ticks whose labels would overlap have none."""
    drawing = Figure(Curves("", (Line("a", [0, 1e-7], [0, 1]),))).svg(width=200)

    centres = [float(one.get("x")) for one in elements(drawing, "text") if one.get("text-anchor") == "middle"]
    assert len(centres) > 1
    assert all(right - left > 30 for left, right in itertools.pairwise(centres))


def test_an_area_that_is_not_finite_in_the_middle_is_two():
    """The range of several runs has a gap where one of them has none."""
    area = Area("range", [0, 1, 2, 3, 4], low=[0, 0, math.nan, 0, 0], high=[1, 1, 1, 1, 1])

    assert len(elements(Figure(Curves("", areas=(area,))).svg(), "polygon")) == 2


def test_a_large_grid_is_joined_and_says_so():
    """Of a thousand steps and bins the cells are joined, each shown with its largest value."""
    cells = [[0.0] * 1_000 for _ in range(20)]
    cells[3][777] = 5.0
    grid = Heat("w", cells, columns=tuple(map(float, range(1_001))), rows=tuple(map(float, range(21))))

    drawing = Figure(grid).svg()

    assert len(elements(drawing, "rect")) == 1
    assert "each cell is the largest of 1 x 7" in [one.text for one in elements(drawing, "text")]


def luminance(color):
    """Return the relative luminance of a colour. Source: WCAG 2.2, relative luminance."""
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("mode", [0, 1], ids=["light", "dark"])
def test_lines_and_texts_stand_out_from_their_page(mode):
    """Lines have a contrast of 3 or more, texts of 4.5, light and dark. Source: WCAG 2.2, 1.4.3 and 1.4.11."""
    page = luminance(NAMED["page"][mode])

    def contrast(color):
        low, high = sorted((luminance(color), page))
        return (high + 0.05) / (low + 0.05)

    assert [color for color in PALETTE if contrast(color[mode]) < 3] == []
    assert [
        name for name in ("ink", "soft", "bad", "good", "warn") if contrast(NAMED[name][mode]) < 4.5
    ] == []


def test_the_style_of_a_page_changes_nothing_else_on_it():
    """Each rule begins with the class of figures, whatever notebook it is in."""
    rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", page_style())

    for selectors in re.findall(r"([^{}]+)\{", rules):
        assert all(".oxp" in one for one in selectors.split(","))


def test_a_sparkline_is_one_small_line():
    """A cell of a table has the course, with a gap and a mark where a value is NaN."""
    drawing = paint_sparkline([1.0, 2.0, math.nan, 4.0, 3.0] * 1_000)

    assert len(drawing) < 12_000
    assert "oxp-s-bad" in drawing
    assert paint_sparkline([]) == paint_sparkline([math.nan]) == ""
    assert len(elements(paint_sparkline([1.0]), "circle")) == 1


numbers = st.floats()
columns = st.lists(st.tuples(numbers, numbers), max_size=12)


@given(
    columns,
    columns,
    st.sampled_from(["auto", "linear", "log", "symlog"]),
    st.sampled_from(["value", "step", "relative", "wall"]),
)
def test_any_numbers_are_drawn_inside_the_picture(ours, theirs, scale, kind):
    """The largest and the smallest floats, NaN and infinities leave every point inside the frame."""
    lines = tuple(
        Line(str(at), [x for x, _ in one], [y for _, y in one], color=at)
        for at, one in enumerate((ours, theirs))
    )
    areas = (Area("", lines[0].x, low=[0.0] * len(ours), high=lines[0].y),)

    drawing = Figure(Curves("t", lines, areas=areas, x=Axis(kind), y=Axis(scale=scale))).svg()

    for one in ET.fromstring(drawing).iter():
        for point in one.get("points", "").split():
            x, y = map(float, point.split(","))
            assert 0 <= x <= 640
            assert 0 <= y <= 300


@given(
    st.lists(numbers, min_size=2, max_size=9),
    st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=4),
)
def test_any_histogram_and_grid_can_be_drawn(values, cells):
    """Whatever the counts, edges and cells, a picture and a text come out."""
    names = tuple(map(str, range(len(values))))
    specs = (
        Histogram("h", sorted(values, key=lambda one: (math.isnan(one), one)), values[1:]),
        Bars("b", names, values),
        Heat("g", cells, columns=("a", "b", "c"), rows=tuple(map(str, range(len(cells)))), has_values=True),
    )

    for spec in specs:
        ET.fromstring(Figure(spec).svg())
        assert Figure(spec).text()
