"""Names for runs that nobody gave one."""

from __future__ import annotations

import secrets
from typing import Final

_ADJECTIVES: Final = (
    "amber", "bold", "brisk", "calm", "clear", "crisp", "deft", "eager", "fair", "fleet", "gentle", "glad",
    "keen", "kind", "light", "lively", "lucid", "merry", "mild", "neat", "noble", "plain", "proud", "quick",
    "quiet", "rapid", "ready", "sharp", "sound", "steady", "sunny", "swift", "tidy", "vivid", "warm", "wise",
)  # fmt: skip
_NOUNS: Final = (
    "alder", "aspen", "beech", "birch", "brook", "cedar", "cliff", "coast", "comet", "crane", "delta", "dune",
    "falcon", "fern", "finch", "fjord", "grove", "harbor", "heron", "island", "lark", "linden", "maple", "meadow",
    "meteor", "oak", "orchid", "otter", "pine", "plover", "raven", "reef", "ridge", "river", "robin", "willow",
)  # fmt: skip


def make_name() -> str:
    """Return a name such as `keen-heron-417`, drawn without the global `random`."""
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{secrets.randbelow(900) + 100}"


def is_made_name(name: str) -> bool:
    """Tell whether a run's name is one that `make_name` draws, so that another run has another."""
    adjective, _, rest = name.partition("-")
    noun, _, number = rest.partition("-")
    return adjective in _ADJECTIVES and noun in _NOUNS and number.isdecimal()
