"""Reports of comparisons as text, JSON, JUnit, Markdown and GitHub workflow commands."""

import json
import math
import random
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.figures.escape import show_hidden
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.canonical.trace import CapturedRun
from otel_experiments.golden.comparison import Comparison, compare
from otel_experiments.golden.file.write import write_golden
from otel_experiments.golden.findings import Example, Finding
from otel_experiments.golden.policy import IgnoreRule, Policy
from otel_experiments.golden.report.escape import code_span, marker
from otel_experiments.golden.report.github import MAX_SUMMARY_BYTES, find_template_lines, render_github
from otel_experiments.golden.report.html import render_html
from otel_experiments.golden.report.json import render_json, to_plain
from otel_experiments.golden.report.junit import render_junit
from otel_experiments.golden.report.markdown import render_markdown
from otel_experiments.golden.report.text import render_text
from otel_experiments.model.span import Span, StatusCode

NAME = "tests/golden/test_train.otg"
STEP = "run/epoch/train.step"
SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "golden-report.schema.json"
ANY_TEXT = st.text(max_size=40) | st.text("<>&\"'`|-:,%\n\r\\]\u202e\ud800\x00", max_size=12)


@pytest.fixture(scope="module")
def golden(programs):
    """Return the golden of five runs of the base program."""
    return make_golden([run(programs, programs.training(), seed) for seed in range(5)], name=NAME)


@pytest.fixture(scope="module")
def changed(programs, golden):
    """Return a comparison in which an attribute, a curve and a time have changed."""
    program = programs.training(lr=0.01, loss=lambda step: math.nan if step >= 17 else 2.1 * 0.97**step)
    for work, *_ in list(programs.walk([program])):
        if work.name == "backward":
            work.own_ms *= 2
    return compare(golden, [run(programs, program)])


@pytest.fixture(scope="module")
def equal(programs, golden):
    """Return a comparison that finds nothing."""
    return compare(golden, [run(programs, programs.training())])


@pytest.fixture(scope="module")
def added(programs, golden):
    """Return a comparison with a new span and a finding that a rule ignores."""
    program = programs.training(lr=0.01)
    program.body.append(programs.Work("upload", own_ms=1.0))
    ruled = make_golden(
        [run(programs, programs.training(), seed) for seed in range(5)],
        name="tests/golden/added.otg",
        ignore=[IgnoreRule("optimizer", "attr", reason="tuned on purpose")],
    )
    return compare(ruled, [run(programs, program)])


def run(programs, program, seed=77):
    """Return a run of a program on a quiet machine."""
    return programs.run_program(program, programs.Conditions(seed=seed, noise=0.01, jitter=0.01))


def two_kinds(*, longer=1.0, host_load=0.0):
    """Return a run beside others, with a stage whose calls take 56 or 5 ms each, and CPU time alike."""
    at, calls = 1_000_000, [56_000_000, 5_000_000] * 18
    random.Random(1).shuffle(calls)
    spans = []
    for number, taken in enumerate(calls, 2):
        own = round(taken * longer) + number * 1_000
        spans.append(span(number, "split", at, at + own, parent=1, **{"ml.span.cpu_time": own}))
        at += own
    share = {"ml.run.host_load.cpu.utilization": host_load}
    return CapturedRun([span(1, "run", 0, at, **share), *spans], environment={"python": "3.11"})


def span(number, name, start_ns, end_ns, parent=None, **attributes):
    """Return one span of a trace, in the main lane."""
    return Span(
        trace_id="a" * 32,
        span_id=f"{number:016x}",
        parent_span_id=None if parent is None else f"{parent:016x}",
        name=name,
        start_ns=start_ns,
        end_ns=end_ns,
        status=StatusCode.OK,
        attributes={"ml.span.lane": "main"} | attributes,
    )


def found(*findings, name=NAME, verdict="fail"):
    """Return a comparison with these findings and no trees."""
    return Comparison(verdict, findings, Policy(), golden_name=name, golden_runs=1, candidate_runs=1)


# --- text --------------------------------------------------------------------------------------------------------


def test_the_text_names_all_causes_and_the_commands_in_its_first_lines(changed):
    """Whoever reads the first lines knows what changed, and where; the score stands there only where it is asked for."""
    lines = render_text(changed, accept="pytest --golden-update", explain="explain 1").splitlines()

    assert lines[0].startswith(
        f"golden mismatch: {NAME}   policy structural   5 golden runs, 1 candidate   score 0.9"
    )
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["FAIL", "nonfinite", STEP],
        ["FAIL", "attr", f"{STEP}/optimizer"],
        ["FAIL", "slower", f"{STEP}/backward"],
    ]
    assert "    ! optimizer   attr 0.001 -> 0.01" in lines
    assert lines[-1] == "accept: pytest --golden-update      why: explain 1"


def test_what_the_score_alone_would_decide_is_said_where_it_is_asked_for(changed):
    """With the option the second line has the score, its parts and its outcome; no form has that line without it."""
    lines = render_text(changed, with_score=True).splitlines()
    forms = (render_text, render_markdown, render_html, lambda one: render_github([one])[1])

    assert re.fullmatch(
        r"      score 0\.9\d\d >= 0\.85 \(sequence [01]\.\d{3}, timing [01]\.\d{3}, outcome [01]\.\d{3}\): alone it would pass",
        lines[1],
    )
    assert [form.__name__ for form in forms if "alone" in form(changed)] == []


def test_the_text_marks_an_added_span_and_counts_what_rules_ignore(added):
    """A new span stands in the excerpt, where the golden has none; ignored findings are counted."""
    lines = render_text(added).splitlines()

    assert "    + upload   added x1" in lines
    assert "      1 finding ignored by rules" in lines


def test_a_text_of_many_findings_is_forty_lines():
    """However much changed, the report fits a screen and says how much is left out."""
    many = found(*(Finding("added", f"run/new{at}") for at in range(500)))

    lines = render_text(many).splitlines()

    assert len(lines) <= 40
    assert "      and 480 more findings" in lines


@pytest.mark.parametrize(
    ("count", "left_out"), [(10, None), (11, "1 more finding"), (25, "15 more findings")]
)
def test_a_text_of_nothing_but_warnings_is_ten_of_them(count, left_out):
    """What fails nothing takes ten lines at most; the rest is counted."""
    warnings = [Finding("added", f"run/new{at}", severity="advisory") for at in range(count)]

    lines = render_text(found(*warnings, verdict="pass")).splitlines()

    assert sum("run/new" in line for line in lines) == 10
    assert [line.strip() for line in lines if "more finding" in line] == (
        [f"and {left_out}"] if left_out else []
    )


# --- JSON --------------------------------------------------------------------------------------------------------


def check_schema(document):
    """Hold a document against the published schema, for which 1.0 is an integer and NaN is no number."""
    jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text())).validate(document)


def refuse(constant):
    """Refuse what Python reads as a number and JSON does not know."""
    raise AssertionError(constant)


def test_json_reports_keep_to_the_published_schema(changed, equal, added, golden):
    """Changed, equal, ruled and impossible comparisons are all valid, NaN included."""
    for comparison in (changed, equal, added, compare(golden, [])):
        check_schema(json.loads(render_json(comparison), parse_constant=refuse))


def test_reports_say_which_times_were_compared_beside_whom():
    """A stage compared at a quartile is not shown as one at its median, and what others used is in the report."""
    golden = make_golden([two_kinds(host_load=0.1)], name=NAME)
    comparison = compare(golden, [two_kinds(longer=3.0, host_load=0.5)])

    plain = to_plain(comparison)

    (slower,) = [one for one in plain["findings"] if one["code"] == "slower"]
    assert slower["detail"].startswith("wall upper quartile 56 -> 168 ms (3.00x)")
    assert slower["evidence"]["quantile"] == 0.75
    assert "wall upper quartile 56 -> 168 ms" in render_text(comparison)
    assert "(upper quartiles)" in render_html(comparison)
    timing = plain["timing"]
    assert (timing["golden_host_load"], timing["candidate_host_load"]) == (0.1, 0.5)
    assert timing["is_crowded"]
    check_schema(json.loads(render_json(comparison)))


def test_the_schema_refuses_a_report_without_its_verdict(changed):
    """A schema that accepts everything would say nothing."""
    broken = {**to_plain(changed), "verdict": "maybe"}

    with pytest.raises(jsonschema.ValidationError, match="maybe"):
        check_schema(broken)


def test_json_says_what_was_found_and_how_often(added):
    """Verdict, exit code and counts are what a program would decide on."""
    document = json.loads(render_json(added))

    assert (document["verdict"], document["exit_code"], document["counts"]) == (
        "fail",
        1,
        {"fail": 1, "advisory": 0, "note": 0, "ignored": 1},
    )
    assert [(one["number"], one["code"], one["path"]) for one in document["findings"]] == [
        (1, "added", "run/upload"),
        (2, "attr", f"{STEP}/optimizer"),
    ]


@given(ANY_TEXT, st.floats())
def test_json_holds_any_name_and_any_number(text, number):
    """Names come back as they were; numbers that JSON lacks come by name; the text is UTF-8."""
    finding = Finding(
        "attr", text, key=text, evidence={"p": number}, examples=(Example(text, (("step", number),)),)
    )

    document = json.loads(render_json(found(finding, name=text)).encode(), parse_constant=refuse)

    check_schema(document)
    assert document["findings"][0]["path"] == text
    assert str(document["findings"][0]["evidence"]["p"]) in {str(number), "NaN", "Infinity", "-Infinity"}


# --- JUnit -------------------------------------------------------------------------------------------------------


def outcomes(document):
    """Return what became of each test case of a JUnit document."""
    return {
        (case.get("classname"), case.get("name")): next(
            (child.tag for child in case if child.tag != "system-out"), "passed"
        )
        for case in ET.fromstring(document).iter("testcase")
    }


def test_junit_has_a_test_case_for_each_part_of_the_policy(changed, equal, golden):
    """What changed fails its own part only; a comparison that was not made is an error."""
    parts = [(NAME, part) for part in ("structure", "attributes", "numbers", "time")]
    empty = compare(golden, [])

    root = ET.fromstring(render_junit([changed, equal, empty]))

    assert outcomes(render_junit(changed)) == dict(
        zip(parts, ["passed", "failure", "failure", "failure"], strict=True)
    )
    assert outcomes(render_junit(equal)) == dict.fromkeys(parts, "passed")
    assert outcomes(render_junit(empty)) == dict(
        zip(parts, ["error", "skipped", "skipped", "skipped"], strict=True)
    )
    assert [root.get(word) for word in ("tests", "failures", "errors", "skipped")] == ["12", "3", "1", "3"]


def test_junit_skips_times_that_were_not_compared(programs, golden):
    """A part that was switched off has not passed."""
    comparison = compare(golden, [run(programs, programs.training())], policy=Policy(timing="off"))

    assert outcomes(render_junit(comparison))[NAME, "time"] == "skipped"


def test_junit_keeps_warnings_in_the_output_of_a_passing_case():
    """An advisory does not fail a case, and is not lost."""
    warned = found(
        Finding("rule-unused", "run/x", detail="nothing matched it", severity="advisory"), verdict="pass"
    )

    case = ET.fromstring(render_junit(warned)).find("./testsuite/testcase[@name='structure']")

    assert [child.tag for child in case] == ["system-out"]
    assert case.findtext("system-out") == "advisory: rule-unused run/x: nothing matched it"


@given(ANY_TEXT)
def test_junit_is_xml_whatever_names_hold(text):
    """A name with markup, controls or half an emoji is shown, and the document is parsed."""
    document = render_junit(found(Finding("attr", "run", key=text, golden=text, candidate="x"), name=text))

    assert ET.fromstring(document.encode()).find("testsuite").get("name") == show_hidden(text)


# --- Markdown ----------------------------------------------------------------------------------------------------


def test_markdown_starts_with_the_marker_and_lists_every_finding(changed):
    """A bot finds its comment by the first line; a person finds the causes in the table."""
    text = render_markdown(changed, accept="pytest --golden-update")

    assert text.splitlines()[0] == f"<!-- otel-experiments golden: {NAME} -->"
    assert (
        f"| 2 | **FAIL** | `attr` | `{STEP}/optimizer` | 30 | `lr: 0.001 -> 0.01  first at epoch=0 step=0` |"
        in text
    )
    assert "    ! optimizer   attr 0.001 -> 0.01" in text
    assert text.endswith("Accept: `pytest --golden-update`\n")


def test_markdown_fits_a_comment_however_much_changed():
    """GitHub refuses longer comments; what is left out is counted."""
    text = render_markdown(found(*(Finding("added", f"run/{at:0100}") for at in range(5000))))

    shown = sum(line.startswith("| ") and "added" in line for line in text.splitlines())
    assert len(text.encode()) <= 60_000
    assert f"and {5000 - shown} more findings" in text


@given(ANY_TEXT)
def test_a_marker_is_one_comment_whatever_the_name_holds(text):
    """No name ends the comment early."""
    line = marker(text)

    assert line.count("-->") == 1
    assert "\n" not in line
    assert "--" not in line[4:-3]


@given(ANY_TEXT)
def test_a_code_span_ends_only_at_its_end(text):
    """No run of backticks inside is as long as the fence, and no pipe ends the cell of a table."""
    span = code_span(text)

    fence = len(span) - len(span.lstrip("`"))
    inner = span[fence : len(span) - fence]
    assert all(len(part) != fence for part in "".join(c if c == "`" else " " for c in inner).split())
    assert span.replace("\\|", "").count("|") == 0
    assert inner.replace("\\|", "|").strip() == show_hidden(text).strip()


# --- GitHub ------------------------------------------------------------------------------------------------------


def unescape(text):
    """Read a workflow command's text as the runner does."""
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


def test_github_points_at_the_line_of_the_template(changed, golden):
    """The annotation stands where the golden's file has the span that changed first."""
    text = write_golden(golden)
    lines = {NAME: find_template_lines(text, golden.variants[0].form)}

    (annotation,), summary = render_github(changed, template_lines=lines)

    line = next(at for at, one in enumerate(text.splitlines(), 1) if "train.step" in one)
    assert annotation.startswith(
        f"::error file={NAME},line={line},title=golden changed%3A {NAME}::nonfinite {STEP} ~loss x13: "
    )
    assert "%0Aattr run/epoch/train.step/optimizer x30: lr: 0.001 -> 0.01" in annotation
    assert f"| `{NAME}` | **changed** | structural | 3 | 0 | 0 | 0.94" in summary
    assert f"| 2 | **FAIL** | `attr` | `{STEP}/optimizer` | 30 |" in summary


def test_the_lines_of_all_paths_are_found(golden):
    """Every span of a golden has a line that begins with its name."""
    text = write_golden(golden)
    form = golden.variants[0].form

    lines = find_template_lines(text, form)

    assert {path for path, node in form.walk() if node.name} == set(lines)
    assert all(text.splitlines()[at - 1].split()[0] == path.split("/")[-1] for path, at in lines.items())


def test_github_has_no_annotation_for_what_passes(equal):
    """Only what needs a look is annotated; the summary lists it all."""
    annotations, summary = render_github(equal)

    assert annotations == []
    assert f"| `{NAME}` | passes |" in summary


def test_github_makes_ten_annotations_at_most():
    """A step shows ten; the last one says how many goldens have none of their own."""
    annotations, summary = render_github(
        [found(Finding("added", "run/x"), name=f"g{at}") for at in range(30)]
    )

    assert len(annotations) == 10
    assert annotations[-1].startswith("::error title=golden::21 more goldens do not pass: g9, g10")
    assert all(f"| `g{at}` | **changed** |" in summary for at in range(30))


def test_a_summary_of_very_many_findings_fits_a_step():
    """GitHub refuses a longer summary as a whole."""
    findings = [Finding("added", f"run/{at:0100}") for at in range(4_000)]

    _, summary = render_github([found(*findings, name=f"g{at}") for at in range(5)])

    assert MAX_SUMMARY_BYTES * 0.9 < len(summary.encode()) <= MAX_SUMMARY_BYTES


@given(ANY_TEXT)
def test_an_annotation_is_one_command_whatever_names_hold(text):
    """Names cannot end the command, add properties to it or start another."""
    (annotation,), _ = render_github(
        found(Finding("attr", "run", key="k", golden=text, candidate="x"), name=text)
    )

    head, properties, message = annotation.split("::", 2)
    assert (head, "\n" in annotation, "\r" in annotation) == ("", False, False)
    file, title = properties.removeprefix("error ").split(",")
    assert unescape(file) == f"file={show_hidden(text)}"
    assert unescape(title) == f"title=golden changed: {show_hidden(text)}"
    if text:
        assert unescape(message) == f"attr run: k: {show_hidden(text)} -> x"


def test_reports_of_equal_comparisons_are_the_same_bytes(programs, golden):
    """Nothing in a report depends on when it is made, nor on which machine."""
    comparisons = [compare(golden, [run(programs, programs.training(lr=0.01, steps=11))]) for _ in range(2)]

    for render in (render_text, render_json, render_junit, render_markdown, render_github):
        first, second = map(render, comparisons)
        assert first == second
