"""What many spans say together."""

import math

import pytest

from otel_experiments._opening import open_reader
from otel_experiments.analysis import PriceTable
from otel_experiments.errors import AnalysisError, PriceTableError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.semconv import attributes as attr
from otel_experiments.store import open_store

RUN = "0a" * 16
ROOT = "f" * 16
MINUTE = 60_000_000_000
START = 1_700_000_000_000_000_000


def call(number, at_ns, *, took_ms=10, model="gpt-4", read=100, wrote=200, error=False, **more):
    """Return a request to a language model; None leaves an attribute out, `took_ms` None leaves the span open."""
    given = {
        attr.GEN_AI_REQUEST_MODEL: model,
        attr.GEN_AI_USAGE_INPUT_TOKENS: read,
        attr.GEN_AI_USAGE_OUTPUT_TOKENS: wrote,
        **more,
    }
    return Span(
        RUN,
        f"{number + 1:016x}",
        "chat",
        START + at_ns,
        None if took_ms is None else START + at_ns + took_ms * 1_000_000,
        ROOT,
        status=StatusCode.ERROR if error else StatusCode.UNSET,
        attributes={key: value for key, value in given.items() if value is not None},
        run_id=RUN,
    )


@pytest.fixture
def spans_of(tmp_path):
    """Return a function that stores a run with spans and returns the run."""
    readers = []

    def make(*spans):
        path = tmp_path / f"{len(readers)}.db"
        end = START + 3_600_000_000_000
        run = Run(
            RUN, "e", "job", RunState.SUCCEEDED, START, started_ns=START, ended_ns=end, root_span_id=ROOT
        )
        root = Span(RUN, ROOT, "run e", START, end, run_id=RUN)
        with open_store(path) as store:
            store.apply(WriteBatch(runs=[run], spans=[root, *spans]))
        readers.append(open_reader(path))
        return readers[-1].run("job")

    yield make
    for reader in readers:
        reader.close()


def test_the_span_of_the_run_is_no_part_of_its_analysis(spans_of):
    """An hour of the run itself would hide what the requests took."""
    run = spans_of(call(0, 0), call(1, MINUTE, took_ms=30))

    assert run.analysis().latency.max_ms == 30.0
    assert run.spans.analysis().latency.max_ms == 3_600_000.0
    assert run.analysis().names == {"chat": 2}
    assert run.analysis().duration_s == pytest.approx(60.03)


def test_open_spans_are_counted_and_not_judged(spans_of):
    """What has not ended neither took a time nor succeeded."""
    found = spans_of(call(0, 0), call(1, 5, error=True), call(2, 9, took_ms=None)).analysis()

    assert (found.count, found.latency.count) == (3, 2)
    assert (found.reliability.total, found.reliability.judged, found.reliability.succeeded) == (3, 2, 1)


def test_nothing_at_all_is_no_error(spans_of):
    """A run without spans has an analysis in which nothing is known."""
    found = spans_of().analysis(prices={"gpt-4": (30, 60)})

    assert (found.count, found.first_ns, found.last_ns, found.duration_s) == (0, None, None, 0.0)
    assert math.isnan(found.latency.mean_ms)
    assert found.cost.total == 0.0


def test_a_request_costs_what_its_tokens_cost(spans_of):
    """The model that answered counts before the one that was asked, and what is no number of tokens is none."""
    run = spans_of(
        call(0, 0),
        call(1, 1, model="gpt-4", **{attr.GEN_AI_RESPONSE_MODEL: "gpt-4-0613"}),
        call(2, 2, model=None, read="many", wrote=-1),
        call(3, 3, model=None, read=None, wrote=None),
        call(4, 4, model="mystery"),
    )
    cost = run.analysis(prices=PriceTable({"gpt-4": (30, 60), "gpt-4-*": (10, 10)})).cost

    assert (cost.count, cost.total) == (2, pytest.approx(0.015 + 0.003))
    assert cost.unpriced == {"": 1, "mystery": 1}
    assert run.analysis().cost is None


def test_a_recorded_cost_needs_no_price(spans_of):
    """The attribute that the program set counts; a truth value and a text are no cost."""
    run = spans_of(
        call(0, 0, model=None, read=None, wrote=None, **{"my.cost": 0.25}),
        call(1, 1, **{"my.cost": "free"}),
        call(2, 2, **{"my.cost": True}),
    )
    cost = run.analysis(cost_attribute="my.cost").cost

    assert (cost.count, cost.total, cost.unpriced) == (1, 0.25, {"gpt-4": 2})


def test_a_table_that_cannot_be_used_is_refused(spans_of, tmp_path):
    """A hole in the table, and a file that is not there, are errors before anything is added up."""
    run = spans_of(call(0, 0))

    with pytest.raises(PriceTableError, match="no price of output"):
        run.analysis(prices={"gpt-4": {"input": 3}})
    with pytest.raises(PriceTableError, match="No such file"):
        run.analysis(prices=tmp_path / "none.toml")


def test_windows_hold_each_span_once_or_slide(spans_of):
    """Side by side each span is in one window; sliding, in as many as lie over it."""
    run = spans_of(*(call(number, number * MINUTE) for number in range(9)))
    chats = run.spans.named("chat")

    assert [len(window.spans) for window in chats.windows("3m")] == [3, 3, 3]
    sliding = chats.windows("5m", step="1m")
    assert [len(window.spans) for window in sliding] == [5, 5, 5, 5, 5]
    assert sliding[1].start_ns == START + MINUTE
    assert sliding[0].analysis(prices={"gpt-4": (30, 60)}).cost.total == pytest.approx(0.075)


def test_windows_follow_time_whatever_the_order_of_the_spans(spans_of):
    """Spans in another order make the same windows."""
    run = spans_of(*(call(number, number * MINUTE, took_ms=100 - number) for number in range(4)))
    chats = run.spans.named("chat").ordered("duration")

    assert [len(window.spans) for window in chats.windows("2m")] == [2, 2]
    assert [span.span_id[-1] for span in chats.last(2).spans] == ["3", "4"]


def test_the_last_ones_are_by_time_or_by_number(spans_of):
    """`last("2m")` ends with the last span and counts both ends; `last(2)` is two spans."""
    chats = spans_of(*(call(number, number * MINUTE) for number in range(9))).spans.named("chat")

    assert len(chats.last("2m").spans) == 3
    assert len(chats.last(2).spans) == 2
    assert len(chats.last(99).spans) == 9
    assert chats.named("nothing").last("2m").spans == []


@pytest.mark.parametrize("wrong", ["soon", "0s", "-5m", "", "5"])
def test_what_is_no_length_of_time_says_what_is(spans_of, wrong):
    """A window without a length names lengths that can be given."""
    chats = spans_of(call(0, 0)).spans

    with pytest.raises(AnalysisError, match='"5m"'):
        chats.windows(wrong)
    with pytest.raises(AnalysisError, match='"5m"'):
        chats.windows("5m", step=wrong)
    with pytest.raises(AnalysisError, match='"5m"'):
        chats.last(wrong)


@pytest.mark.parametrize("wrong", [0, -3])
def test_fewer_than_one_span_is_no_window(spans_of, wrong):
    """The last 0 spans are refused, and not taken for all."""
    with pytest.raises(AnalysisError, match="Give 1 or more"):
        spans_of(call(0, 0)).spans.last(wrong)
