"""Batches as text: the same batch comes back, whatever is in it."""

import math
import re
from array import array

import pytest

from otel_experiments.codec import batch_text
from otel_experiments.codec.batch_text import dump_batch, load_batch
from otel_experiments.codec.values import dump_value
from otel_experiments.model.batch import ParamSet, RunStateChange, SharedTrace, WriteBatch
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Owner, Run, RunState
from otel_experiments.model.span import Event, Link, Span, SpanKind, StatusCode

RUN = "a" * 32


def test_a_batch_comes_back_as_it_was():
    """Objects, states, columns and what is left at its default survive the way through a line of text."""
    batch = WriteBatch(
        runs=[Run(RUN, "digits", "first", RunState.PAUSED, 5, owner=Owner("h", "b", 1, 2), resource={"a": [1]})],
        state_changes=[RunStateChange(RUN, RunState.FAILED, 9, owner=Owner("h", "b", 1, 2))],
        points=[
            PointBlock(RUN, (SeriesKey("x", "val", 2),), array("d", [0.5]), array("q", [-1]), (array("d", [1e308]),))
        ],
        spans=[
            Span(RUN, "1" * 16, "s", 1, kind=SpanKind.CLIENT, status=StatusCode.ERROR,
                 events=(Event("e", 2, {"b": b"\x00\xff"}),), links=(Link("c" * 32, "2" * 16),)),
        ],
        shared_traces=[SharedTrace(RUN, frozenset({"b" * 32, RUN}))],
    )  # fmt: skip

    text = dump_batch(batch)

    assert load_batch(text) == batch
    assert text.isascii()
    assert "\n" not in text


@pytest.mark.parametrize(
    "value",
    [
        None, True, 1, 2**15_000, -0.0, math.inf, math.nan, b"\x00\xff", "lone \udc80", "", [], {}, [1, [2.5, None]],
        {"$Span": {"name": "x"}}, {"$tuple": [1]}, {"$array": ["d", ""]}, {"$set": ["a"]}, {"$$Span": 1},
        {"$float": "nan"}, {"$WriteBatch": {"$Run": {"$$x": math.nan}}}, [{"$bytes": "AA=="}], {"a": {"$int": 1}, "$b": 2},
    ],
    ids=lambda value: dump_value(value)[:30].encode("ascii", "replace").decode(),
)  # fmt: skip
def test_no_value_of_a_user_is_taken_for_one_of_ours(value):
    """Whatever a user puts into a param or an attribute comes back, also where it looks like our own marks."""
    batch = WriteBatch(
        params=[ParamSet(RUN, "p", value, 1)], spans=[Span(RUN, "1" * 16, "s", 1, attributes={"v": value})]
    )

    found = load_batch(dump_batch(batch))

    assert dump_value(found.params[0].value) == dump_value(value)
    assert dump_value(found.spans[0].attributes["v"]) == dump_value(value)
    assert type(found.params[0].value) is type(value)


def test_everything_that_a_batch_holds_has_a_form():
    """Each field of a batch is of objects that can be written; requests of other programs are in no batch for a store."""
    kinds = {
        re.fullmatch(r"list\[(\w+)\]", annotation)[1]
        for name, annotation in WriteBatch.__annotations__.items()
        if name != "received"
    }

    assert kinds - {"str"} <= batch_text._OBJECTS.keys()


def test_what_no_store_keeps_is_refused():
    """An object that is no value, and a function, make no text."""
    with pytest.raises(TypeError, match="object"):
        dump_batch(WriteBatch(params=[ParamSet(RUN, "p", object(), 1)]))
    with pytest.raises(TypeError, match="function"):
        dump_batch(WriteBatch(shared_traces=[SharedTrace(RUN, points_of=lambda run_id, spans: [])]))


@pytest.mark.parametrize(
    "text", ["", "7", "[]", "{}", '{"$Span":{}}', '{"$WriteBatch":[1]}', '{"$RunState":"odd"}']
)
def test_a_text_that_is_no_batch_is_refused(text):
    """Whatever is read from elsewhere and is none of ours is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        load_batch(text)
