"""Differences as they are met, merged to one finding for each code, path and key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.golden.canonical.form import Form, Node
from otel_experiments.golden.findings import CODES, Code, Example, Finding
from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr

MAX_EXAMPLES: Final = 3
_MAX_VALUES: Final = 3


@dataclass(slots=True)
class _Entry:
    count: int = 0
    values: dict[tuple[str, str, str], int] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    evidence: dict[str, float] = field(default_factory=dict)
    ranks: set[int] = field(default_factory=set)
    is_rankless: bool = False


class Ledger:
    """Collects differences; `findings` gives them merged."""

    def __init__(self) -> None:
        self._entries: dict[tuple[Code, str, str], _Entry] = {}

    def note(  # noqa: PLR0913 - a finding has that many parts, all by keyword
        self,
        code: Code,
        path: str,
        *,
        key: str = "",
        golden: str = "",
        candidate: str = "",
        detail: str = "",
        count: int = 1,
        places: Places | None = None,
        evidence: Mapping[str, float] | None = None,
    ) -> None:
        """Add a difference met `count` times; `places` are the instances that show it."""
        entry = self._entries.setdefault((code, path, key), _Entry())
        entry.count += count
        value = (golden, candidate, detail)
        entry.values[value] = entry.values.get(value, 0) + count
        if places is None:
            entry.is_rankless = True
        else:
            if len(entry.examples) < MAX_EXAMPLES:
                entry.examples += places.examples(MAX_EXAMPLES - len(entry.examples))
            ranks = places.ranks()
            entry.ranks |= ranks
            entry.is_rankless |= not ranks
        if evidence:
            entry.evidence.update(evidence)

    def findings(
        self, golden_ranks: frozenset[int] = frozenset(), candidate_ranks: frozenset[int] = frozenset()
    ) -> list[Finding]:
        """Return the findings; those that only some of the ranks show say so.

        A change of structure on some of the ranks only is `rank-differs`: the ranks no longer do the same. Ranks
        that only one side has are no such change: there are more of them, or fewer.
        """
        found = []
        all_ranks, common_ranks = golden_ranks | candidate_ranks, golden_ranks & candidate_ranks
        for (code, path, key), entry in self._entries.items():
            golden, candidate, detail = _merge_values(entry.values)
            is_partial = (
                bool(entry.ranks) and not entry.is_rankless and len(all_ranks) > 1 and entry.ranks < all_ranks
            )
            own_code = code
            if is_partial and entry.ranks.isdisjoint(common_ranks):
                detail = f"rank {_ranges(sorted(entry.ranks))}{f': {detail}' if detail else ''}"
            elif is_partial:
                on = f"rank {_ranges(sorted(entry.ranks))}"
                if CODES[code].is_structural_on_ranks:
                    own_code = Code.RANK_DIFFERS
                    detail = f"{on}: {code}{f', {detail}' if detail else ''}"
                else:
                    detail = f"{on} only{f', {detail}' if detail else ''}"
            found.append(
                Finding(
                    code=own_code,
                    path=path,
                    count=entry.count,
                    key=key,
                    golden=golden,
                    candidate=candidate,
                    detail=detail,
                    evidence=dict(entry.evidence),
                    examples=tuple(entry.examples),
                )
            )
        return found


@dataclass(frozen=True, slots=True)
class Places:
    """Instances of a node, as the evidence of a finding."""

    form: Form
    node: Node
    instances: Sequence[int]

    def examples(self, limit: int) -> list[Example]:
        """Return up to `limit` instances as examples."""
        found = []
        for instance in self.instances[:limit]:
            span = self.form.span_at(self.node, instance)
            index = self.form.index_of(self.node, instance)
            found.append(
                Example(span.span_id, index, location_of(span)) if span is not None else Example(index=index)
            )
        return found

    def ranks(self) -> set[int]:
        """Return the ranks that the instances belong to; empty outside of ranks."""
        node: Node | None = self.node
        divisor = 1
        while node is not None:
            for key in RANK_KEYS:
                if key in node.index:
                    values = (node.index[key][instance // divisor] for instance in self.instances)
                    return {int(value) for value in values if value is not None}
            divisor *= node.count
            node = self.form.parent_of(node)
        return set()


RANK_KEYS: Final = ("rank", attr.ML_DISTRIBUTED_RANK)
"""Index keys that name the rank of a distributed job."""


def location_of(span: Span) -> str:
    """Return `file:line` of the code that opened a span; empty when it was not recorded."""
    path = span.attributes.get(attr.CODE_FILE_PATH)
    line = span.attributes.get(attr.CODE_LINE_NUMBER)
    if not isinstance(path, str):
        return ""
    return f"{path}:{line}" if isinstance(line, int) else path


def _merge_values(values: Mapping[tuple[str, str, str], int]) -> tuple[str, str, str]:
    """Return golden, candidate and detail of several differences that share code, path and key."""
    if len(values) == 1:
        return next(iter(values))
    details = list(dict.fromkeys(detail for _, _, detail in values if detail))
    golden = _few(ours for ours, _, _ in values)
    candidate = _few(theirs for _, theirs, _ in values)
    return golden, candidate, "; ".join(details[:_MAX_VALUES])


def _few(texts: Iterable[str]) -> str:
    distinct = list(dict.fromkeys(text for text in texts if text))
    shown = ", ".join(distinct[:_MAX_VALUES])
    return f"{shown}, ... ({len(distinct)} values)" if len(distinct) > _MAX_VALUES else shown


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers as ranges: 0-2, 5."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][1] + 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in parts)
