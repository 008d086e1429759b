"""Experiment spans and their metadata."""

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.errors import ExperimentMetadataError
from otel_experiments.golden.score.experiment_span import (
    ExperimentMetadata,
    ExperimentSpan,
    SpanType,
    read_span_type,
)
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Resource, Scope, Span, SpanKind, StatusCode
from otel_experiments.semconv import attributes

GPT = ExperimentMetadata("gpt-2", 10, 1000, 0.0025, {"f1_score": 0.92, "accuracy": 0.95})


def test_metadata_of_nothing():
    """R13: by default the name is empty, epoch, step and loss are None, and there are no metrics."""
    empty = ExperimentMetadata()

    assert (empty.model_name, empty.epoch, empty.step, empty.loss, empty.metrics) == (
        "",
        None,
        None,
        None,
        {},
    )


def test_metadata_reads_the_seed_s_json():
    """R13: the seed's line is read, and what is missing or unknown does no harm."""
    text = '{"model_name":"test","epoch":5,"step":100,"loss":0.1,"metrics":{}}'

    assert ExperimentMetadata.from_json(text) == ExperimentMetadata("test", 5, 100, 0.1)
    assert ExperimentMetadata.from_json('{"model_name":"x","optimizer":"adam"}') == ExperimentMetadata("x")
    assert ExperimentMetadata.from_json("{}") == ExperimentMetadata()


def test_json_is_one_sorted_line():
    """The text has all fields and metrics in order, so that equal metadata has equal text."""
    assert GPT.to_json() == (
        '{"model_name": "gpt-2", "epoch": 10, "step": 1000, "loss": 0.0025, '
        '"metrics": {"accuracy": 0.95, "f1_score": 0.92}}'
    )


NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@given(
    st.text(),
    st.none() | st.integers(0, 2**32 - 1),
    st.none() | st.integers(0, 2**63 - 1),
    st.none() | NUMBERS,
    st.dictionaries(st.text(), NUMBERS, max_size=5),
)
def test_json_round_trip_is_exact(name, epoch, step, loss, metrics):
    """Any metadata comes back exactly from strict JSON, NaN and infinities included."""
    metadata = ExperimentMetadata(name, epoch, step, loss, metrics)
    text = metadata.to_json()

    def refuse(token):
        pytest.fail(f"{token} is not strict JSON")

    json.loads(text, parse_constant=refuse)
    again = ExperimentMetadata.from_json(text)
    assert repr(again) == repr(ExperimentMetadata(name, epoch, step, loss, dict(sorted(metrics.items()))))


def test_null_metrics_of_the_seed_are_nan():
    """The seed's writer makes null of NaN and then cannot read it; here it is NaN again."""
    again = ExperimentMetadata.from_json('{"model_name":"m","metrics":{"acc":null,"loss":NaN}}')

    assert math.isnan(again.metrics["acc"])
    assert math.isnan(again.metrics["loss"])


@pytest.mark.parametrize(
    ("text", "field", "found"),
    [
        pytest.param("{", "", "Expecting property name", id="not json"),
        pytest.param("[1]", "", "list", id="not an object"),
        pytest.param('{"epoch": -1}', "epoch", "-1", id="negative epoch"),
        pytest.param('{"epoch": 4294967296}', "epoch", "4294967296", id="epoch beyond 32 bits"),
        pytest.param('{"epoch": true}', "epoch", "True", id="bool"),
        pytest.param('{"epoch": 5.0}', "epoch", "5.0", id="float epoch"),
        pytest.param('{"step": "7"}', "step", "'7'", id="text step"),
        pytest.param('{"loss": "low"}', "loss", "'low'", id="text loss"),
        pytest.param('{"loss": true}', "loss", "True", id="bool loss"),
        pytest.param('{"metrics": [1]}', "metrics", "[1]", id="list of metrics"),
        pytest.param('{"metrics": {"acc": {}}}', "metrics.acc", "{}", id="nested metric"),
        pytest.param('{"model_name": null}', "model_name", "None", id="no name"),
    ],
)
def test_bad_metadata_is_refused_by_field(text, field, found):
    """What cannot be metadata is refused with the field and what was found there."""
    with pytest.raises(ExperimentMetadataError) as caught:
        ExperimentMetadata.from_json(text)

    assert caught.value.field == field
    assert found in str(caught.value)
    assert isinstance(caught.value, ValueError)
    assert '"model_name"' in str(caught.value)


def test_an_int_that_no_double_holds_is_refused():
    """A number beyond the range of doubles is refused and does not overflow."""
    with pytest.raises(ExperimentMetadataError, match="a larger int"):
        ExperimentMetadata(loss=10**400)


def test_attributes_are_typed():
    """Model, epoch and step have the vocabulary's names, numbers their own; what is not set is left out."""
    assert GPT.to_attributes() == {
        "accuracy": 0.95,
        "f1_score": 0.92,
        "loss": 0.0025,
        attributes.ML_MODEL_NAME: "gpt-2",
        attributes.ML_EPOCH_INDEX: 10,
        attributes.ML_STEP_INDEX: 1000,
    }
    assert ExperimentMetadata("m").to_attributes() == {attributes.ML_MODEL_NAME: "m"}


def test_names_that_collide():
    """The field loss wins over a metric called loss, the vocabulary over a metric with one of its names."""
    metadata = ExperimentMetadata("m", loss=1.0, metrics={"loss": 2.0, attributes.ML_MODEL_NAME: 3.0})

    assert metadata.to_attributes() == {"loss": 1.0, attributes.ML_MODEL_NAME: "m"}


def test_texts_of_the_seed():
    """R14: with the seed's prefix, the seed's keys and texts come out."""
    metadata = ExperimentMetadata("gpt-neo", 1, None, 0.05, {"acc": 0.5})

    assert metadata.to_text_attributes(prefix="experiment.") == {
        "experiment.model_name": "gpt-neo",
        "experiment.epoch": "1",
        "experiment.loss": "0.05",
        "experiment.metrics.acc": "0.5",
    }


def test_numbers_become_points_of_the_run():
    """Loss and metrics are points at the step, at the epoch without one, and none without numbers."""
    assert GPT.to_points(run_id="r", time_ns=7) == PointBlock(
        "r",
        (SeriesKey("accuracy"), SeriesKey("f1_score"), SeriesKey("loss")),
        [1000.0],
        [7],
        ([0.95], [0.92], [0.0025]),
    )
    assert ExperimentMetadata(epoch=3, loss=1.0).to_points(run_id="r", time_ns=7).steps == [3.0]
    assert ExperimentMetadata("m", 1, 2).to_points(run_id="r", time_ns=7) is None


def test_a_span_starts_ends_and_converts():
    """R14, R15: a started span has ids and a start; ended, it is an ordinary internal span with typed attributes."""
    times = iter([1000, 1500, 9999])
    span = ExperimentSpan.new_experiment("training", GPT, clock=lambda: next(times))
    assert (span.span_type, span.start_ns, span.end_ns) == (SpanType.EXPERIMENT, 1000, None)
    assert span.to_span().end_ns is None

    span.end()
    span.end(error="too late")

    assert span.to_span(resource=Resource({"a": 1}), run_id="r") == Span(
        trace_id=span.trace_id,
        span_id=span.span_id,
        name="training",
        start_ns=1000,
        end_ns=1500,
        kind=SpanKind.INTERNAL,
        attributes=GPT.to_attributes(),
        resource=Resource({"a": 1}),
        scope=Scope(SpanType.EXPERIMENT.scope_name),
        run_id="r",
    )


def test_an_error_is_a_status():
    """A span that ends with an exception or a text is failed, which the seed could not say."""
    by_exception = ExperimentSpan.new_experiment("a", GPT)
    by_exception.end(error=ValueError("loss is NaN"))
    by_text = ExperimentSpan.new_experiment("b", GPT)
    by_text.end(error="diverged")

    assert (by_exception.to_span().status, by_exception.to_span().status_message) == (
        StatusCode.ERROR,
        "ValueError: loss is NaN",
    )
    assert by_text.to_span().status_message == "diverged"


def test_a_child_is_in_its_parent_s_trace():
    """R15: a child shares the trace, names its parent and comes after it, under spans of the model as well."""
    parent = ExperimentSpan.new_experiment("epoch", GPT)
    child = ExperimentSpan.new_experiment_with_parent("step", GPT, parent=parent)
    grandchild = ExperimentSpan.new_experiment_with_parent("forward", GPT, parent=child)
    below_model = ExperimentSpan.new_experiment_with_parent("step", GPT, parent=parent.to_span())

    assert (child.trace_id, child.parent_span_id) == (parent.trace_id, parent.span_id)
    assert child.span_id != parent.span_id
    assert [span.logical_clock for span in (parent, child, grandchild)] == [0, 1, 2]
    assert below_model.parent_span_id == parent.span_id


def test_ids_are_random_and_leave_the_experiment_s_randomness_alone():
    """A thousand spans have a thousand ids of the right form, and the global generator is where it was."""
    random.seed(5)
    before = random.getstate()
    spans = [ExperimentSpan.new_experiment("s", GPT) for _ in range(1000)]

    assert random.getstate() == before
    assert len({span.trace_id for span in spans}) == len({span.span_id for span in spans}) == 1000
    assert all(len(span.trace_id) == 32 and int(span.trace_id, 16) for span in spans)
    assert all(len(span.span_id) == 16 and int(span.span_id, 16) for span in spans)
    assert all(span.start_ns > 0 for span in spans)


def test_span_types_are_read_back():
    """A span's type is what its scope says; other spans have none."""
    for kind in SpanType:
        assert read_span_type(Span("t", "s", "n", 0, scope=Scope(kind.scope_name))) is kind
    assert read_span_type(Span("t", "s", "n", 0)) is None
    assert {kind.value for kind in SpanType} == {"syscall", "gpu", "experiment"}
