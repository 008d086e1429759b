"""A finding in words: where it is, and what changed."""

from __future__ import annotations

from otel_experiments.golden.findings.difference import show_change
from otel_experiments.golden.findings.finding import Finding


def place_of(finding: Finding) -> str:
    """Return where a finding is: its path, with the metric where it is about one."""
    path = finding.path or "(the whole run)"
    return f"{path} ~{finding.key}" if finding.group == "numbers" and finding.key else path


def describe(finding: Finding) -> str:
    """Return what changed, as one clause."""
    change = ""
    if finding.group == "time":
        change = finding.detail
    elif finding.group == "numbers":
        change = finding.detail or f"{finding.golden or 'nothing'} -> {finding.candidate or 'nothing'}"
    elif finding.golden or finding.candidate:
        change = show_change(finding.golden, finding.candidate)
        if finding.key and finding.group == "span":
            change = f"{finding.key}: {change}"
    parts = [change] if change else []
    if finding.detail and finding.detail != change:
        parts.append(finding.detail if not change else f"({finding.detail})")
    where = finding.examples[0].index_text if finding.examples else ""
    if (
        where
        and where not in change
        and where not in finding.detail
        and finding.group in {"structure", "span"}
    ):
        parts.append(f"first at {where}")
    if finding.location:
        parts.append(finding.location)
    if finding.reason:
        parts.append(f"[{finding.reason}]")
    return "  ".join(parts)
