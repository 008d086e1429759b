"""The hosts and processes that a run took place on: their names and numbers are no behaviour, wherever they stand."""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from otel_experiments.model.span import Span
from otel_experiments.semconv import attributes as attr

_LEAST_CHARS: Final = 4
_COMMON: Final = frozenset(
    {
        "localhost", "runner", "worker", "server", "master", "train", "trainer", "training", "model", "host", "machine",
        "node", "main", "ubuntu", "debian", "fedora", "linux", "docker", "container", "build", "builder", "desktop",
        "laptop", "cuda", "torch", "python", "test", "tests", "data", "eval", "local", "cluster", "compute", "default",
    }
)  # fmt: skip
"""Names of hosts that are words of programs too: they are left as they are."""
_LEAST_PID: Final = 10_000
"""Smaller process numbers are sizes and counts as well."""


_BEHIND: Final = ("@", "//", "on ", "host=", "host: ", "host ", "hostname=", "hostname: ", "node=", "node: ")
"""What a host's name stands behind, where it is a host's for sure."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Names of hosts and numbers of processes; `common` hosts have names that are words too."""

    hosts: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    common: tuple[str, ...] = ()
    _pattern: re.Pattern[str] | None = field(init=False, default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = sorted(map(re.escape, self.hosts), key=len, reverse=True)
        numbers = [str(pid) for pid in self.pids if pid >= _LEAST_PID]
        parts = [rf"(?P<host>(?<![A-Za-z0-9])(?:{'|'.join(names)})(?![A-Za-z0-9]))"] if names else []
        if self.common:
            behind = "|".join(f"(?<={re.escape(word)})" for word in _BEHIND)
            words = "|".join(map(re.escape, self.common))
            parts.append(rf"(?P<word>(?i:{behind})(?:{words})(?![A-Za-z0-9]))")
        if numbers:
            parts.append(rf"(?P<pid>(?<![0-9A-Za-z.])(?:{'|'.join(numbers)})(?![0-9A-Za-z]|\.\d))")
        if parts:
            object.__setattr__(self, "_pattern", re.compile("|".join(parts)))

    def hide(self, text: str) -> str:
        """Return the text with `<host>` and `<pid>` in place of these names and numbers."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: "<pid>" if match.lastgroup == "pid" else "<host>", text)


NOWHERE: Final = Surroundings()


def find_surroundings(spans: Iterable[Span]) -> Surroundings:
    """Return the hosts and processes that the spans' resources name, and this machine."""
    resources = {id(resource): resource for resource in map(attrgetter("resource"), spans)}
    hosts = {platform.node()}
    pids = set()
    for resource in resources.values():
        host, pid = resource.attributes.get(attr.HOST_NAME), resource.attributes.get(attr.PROCESS_PID)
        if isinstance(host, str):
            hosts.add(host)
        if isinstance(pid, int):
            pids.add(pid)
    hosts |= {host.partition(".")[0] for host in hosts}
    telling = set(filter(_is_telling, hosts))
    common = {host for host in hosts - telling if host and host != "localhost" and not host[0].isdigit()}
    return Surroundings(tuple(sorted(telling)), tuple(sorted(pids)), tuple(sorted(common)))


def _is_telling(host: str) -> bool:
    """Whether a host's name is no word that programs use for other things."""
    return len(host) >= _LEAST_CHARS and host.lower() not in _COMMON and not host.replace(".", "").isdigit()
