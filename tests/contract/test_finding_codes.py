"""The codes of findings: one table in the code, and what must agree with it outside."""

import json
import re
from itertools import groupby
from pathlib import Path

import jsonschema
import pytest

import otel_experiments
from otel_experiments.golden.findings import CODES, GROUPS, SEVERITIES, Code
from otel_experiments.golden.report.junit import PARTS
from otel_experiments.golden.report.style import STYLE

ROOT = Path(otel_experiments.__file__).parent.parent
SCHEMA = json.loads((ROOT / "docs/reference/golden-report.schema.json").read_text())
PAGE = (ROOT / "docs/reference/golden.md").read_text()


def test_every_code_has_its_row_and_no_row_is_left_over():
    """A code without a row has no meaning, no group and no severity."""
    assert list(CODES) == list(Code)


def test_rows_are_in_the_order_of_their_groups():
    """The reference page lists the codes in the order of the table, each group once."""
    assert [group for group, _ in groupby(facts.group for facts in CODES.values())] == list(GROUPS)


@pytest.mark.parametrize("code", Code)
def test_every_meaning_is_one_sentence(code):
    """`golden explain` and the reference page show it as it is."""
    assert re.fullmatch(r"[A-Z].*\.", CODES[code].meaning)


def test_the_schema_of_reports_knows_exactly_the_codes_groups_and_severities():
    """A report with a new code is valid for those who check it against the schema."""
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    finding = SCHEMA["$defs"]["finding"]["properties"]

    assert finding["code"]["enum"] == [str(code) for code in CODES]
    assert finding["group"]["enum"] == list(GROUPS)
    assert finding["severity"]["enum"] == list(SEVERITIES)


def test_the_reference_page_says_what_every_code_means():
    """Who meets a code in a report finds its meaning on the page, in the words of `golden explain`."""
    rows = re.findall(
        r"^\| `([a-z-]+)` \| (\w+) \| (.+) \|$", PAGE.partition("\n## Findings\n")[2], re.MULTILINE
    )
    table = "\n".join(f"| `{code}` | {facts.group} | {facts.meaning} |" for code, facts in CODES.items())

    assert rows == [(str(code), facts.group, facts.meaning) for code, facts in CODES.items()], table


def test_every_group_is_part_of_a_junit_test_case():
    """A finding whose group is in no test case would be lost in CI."""
    assert sorted(group for groups in PARTS.values() for group in groups) == sorted(GROUPS)


def test_every_severity_has_its_colour_in_the_html_report():
    """The class of a badge is the severity; without a rule it would have no colour."""
    assert all(f".{severity}{{" in STYLE for severity in SEVERITIES)
