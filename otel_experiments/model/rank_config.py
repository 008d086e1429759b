"""What the ranks of one run were told about it, and where they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from otel_experiments.model.run import ParamValue


@dataclass(frozen=True, slots=True)
class RankConfig:
    """Params (dotted keys) and tags that one rank was told; a tag that it removed is None."""

    rank: int
    params: Mapping[str, ParamValue]
    tags: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class RankDifference:
    """A param or tag of which some ranks were told another value than the run's.

    `value` is the run's own, that of the lowest rank that has it; `others` is what the other ranks were told.
    """

    kind: Literal["param", "tag"]
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
        name = self.key if self.kind == "param" else f"tag {self.key}"
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
    params: Mapping[str, ParamValue], tags: Mapping[str, str | None], told: Iterable[RankConfig]
) -> list[RankDifference]:
    """Return where ranks disagree with the run's own params and tags, by kind and key.

    `told` comes in the order in which it was told; the later value of a rank counts.
    """
    of_params: dict[str, dict[int, ParamValue]] = {}
    of_tags: dict[str, dict[int, ParamValue]] = {}
    for one in told:
        for key, value in one.params.items():
            of_params.setdefault(key, {})[one.rank] = value
        for key, tag in one.tags.items():
            of_tags.setdefault(key, {})[one.rank] = tag
    found = []
    kinds: list[
        tuple[Literal["param", "tag"], Mapping[str, ParamValue], dict[str, dict[int, ParamValue]]]
    ] = [
        ("param", params, of_params),
        ("tag", tags, of_tags),
    ]
    for kind, own, by_key in kinds:
        for key, by_rank in sorted(by_key.items()):
            if key in own:  # what only some ranks were told contradicts nobody
                others = {
                    rank: value for rank, value in sorted(by_rank.items()) if repr(value) != repr(own[key])
                }
                if others:
                    found.append(RankDifference(kind, key, own[key], others))
    return found
