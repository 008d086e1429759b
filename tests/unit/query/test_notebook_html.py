"""What a notebook shows of runs, series and tables: static HTML that is safe, bounded and reads what it shows."""

import re
from html.parser import HTMLParser

import pytest

from otel_experiments.model.batch import ParamSet, TagSet, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store import open_store

HOSTILE = "</td><script>alert(1)</script>\"' onload=x \x00\u202e<img src=x onerror=alert(1)>"
SECOND = 10**9


class Page(HTMLParser):
    """What a browser would make of an output."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.open, self.texts = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):  # noqa: D102 - as HTMLParser has it
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attributes]
        if tag not in {"img", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):  # noqa: D102 - as above
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):  # noqa: D102 - as above
        assert self.open.pop() == tag

    def handle_data(self, data):  # noqa: D102 - as above
        if self.open[-1:] != ["style"]:
            self.texts.append(data)

    @property
    def text(self):
        """All that a person reads."""
        return " ".join(self.texts)


def run_of(number, name="job", state=RunState.SUCCEEDED, **fields):
    """Return a run that took two seconds."""
    start = (number + 1) * SECOND
    return Run(f"{number:032x}", "digits", name, state, start, start, start + 2 * SECOND, **fields)


def reader_of(batch):
    """Return a reader over a store that holds the batch."""
    store = open_store("memory://")
    store.apply(batch)
    return Reader(store, clock=lambda: 100 * SECOND)


def block(number, name, values, **key):
    """Return the points of one metric."""
    steps = [float(step) for step in range(len(values))]
    return PointBlock(
        f"{number:032x}", (SeriesKey(name, **key),), steps, [(number + 1) * SECOND] * len(values), (values,)
    )


@pytest.fixture
def hostile():
    """Return a reader over one failed run whose every text is hostile."""
    run_id = f"{0:032x}"
    batch = WriteBatch(runs=[run_of(0, HOSTILE, RunState.FAILED, reason=HOSTILE, error_type="ValueError")])
    batch.params.append(ParamSet(run_id, HOSTILE, HOSTILE, 1))
    batch.tags.append(TagSet(run_id, HOSTILE, HOSTILE, 1))
    batch.points.append(block(0, HOSTILE, [1.0, float("nan"), 3.0]))
    with reader_of(batch) as reader:
        yield reader


def outputs(reader):
    """Return each kind of output."""
    run = reader.runs()[0]
    series = next(iter(run.metrics.values()))
    return {
        "runs": reader.runs(), "run": run, "params": run.params, "metrics": run.metrics, "series": series,
        "figure": series.plot(), "figure of all": run.metrics.plot(),
    }  # fmt: skip


def test_hostile_names_stay_text(hostile):
    """Whatever names and values hold: no tag, attribute or address of theirs is in an output."""
    for kind, view in outputs(hostile).items():
        page = Page(view._repr_html_())

        assert not {"script", "img", "iframe", "link", "object"} & set(page.tags), kind
        names = {name for _, name, _ in page.attributes}
        assert not any(name.startswith("on") or name in {"href", "src", "id"} for name in names), kind
        assert (
            re.findall(r"https?:|url\(|@import", view._repr_html_().replace("http://www.w3.org/2000/svg", ""))
            == []
        )


def test_the_style_of_an_output_reaches_nothing_else(hostile):
    """Each rule begins with our class, so that the notebook and other outputs keep their look."""
    for view in outputs(hostile).values():
        (style,) = re.findall(r"<style>(.*?)</style>", view._repr_html_(), re.DOTALL)
        rules = re.sub(r"@media[^{]*\{(.*?\})\}", r"\1", style)
        assert all(
            ".oxp" in one for selectors in re.findall(r"([^{}]+)\{", rules) for one in selectors.split(",")
        )


def test_an_output_is_light_or_dark_as_its_notebook(hostile):
    """JupyterLab, VS Code and Colab say which they are; elsewhere the system does."""
    text = outputs(hostile)["run"]._repr_html_()

    for sign in (
        "prefers-color-scheme:dark",
        'data-jp-theme-light="false"',
        "vscode-dark",
        "html[theme=dark]",
    ):
        assert sign in text
    for sign in ('data-jp-theme-light="true"', "vscode-light", "html[theme=light]"):
        assert sign in text


def test_a_run_shows_what_it_is_and_what_is_wrong_with_it():
    """Name, state, why it failed, params, metrics with their course, tags."""
    batch = WriteBatch(
        runs=[run_of(0, "mlp", RunState.FAILED, reason="loss is nan", error_type="ValueError")]
    )
    batch.params += [ParamSet(f"{0:032x}", "lr", 0.1, 1), ParamSet(f"{0:032x}", "optim.name", "adam", 1)]
    batch.tags.append(TagSet(f"{0:032x}", "team", "vision", 1))
    batch.points += [block(0, "loss", [2.0, float("nan"), 0.5]), block(0, "loss", [1.0], phase="validation")]
    with reader_of(batch) as reader:
        page = Page(reader.run("mlp")._repr_html_())

    for text in ("mlp", "failed", "ValueError: loss is nan", f"{0:032x}", "experiment digits", "took 2 s", "(1m ago)", "optim.name", "adam", "3 (1 NaN)", "0.5 @ 2", "loss [validation]", "vision"):  # fmt: skip
        assert text in page.text
    assert page.tags.count("svg") == 2


def test_a_thousand_runs_are_a_short_table():
    """The first are shown, with the params that differ; the others are counted, and nothing of them is read."""
    batch = WriteBatch(runs=[run_of(number, f"job-{number}") for number in range(1_000)])
    for number in range(1_000):
        batch.params += [
            ParamSet(f"{number:032x}", "lr", number / 10, 1), ParamSet(f"{number:032x}", "epochs", 5, 1),
        ]  # fmt: skip
    batch.points += [block(number, "loss", [1.0, float(number)]) for number in range(1_000)]
    with reader_of(batch) as reader:
        runs = reader.runs()
        text = runs._repr_html_()

        page = Page(text)
        assert "1,000 runs" in page.text
        assert "and 980 more" in page.text
        assert page.tags.count("tr") == 21
        assert ("lr" in page.texts, "epochs" in page.texts) == (True, False)
        assert len(text) < 20_000
        assert "params" not in vars(runs[500]._page)


def test_no_runs_are_said_to_be_none():
    """An empty answer is not an empty cell."""
    with reader_of(WriteBatch()) as reader:
        assert "0 runs" in Page(reader.runs()._repr_html_()).text


def test_many_params_and_metrics_are_bounded():
    """A run of a thousand params and metrics is a page, not a hundred; what is left out is counted."""
    batch = WriteBatch(runs=[run_of(0)])
    batch.params += [ParamSet(f"{0:032x}", f"p{number}", "x" * 1_000, 1) for number in range(1_000)]
    batch.points += [block(0, f"m{number}", [1.0, 2.0]) for number in range(1_000)]
    with reader_of(batch) as reader:
        text = reader.runs()[0]._repr_html_()

    page = Page(text)
    assert "990 more params" in page.text
    assert "and 980 more" in page.text
    assert len(text) < 100_000


def test_a_long_series_is_a_small_drawing():
    """A hundred thousand points are thinned, and their spike is there."""
    values = [1.0] * 100_000
    values[54_321] = 100.0
    with reader_of(WriteBatch(runs=[run_of(0)], points=[block(0, "loss", values)])) as reader:
        series = reader.runs()[0].metrics["loss"]
        text = series._repr_html_()

    assert len(text) < 60_000
    assert "100,000 points" in Page(text).text
    assert "max 100 @ 54321" in Page(text).text


def test_a_table_of_sql_shows_whole_integers_and_counts_its_rows():
    """Times in nanoseconds stay numbers that can be copied; NULL is empty."""
    store = open_store("sqlite://:memory:")
    store.apply(WriteBatch(runs=[run_of(number) for number in range(30)]))
    with Reader(store) as reader:
        table = reader.sql("select name, created_ns, parent_run_id as none from runs")
        page = Page(table._repr_html_())

    assert "30 rows" in page.text
    assert "and 10 more" in page.text
    assert "20000000000" in page.text
    assert repr(table) == "Table(30 rows x 3 columns: name, created_ns, none)"


def test_a_plot_draws_the_series_that_are_named():
    """By name and glob, in phases; time since the first point; a name that fits nothing is an error that helps."""
    batch = WriteBatch(runs=[run_of(0)])
    batch.points += [
        block(0, "loss", [1.0, 2.0]),
        block(0, "loss", [3.0], phase="val"),
        block(0, "acc", [0.5]),
    ]
    with reader_of(batch) as reader:
        metrics = reader.runs()[0].metrics

        assert [line.label for line in metrics.plot("l*").spec.lines] == ["loss", "loss [val]"]
        assert [line.label for line in metrics.plot().spec.lines] == ["acc", "loss", "loss [val]"]
        assert metrics.plot("acc").spec.title == "acc"
        figure = metrics["loss"].plot(x="relative", log=True)
        assert (list(figure.spec.lines[0].x), figure.spec.x.kind, figure.spec.y.scale) == (
            [0.0, 0.0],
            "relative",
            "log",
        )
        with pytest.raises(LookupError, match="losss"):
            metrics.plot("losss")


def test_a_short_series_is_drawn_as_it_was_recorded():
    """Steps that go back and NaN stay; a long one without NaN has an area between its extremes."""
    run_id = f"{0:032x}"
    points = PointBlock(run_id, (SeriesKey("loss"),), [0.0, 2.0, 1.0], [1, 2, 3], ([1.0, float("nan"), 2.0],))
    long = block(0, "long", [float(number % 7) for number in range(5_000)])
    with reader_of(WriteBatch(runs=[run_of(0)], points=[points, long])) as reader:
        metrics = reader.runs()[0].metrics
        short = metrics["loss"].plot().spec
        thinned = metrics["long"].plot().spec

    assert list(short.lines[0].x) == [0.0, 2.0, 1.0]
    assert short.areas == ()
    (area,) = thinned.areas
    assert (min(area.low), max(area.high), thinned.lines[0].x[0], thinned.lines[0].x[-1]) == (
        0.0,
        6.0,
        0.0,
        4999.0,
    )


def test_a_metric_of_several_runs_is_one_figure():
    """A line a run, named after it, with the id where a name is not alone; runs that lack it are counted."""
    batch = WriteBatch(runs=[run_of(0, "a"), run_of(1, "b"), run_of(2, "b"), run_of(3, "without")])
    batch.points += [block(number, "loss", [1.0, float(number)]) for number in range(3)]
    with reader_of(batch) as reader:
        runs = reader.runs(order="created")
        spec = runs.plot("loss").spec

        assert [line.label for line in spec.lines] == ["a", "b 00000000", "b 00000000"]
        assert [line.color for line in spec.lines] == [0, 1, 2]
        assert spec.notes == ("1 run has no such series",)
        with pytest.raises(LookupError, match="los"):
            runs.plot("los")
        assert runs[:0].plot("loss").spec.lines == ()


def test_of_many_runs_the_first_hundred_are_drawn():
    """More lines could not be told apart, and the figure says that there are more."""
    batch = WriteBatch(runs=[run_of(number, f"job-{number}") for number in range(150)])
    batch.points += [block(number, "loss", [1.0, float(number)], phase="val") for number in range(150)]
    with reader_of(batch) as reader:
        spec = reader.runs().plot("loss", phase="val").spec

    assert (len(spec.lines), spec.notes) == (100, ("the first 100 of 150 runs are drawn",))


def test_a_run_of_a_long_list_is_read_alone():
    """To show one run of many, the params and metrics of the others are not fetched."""
    batch = WriteBatch(runs=[run_of(number) for number in range(50)])
    batch.params += [ParamSet(f"{number:032x}", "lr", number / 10, 1) for number in range(50)]
    with reader_of(batch) as reader:
        run = reader.runs()[3]
        text = run._repr_html_()

        assert "4.6" in Page(text).text
        assert not {"params", "series", "tags"} & set(vars(run._page))


def test_the_horizontal_axis_is_steps_or_times():
    """Steps as they were given, seconds since the first point of the series, or seconds of the clock."""
    points = PointBlock(
        f"{0:032x}", (SeriesKey("loss"),), [0.0, 10.0], [7 * SECOND, 9 * SECOND + SECOND // 2], ([1.0, 2.0],)
    )
    with reader_of(WriteBatch(runs=[run_of(0)], points=[points])) as reader:
        series = reader.runs()[0].metrics["loss"]
        drawn = {x: list(series.plot(x=x).spec.lines[0].x) for x in ("step", "relative", "wall")}

    assert drawn == {"step": [0.0, 10.0], "relative": [0.0, 2.5], "wall": [7.0, 9.5]}
    assert series.plot().spec.title == "loss"
