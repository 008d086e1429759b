"""What the ranks of one run were told about it, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from otel_experiments.model.run import ParamValue

Kind = Literal["param", "tag", "fact"]


@dataclass(frozen=True, slots=True)
class RankConfig:
    """What one rank was told: params (dotted keys), tags (None: removed), and facts such as `group` and `seed`."""

    rank: int
    params: Mapping[str, ParamValue]
    tags: Mapping[str, str | None]
    facts: Mapping[str, ParamValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RankDifference:
    """A param, a tag or another fact of which some ranks were told another value than the run's.

    `value` is the run's own, that of the lowest rank that has it; `others` is what the other ranks were told.
    """

    kind: Kind
    key: str
    value: ParamValue
    others: Mapping[int, ParamValue]

    def __str__(self) -> str:
        shown: dict[str, list[int]] = {}
        for rank, value in self.others.items():
            shown.setdefault(_text(value), []).append(rank)
        parts = [f"{text} on {_ranks(ranks)}" for text, ranks in list(shown.items())[:_MAX_VALUES]]
        if len(shown) > _MAX_VALUES:
            parts.append(f"{len(shown) - _MAX_VALUES} more values")
        name = f"tag {self.key}" if self.kind == "tag" else self.key
        return f"{name} = {_text(self.value)}, but {', '.join(parts)}"


_MAX_VALUES = 3
_MAX_CHARS = 60


def _text(value: ParamValue) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 3]}..."


def _ranks(ranks: list[int]) -> str:
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    return f"{len(ranks)} ranks ({', '.join(map(str, ranks[:3]))}{', ...' if len(ranks) > 3 else ''})"


def find_differences(
    params: Mapping[str, ParamValue],
    tags: Mapping[str, str | None],
    facts: Mapping[str, ParamValue],
    told: Iterable[RankConfig],
) -> list[RankDifference]:
    """Return where ranks disagree with what the run itself has, by kind and key.

    `told` comes in the order in which it was told; the later value of a rank counts. What only some ranks were told
    contradicts nobody.
    """
    own: dict[Kind, Mapping[str, ParamValue]] = {"param": params, "tag": tags, "fact": facts}
    by_key: dict[tuple[Kind, str], dict[int, ParamValue]] = {}
    for one in told:
        theirs: dict[Kind, Mapping[str, ParamValue]] = {
            "param": one.params,
            "tag": one.tags,
            "fact": one.facts,
        }
        for kind, values in theirs.items():
            for key, value in values.items():
                by_key.setdefault((kind, key), {})[one.rank] = value
    found = []
    for (kind, key), by_rank in sorted(
        by_key.items(), key=lambda item: (list(own).index(item[0][0]), item[0][1])
    ):
        if key not in own[kind]:
            continue
        value = own[kind][key]
        others = {rank: one for rank, one in sorted(by_rank.items()) if repr(one) != repr(value)}
        if others:
            found.append(RankDifference(kind, key, value, others))
    return found
