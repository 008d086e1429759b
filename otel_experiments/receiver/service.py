"""What both transports share: who may send, how much, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from otel_experiments.receiver.access import Access
from otel_experiments.receiver.admission import Admission
from otel_experiments.receiver.counts import Tally
from otel_experiments.receiver.intake import Intake
from otel_experiments.receiver.limits import Limits

_LONGEST_HINT: Final = 256


@dataclass(frozen=True, slots=True)
class Service:
    """The receiver as its transports see it; `hint_names` are headers that say which run a request belongs to."""

    intake: Intake
    access: Access
    admission: Admission
    limits: Limits
    tally: Tally
    hint_names: frozenset[str] = frozenset()

    def hints_of(self, headers: Iterable[tuple[str, str | bytes]]) -> dict[str, str]:
        """Return the headers that say which run a request belongs to, with names in lower case; no other is kept."""
        return {
            name.lower(): value[:_LONGEST_HINT]
            for name, value in headers
            if name.lower() in self.hint_names and isinstance(value, str)
        }
