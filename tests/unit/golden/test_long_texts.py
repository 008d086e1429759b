"""Texts too long to be read in a review stand in a golden as their beginning and a digest."""

import json

from otel_experiments.capture import capture_file
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.long_text import LONGEST_CHARS, shorten_attributes, shorten_text
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.file import read_golden, write_golden
from otel_experiments.model.span import Span

PROMPT = "Summarise the following report, in three sentences and without names. " * 200
ID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


def run_with(prompt):
    """Return a run of one span with a prompt."""
    return CapturedRun([Span("t", "1", "run", 1, 9, attributes={"ml.span.lane": "main", "prompt": prompt})])


def test_a_long_text_is_short_in_the_golden_and_still_compared():
    """The golden holds a line of it; one other character at its end is found, another id inside is not."""
    golden = read_golden(write_golden(make_golden([run_with(f"{PROMPT} {ID} end")])))

    assert len(write_golden(golden)) < 2_000
    assert compare(golden, [run_with(f"{PROMPT} {ID} end")]).verdict == "pass"
    assert compare(golden, [run_with(f"{PROMPT} {ID.replace('7', '8')} end")]).verdict == "pass"
    changed = compare(golden, [run_with(f"{PROMPT} {ID} emd")])
    assert [(one.code, one.key) for one in changed.failures] == [("attr", "prompt")]


def test_shortening_twice_changes_nothing_more():
    """A text that was shortened when its file was read is the same as one that is shortened when it is compared."""
    short = shorten_text(f"{PROMPT}{ID} /tmp/abc 0xdeadbeef12")

    assert len(short) < LONGEST_CHARS
    assert shorten_text(short) == short
    assert shorten_attributes({"a": short}) == {"a": short}


def test_what_is_short_is_left_alone():
    """Attributes without a long text are the same object; a long text inside a list is shortened there."""
    attributes = {"a": "x", "b": ("y" * LONGEST_CHARS,), "c": 3}

    assert shorten_attributes(attributes) is attributes
    shortened = shorten_attributes({**attributes, "d": [{"text": PROMPT}]})
    assert shortened["b"] is not None
    assert len(shortened["d"][0]["text"]) < 300


def test_a_file_of_long_texts_equals_the_run_it_was_made_from(tmp_path):
    """A golden of a live run passes the same run read from a file, whose texts were shortened on the way in."""
    span = {
        "traceId": "1" * 32, "spanId": "1" * 16, "name": "run", "kind": 1, "startTimeUnixNano": "1", "endTimeUnixNano": "9",
        "attributes": [
            {"key": "ml.span.lane", "value": {"stringValue": "main"}}, {"key": "prompt", "value": {"stringValue": PROMPT}}
        ],
    }  # fmt: skip
    path = tmp_path / "spans.jsonl"
    path.write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}))
    (read,) = capture_file(path)

    assert len(read.spans[0].attributes["prompt"]) < 300
    assert compare(make_golden([read]), [read]).verdict == "pass"
    live = run_with(PROMPT)
    assert make_golden([live]).variants[0].form.top is not None
    assert [one.code for one in compare(make_golden([live]), [read]).failures if one.code == "attr"] == []
