"""One difference between two runs: where it is, both values, and how likely it explains what else differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Literal

from otel_experiments._short_repr import fields_repr
from otel_experiments.query.natural import natural_key

Section = Literal[
    "code", "params", "data", "packages", "environment", "hardware",
    "state", "spans", "metrics", "times", "artifacts", "losses", "labels",
]  # fmt: skip
"""What a difference is about, causes first."""

Role = Literal["cause", "symptom", "label"]
"""What was different before the runs worked, what came of it, and what people call the runs."""

Change = Literal["added", "removed", "changed"]

CAUSES: Final[tuple[Section, ...]] = ("code", "params", "data", "packages", "environment", "hardware")
SYMPTOMS: Final[tuple[Section, ...]] = ("state", "spans", "metrics", "times", "artifacts", "losses")
SECTIONS: Final[tuple[Section, ...]] = (*CAUSES, *SYMPTOMS, "labels")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        section: what it is about: `code`, `params`, `data`, `packages`, `environment`, `hardware`, `state`, `spans`, `metrics`,
            `times`, `artifacts`, `losses` or `labels`.
        key: what differs: the param, the package, the metric, the path of the spans.
        a: the value in the first run; None where it has none.
        b: the value in the second run; None where it has none.
        weight: from 0 to 1, how likely it explains other differences (a cause), or how much of the run it is (a symptom).
        detail: one clause for people; empty where the values say it all.
        lines: the difference line by line, as `diff` prints it; only of uncommitted changes.
        evidence: the numbers behind it.
    """

    section: Section
    key: str
    _: KW_ONLY
    a: object = None
    b: object = None
    weight: float = 0.5
    detail: str = ""
    lines: tuple[str, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)

    def __repr__(self) -> str:
        return fields_repr(self)

    @property
    def change(self) -> Change:
        """Whether only the second run has it (`added`), only the first (`removed`), or both with other values (`changed`)."""
        if self.a is None and self.b is not None:
            return "added"
        return "removed" if self.b is None and self.a is not None else "changed"

    @property
    def role(self) -> Role:
        """Whether it is a `cause`, a `symptom` or a `label`."""
        if self.section in CAUSES:
            return "cause"
        return "symptom" if self.section in SYMPTOMS else "label"

    @property
    def decides(self) -> bool:
        """Whether two runs that differ in nothing else are different: neither names nor times alone make them so."""
        return self.role != "label" and self.section != "times"


def in_order(differences: Iterable[Difference]) -> tuple[Difference, ...]:
    """Return the differences, causes first, and of each role the ones with the greatest weight."""
    roles: Mapping[Role, int] = {"cause": 0, "symptom": 1, "label": 2}
    return tuple(
        sorted(
            differences,
            key=lambda one: (
                roles[one.role],
                -round(one.weight, 6),
                SECTIONS.index(one.section),
                natural_key(one.key),
            ),
        )
    )
