"""What a finding means, why it has its severity, and how to accept or ignore it; from a JSON report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from otel_experiments.errors import GoldenRuleError

MEANINGS: Final[Mapping[str, str]] = {
    "added": "A span that the golden does not have.",
    "removed": "A span of the golden that did not happen.",
    "moved": "A subtree is below another parent than in the golden.",
    "wrapped": "A new span stands around spans that the golden has without it.",
    "unwrapped": "A span that stood around others is gone; the others are still there.",
    "renamed": "A span has another name; what is in it, or around it, is the same.",
    "count": "A loop, or a group of ranks, has another number of rounds.",
    "reordered": "Spans of one lane happen in another order.",
    "serialised": "What ran in parallel lanes runs in one lane.",
    "parallelised": "What ran in one lane runs in parallel lanes.",
    "retry": "A span failed, and one of the same name follows it that the golden does not have.",
    "duplicate-index": "An index, such as a step, comes twice.",
    "missing-index": "An index, such as an epoch, is left out.",
    "orphan": "A span's parent is not in the trace: spans were lost.",
    "root-missing": "The root span is not in the trace: the exporter was not flushed before the process ended.",
    "rank-differs": "One rank does something else than the others.",
    "status": "A span ended with another status.",
    "kind": "A span is of another kind (internal, client, server...).",
    "event": "A span has other events.",
    "link": "A span has other links.",
    "attr": "An attribute that is configuration has another value.",
    "attr-added": "A span has an attribute that it has not in the golden.",
    "attr-removed": "A span lacks an attribute that it has in the golden.",
    "attr-type": "An attribute has the same value in another type.",
    "attr-renamed": "An attribute has another name and the same value.",
    "scope": "A span comes from another instrumentation scope.",
    "nonfinite": "A metric is NaN or infinite where the golden is finite.",
    "curve-diverged": "A metric leaves its tolerance around the golden.",
    "curve-band": "A metric leaves the band that the golden's runs make.",
    "curve-length": "A metric has more or fewer points.",
    "metric-added": "A metric that the golden does not have.",
    "metric-removed": "A metric of the golden was not recorded.",
    "converged-later": "The metric reached its target later.",
    "converged-earlier": "The metric reached its target earlier: too good is suspicious.",
    "slower": "A stage takes longer than the golden's runs and their spread allow.",
    "faster": "A stage takes less time.",
    "waiting": "A stage takes longer while it computes as long as before: it waits, or the machine is busy.",
    "uniform-slowdown": "Everything takes longer by one factor: the machine is slower, not the program.",
    "critical-path": "Most of the time goes to another stage than in the golden.",
    "inconclusive": "With so few runs a slowdown could not have been seen; more runs are needed.",
    "incomplete-trace": "Spans were dropped or have not ended, so nothing was compared.",
    "clock-skew": "A span starts before its parent: the clocks of two hosts differ.",
    "golden-stale": "The golden was made with older rules, or its ten or more runs drifted in time.",
    "golden-unused": "No test asks for the golden.",
    "rule-unused": "An ignore rule matched nothing: it can go.",
}


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
        f"  {MEANINGS.get(code, 'A change of a kind that this release does not know.')}",
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
    lines += _neighbours(findings, number, found["path"])
    lines += _remedies(document, found)
    return "\n".join(lines)


def _neighbours(findings: list[dict[str, Any]], number: int, path: str) -> list[str]:
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
