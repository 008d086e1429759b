"""What a comparison finds: the codes as data, the finding, and the order in which findings are reported."""

from otel_experiments.golden.findings.codes import CODES, GROUPS, SEVERITIES, Code, CodeFacts, Group, Severity
from otel_experiments.golden.findings.finding import Example, Finding, sort_findings

__all__ = [
    "CODES",
    "GROUPS",
    "SEVERITIES",
    "Code",
    "CodeFacts",
    "Example",
    "Finding",
    "Group",
    "Severity",
    "sort_findings",
]
