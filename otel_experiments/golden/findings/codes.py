"""The codes of findings, as data: one row a code, from which everything that depends on a code derives.

Codes are API: they are in JSON, JUnit, annotations and ignore rules, and are only ever added. Adding one is a member
of `Code` and its row of `CODES`; policies, the order of reports, `golden explain`, `golden calibrate` and the tests of
the JSON schema and the reference page take what they need from the row. Not from the row: `CurveCode` and `TimingCode`
list what curves and times can find, and a few rules name single codes (`Policy._time_severity`, `match/merge.py`,
`comparison.py`, `inline.py`, JUnit's and GitHub's reports). `docs/contributing` has the list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal, get_args

Severity = Literal["fail", "advisory", "note", "ignored"]
"""`fail` makes the verdict fail; advisories and notes are shown; what a rule ignored is counted."""

Group = Literal["structure", "span", "numbers", "time", "hygiene"]
"""What a finding is about, in the order of reports."""

RemedyKind = Literal["rtol", "volatile", "unordered", "timing", "ignore"]
"""What can be declared so that a difference between equal runs fails no more."""

SEVERITIES: Final[tuple[Severity, ...]] = get_args(Severity)
GROUPS: Final[tuple[Group, ...]] = get_args(Group)


class Code(StrEnum):
    """What a finding is: the kind of change."""

    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"
    WRAPPED = "wrapped"
    UNWRAPPED = "unwrapped"
    RENAMED = "renamed"
    COUNT = "count"
    REORDERED = "reordered"
    SERIALISED = "serialised"
    PARALLELISED = "parallelised"
    RETRY = "retry"
    DUPLICATE_INDEX = "duplicate-index"
    MISSING_INDEX = "missing-index"
    ORPHAN = "orphan"
    ROOT_MISSING = "root-missing"
    RANK_DIFFERS = "rank-differs"
    STATUS = "status"
    KIND = "kind"
    EVENT = "event"
    LINK = "link"
    ATTR = "attr"
    ATTR_ADDED = "attr-added"
    ATTR_REMOVED = "attr-removed"
    ATTR_TYPE = "attr-type"
    ATTR_RENAMED = "attr-renamed"
    SCOPE = "scope"
    NONFINITE = "nonfinite"
    CURVE_DIVERGED = "curve-diverged"
    CURVE_BAND = "curve-band"
    CURVE_LENGTH = "curve-length"
    METRIC_ADDED = "metric-added"
    METRIC_REMOVED = "metric-removed"
    CONVERGED_LATER = "converged-later"
    CONVERGED_EARLIER = "converged-earlier"
    SLOWER = "slower"
    FASTER = "faster"
    WAITING = "waiting"
    UNIFORM_SLOWDOWN = "uniform-slowdown"
    CRITICAL_PATH = "critical-path"
    INCONCLUSIVE = "inconclusive"
    INCOMPLETE_TRACE = "incomplete-trace"
    CLOCK_SKEW = "clock-skew"
    GOLDEN_STALE = "golden-stale"
    GOLDEN_UNUSED = "golden-unused"
    RULE_UNUSED = "rule-unused"


@dataclass(frozen=True, slots=True)
class CodeFacts:
    """What is known of a code.

    `meaning` is one sentence for people. `weight` puts causes before what follows from them in a report: the lowest
    first, None behind all causes. `severity` is the one that holds under every policy, `statistical` the one under the
    statistical policy; None where the policy decides. A change with `is_structural_on_ranks` that only some ranks show
    is reported as `rank-differs`. `remedies` are the declarations that may mend the finding, mildest first; ignoring
    it is always possible.
    """

    group: Group
    meaning: str
    weight: int | None = None
    severity: Severity | None = None
    statistical: Severity | None = None
    is_structural_on_ranks: bool = False
    remedies: tuple[RemedyKind, ...] = ()


CODES: Final[Mapping[Code, CodeFacts]] = {
    Code.ADDED: CodeFacts(
        "structure", "A span that the golden does not have.", weight=7, is_structural_on_ranks=True
    ),
    Code.REMOVED: CodeFacts(
        "structure", "A span of the golden that did not happen.", weight=7, is_structural_on_ranks=True
    ),
    Code.MOVED: CodeFacts(
        "structure",
        "A subtree is below another parent than in the golden.",
        weight=7,
        is_structural_on_ranks=True,
    ),
    Code.WRAPPED: CodeFacts(
        "structure", "A new span stands around spans that the golden has without it.", weight=7
    ),
    Code.UNWRAPPED: CodeFacts(
        "structure", "A span that stood around others is gone; the others are still there.", weight=7
    ),
    Code.RENAMED: CodeFacts(
        "structure",
        "A span has another name; what is in it, or around it, is the same.",
        weight=7,
        is_structural_on_ranks=True,
    ),
    Code.COUNT: CodeFacts(
        "structure",
        "A loop, or a group of ranks, has another number of rounds.",
        weight=7,
        is_structural_on_ranks=True,
    ),
    Code.REORDERED: CodeFacts(
        "structure",
        "Spans of one lane happen in another order.",
        is_structural_on_ranks=True,
        remedies=("unordered",),
    ),
    Code.SERIALISED: CodeFacts(
        "structure",
        "What ran in parallel lanes runs in one lane.",
        weight=5,
        statistical="advisory",
        is_structural_on_ranks=True,
        remedies=("unordered",),
    ),
    Code.PARALLELISED: CodeFacts(
        "structure",
        "What ran in one lane runs in parallel lanes.",
        statistical="advisory",
        is_structural_on_ranks=True,
        remedies=("unordered",),
    ),
    Code.RETRY: CodeFacts(
        "structure",
        "A span failed, and one of the same name follows it that the golden does not have.",
        weight=4,
    ),
    Code.DUPLICATE_INDEX: CodeFacts("structure", "An index, such as a step, comes twice."),
    Code.MISSING_INDEX: CodeFacts(
        "structure", "An index, such as an epoch, is left out.", is_structural_on_ranks=True
    ),
    Code.ORPHAN: CodeFacts("structure", "A span's parent is not in the trace: spans were lost.", weight=2),
    Code.ROOT_MISSING: CodeFacts(
        "structure",
        "The root span is not in the trace: the exporter was not flushed before the process ended.",
        weight=1,
    ),
    Code.RANK_DIFFERS: CodeFacts("structure", "One rank does something else than the others.", weight=6),
    Code.STATUS: CodeFacts("span", "A span ended with another status.", weight=8, remedies=("volatile",)),
    Code.KIND: CodeFacts(
        "span", "A span is of another kind (internal, client, server...).", remedies=("volatile",)
    ),
    Code.EVENT: CodeFacts("span", "A span has other events.", remedies=("volatile",)),
    Code.LINK: CodeFacts("span", "A span has other links.", remedies=("volatile",)),
    Code.ATTR: CodeFacts(
        "span", "An attribute that is configuration has another value.", remedies=("volatile",)
    ),
    Code.ATTR_ADDED: CodeFacts(
        "span", "A span has an attribute that it has not in the golden.", remedies=("volatile",)
    ),
    Code.ATTR_REMOVED: CodeFacts(
        "span", "A span lacks an attribute that it has in the golden.", remedies=("volatile",)
    ),
    Code.ATTR_TYPE: CodeFacts(
        "span", "An attribute has the same value in another type.", remedies=("volatile",)
    ),
    Code.ATTR_RENAMED: CodeFacts(
        "span", "An attribute has another name and the same value.", remedies=("volatile",)
    ),
    Code.SCOPE: CodeFacts("span", "A span comes from another instrumentation scope.", remedies=("volatile",)),
    Code.NONFINITE: CodeFacts(
        "numbers",
        "A metric is NaN or infinite where the golden is finite.",
        weight=3,
        remedies=("volatile",),
    ),
    Code.CURVE_DIVERGED: CodeFacts(
        "numbers", "A metric leaves its tolerance around the golden.", remedies=("rtol", "volatile")
    ),
    Code.CURVE_BAND: CodeFacts(
        "numbers", "A metric leaves the band that the golden's runs make.", remedies=("rtol", "volatile")
    ),
    Code.CURVE_LENGTH: CodeFacts("numbers", "A metric has more or fewer points.", remedies=("volatile",)),
    Code.METRIC_ADDED: CodeFacts("numbers", "A metric that the golden does not have."),
    Code.METRIC_REMOVED: CodeFacts("numbers", "A metric of the golden was not recorded."),
    Code.CONVERGED_LATER: CodeFacts(
        "numbers", "The metric reached its target later.", remedies=("volatile",)
    ),
    Code.CONVERGED_EARLIER: CodeFacts(
        "numbers",
        "The metric reached its target earlier: too good is suspicious.",
        severity="advisory",
        remedies=("volatile",),
    ),
    Code.SLOWER: CodeFacts(
        "time",
        "A stage takes longer than the golden's runs and their spread allow.",
        remedies=("timing",),
    ),
    Code.FASTER: CodeFacts("time", "A stage takes less time.", remedies=("timing",)),
    Code.WAITING: CodeFacts(
        "time",
        "A stage takes longer while it computes as long as before: it waits, or the machine is busy.",
        remedies=("timing",),
    ),
    Code.UNIFORM_SLOWDOWN: CodeFacts(
        "time",
        "Everything takes longer by one factor: the machine is slower, not the program.",
        remedies=("timing",),
    ),
    Code.CRITICAL_PATH: CodeFacts(
        "time",
        "Most of the time goes to another stage than in the golden.",
        severity="advisory",
        remedies=("timing",),
    ),
    Code.INCONCLUSIVE: CodeFacts(
        "time",
        "With so few runs a slowdown could not have been seen; more runs are needed.",
        severity="advisory",
        remedies=("timing",),
    ),
    Code.INCOMPLETE_TRACE: CodeFacts(
        "hygiene", "Spans were dropped or have not ended, so nothing was compared.", weight=0
    ),
    Code.CLOCK_SKEW: CodeFacts(
        "hygiene",
        "A span starts before its parent: the clocks of two hosts differ.",
        severity="advisory",
    ),
    Code.GOLDEN_STALE: CodeFacts(
        "hygiene",
        "The golden was made with older rules, or its ten or more runs drifted in time.",
        severity="advisory",
    ),
    Code.GOLDEN_UNUSED: CodeFacts("hygiene", "No test asks for the golden."),
    Code.RULE_UNUSED: CodeFacts("hygiene", "An ignore rule matched nothing: it can go.", severity="advisory"),
}
"""Every code and what is known of it, in the order of the reference page."""
