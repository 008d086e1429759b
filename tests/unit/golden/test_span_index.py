"""One pass of a loop has one text, whatever part shows it."""

import pytest

from otel_experiments.golden.findings.finding import Example
from otel_experiments.model.span import Span
from otel_experiments.model.span_index import label_of


def span(name, **attributes):
    """Return a span with these attributes, `__` for a point."""
    made = {key.replace("__", "."): value for key, value in attributes.items()}
    return Span(trace_id="1" * 32, span_id="2" * 16, name=name, start_ns=1, attributes=made)


@pytest.mark.parametrize(
    ("found", "label"),
    [
        (span("epoch", ml__epoch__index=3), "epoch=3"),
        (span("forward", ml__step__index=17), "forward step=17"),
        (span("epoch", ml__epoch__index=True), "epoch"),
        (span("load"), "load"),
    ],
)
def test_a_span_of_a_loop_is_shown_with_its_number(found, label):
    """Reports of system calls and of comparisons say `epoch=3` alike."""
    assert label_of(found) == label


def test_a_comparison_names_the_same_pass_the_same_way():
    """The outermost loop comes first; whole numbers have no point."""
    assert Example(index=(("ml.epoch.index", 3.0), ("ml.step.index", 2.5))).index_text == "epoch=3 step=2.5"
