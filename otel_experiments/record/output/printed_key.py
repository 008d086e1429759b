"""Which lines of output are those of a private key that is printed line by line.

A line may only mention how a key begins, as messages of ssl do. So a line is left out for what it looks like, never only for
where it stands.
"""

from __future__ import annotations

import re
from typing import Final

from otel_experiments.codec.control_sequences import without_controls

_BEGIN: Final = re.compile(r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_END: Final = "-----END"
_MOST_LINES: Final = 400
"""So long after its beginning a key is looked for."""
_FULL_LINE: Final = re.compile(
    r"(?<![\w+/=])(?=[A-Z0-9+/]{0,80}[a-z])(?=[a-z0-9+/]{0,80}[A-Z])[A-Za-z0-9+/]{60,}={0,2}(?![\w+/=])"
)
"""What each line of a key but its last holds, whatever a logger writes before it."""
_ANY_LINE: Final = re.compile(
    r"\s*(?:[A-Za-z0-9+/]{0,100}={0,2}|=[A-Za-z0-9+/]{4}|(?:Proc-Type|DEK-Info|Version|Comment|Hash|Charset): .*)\s*"
)
"""What a line looks like that may follow another one of a key."""
_LAST_WORD: Final = re.compile(
    r"(?=[A-Z0-9+/]*[a-z])(?=[a-z0-9+/]*[A-Z])[A-Za-z0-9+/]{16,}={0,2}|[A-Za-z0-9+/]{2,}={1,2}"
)
"""How the last line of a key ends where a logger writes before it."""


class PrintedKey:
    """Looks at the lines of a stream one after another."""

    __slots__ = ("_is_inside", "_lines_left")

    def __init__(self) -> None:
        """Begin where no key is expected."""
        self._lines_left = 0
        self._is_inside = False

    @property
    def is_expected(self) -> bool:
        """Whether lines of a key may come."""
        return self._lines_left > 0

    def takes(self, line: str) -> bool:
        """Tell whether a line is one of a key, behind its first one: that one is redacted as any text is."""
        line = without_controls(line)
        found = _BEGIN.search(line)
        if found is not None and _END not in line[found.end() :]:
            self._lines_left = _MOST_LINES
            self._is_inside = not line[found.end() :].strip()
            return False
        if not self.is_expected:
            return False
        self._lines_left -= 1
        if _END in line:
            self._lines_left = 0
            return True
        self._is_inside = _FULL_LINE.search(line) is not None or (self._is_inside and _is_like_a_key(line))
        return self._is_inside


def _is_like_a_key(line: str) -> bool:
    if _ANY_LINE.fullmatch(line):
        return True
    _, _, word = line.rstrip().rpartition(" ")
    return len(word) <= 100 and _LAST_WORD.fullmatch(word) is not None
