"""What a finding means, why it has its severity, and how to accept or ignore it; from a JSON report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from otel_experiments.errors import GoldenRuleError
from otel_experiments.golden.findings import CODES, Code


def explain(report: str, number: int, *, source: str) -> str:
    """Return what one finding of a JSON report means and what can be done about it.

    Raises:
        GoldenRuleError: the text is no report, or a damaged one, or has no finding of that number.
    """
    document = _parse(report, source)
    try:
        return _explain(document, number, source)
    except (KeyError, TypeError, AttributeError) as exc:
        raise GoldenRuleError(
            rule=source,
            why=f"it was changed: something is missing or of another type ({exc})",
            fix="Make it again: otel-experiments golden compare ... --format json",
        ) from exc


def _explain(document: Mapping[str, Any], number: int, source: str) -> str:
    findings = document["findings"]
    if not 1 <= number <= len(findings):
        raise GoldenRuleError(
            rule=f"finding={number}",
            why=f"{source} has {len(findings)} findings",
            fix=f"Take a number from 1 to {len(findings)}." if findings else "There is nothing to explain.",
        )
    found = findings[number - 1]
    code, path = found["code"], found["path"] or "(the whole run)"
    lines = [
        f"finding {number} of {len(findings)}: {code} ({found['group']}), {found['severity']}",
        f"  {_meaning(code)}",
        "",
        f"  where      {path}{'  x' + str(found['count']) if found['count'] > 1 else ''}",
    ]
    if found["key"]:
        lines.append(f"  what       {found['key']}")
    lines += [f"  golden     {found['golden'] or '-'}", f"  candidate  {found['candidate'] or '-'}"]
    if found["detail"]:
        lines.append(f"  detail     {found['detail']}")
    if found["evidence"]:
        lines.append(
            f"  evidence   {', '.join(f'{key}={_number(value)}' for key, value in found['evidence'].items())}"
        )
    for example in found["examples"]:
        index = " ".join(f"{key}={_number(value)}" for key, value in example["index"].items())
        parts = [
            part
            for part in (
                f"span {example['span_id']}" if example["span_id"] else "",
                index,
                example["location"],
            )
            if part
        ]
        lines.append(f"  example    {'  '.join(parts)}")
    policy = document["policy"]
    lines += [
        "",
        f"  policy {policy['name']}, timing {policy['timing']}{': ' + found['reason'] if found['reason'] else ''}",
    ]
    lines += _near(findings, number, found["path"])
    lines += _remedies(document, found)
    return "\n".join(lines)


def _meaning(code: str) -> str:
    try:
        return CODES[Code(code)].meaning
    except ValueError:
        return "A change of a kind that this release does not know."


def _near(findings: list[dict[str, Any]], number: int, path: str) -> list[str]:
    parent = path.rpartition("/")[0]
    near = [
        f"    {at}. {one['code']} {one['path']}{' ' + one['key'] if one['key'] else ''}"
        for at, one in enumerate(findings, 1)
        if at != number and parent and one["path"].startswith(parent)
    ]
    return ["", "  found near it:", *near[:5]] if near else []


def _remedies(document: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    parts = "=timing" if found["group"] == "time" else ""
    golden = document["golden"]["name"]
    is_metric = found["group"] == "numbers" and found["key"]
    place = f"{found['path']} ~{found['key']}" if is_metric else found["path"]
    return [
        "",
        f"  accept     otel-experiments golden update {golden} -- COMMAND      pytest TEST --golden-update{parts}",
        "  ignore     in pyproject.toml:",
        "               [[tool.otel-experiments.golden.ignore]]",
        f"               path = {json.dumps(place, ensure_ascii=False)}",
        f"               code = {json.dumps(found['code'])}",
        '               reason = "..."',
    ]


def _parse(report: str, source: str) -> dict[str, Any]:  # checked below as far as it is used
    try:
        document = json.loads(report)
    except (json.JSONDecodeError, RecursionError) as exc:
        raise GoldenRuleError(
            rule=source,
            why=f"it is no JSON: {exc}",
            fix="Make one: otel-experiments golden compare ... --format json",
        ) from exc
    if not isinstance(document, dict) or document.get("kind") != "golden-comparison":
        raise GoldenRuleError(
            rule=source,
            why="it is no report of a golden comparison",
            fix="Make one: otel-experiments golden compare ... --format json",
        )
    if document.get("schema_version") != 1:
        raise GoldenRuleError(
            rule=source,
            why=f"its schema is {document.get('schema_version')!r}, and this release reads 1",
            fix="Make it again with this release.",
        )
    return document


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
