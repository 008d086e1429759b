"""Reading what `strace -f -ttt -T` writes: one record a system call, its two halves joined.

A call that another thread interrupts stands on two lines (`<unfinished ...>`, `<... resumed>`); signals and exits
have lines of their own. A line that is none of these is counted, never guessed at.

Source: strace(1), version 6.1, "The trace"; options -f, -ttt, -T.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

_LINE: Final = re.compile(r"(?:\[pid +)?(?P<tid>\d+)\]? +(?P<time>\d+\.\d+) (?P<rest>.*)")
_COMPLETE: Final = re.compile(
    r"(?P<name>[a-z_][\w]*)\((?P<args>.*)\) *= (?P<result>\?|-?\d+|0x[0-9a-f]+)(?P<tail>(?: .*?)??)"
    r"(?: <(?P<took>\d+\.\d+)>)?"
)
_UNFINISHED: Final = re.compile(r"(?P<name>[a-z_][\w]*)\((?P<args>.*)<unfinished \.\.\.>")
_RESUMED: Final = re.compile(r"<\.\.\. (?P<name>[a-z_][\w]*) resumed>(?P<args>.*)")
_SIGNAL: Final = re.compile(r"--- (?P<name>SIG\w+|stopped by \w+) ?.*---")
_EXIT: Final = re.compile(
    r"\+\+\+ (?:exited with (?P<code>\d+)|killed by (?P<signal>\w+)(?: \(core dumped\))?|superseded by execve.*) ?\+\+\+"
)
_ERRNO: Final = re.compile(r" (?P<errno>E[A-Z0-9_]+)\b")


@dataclass(frozen=True, slots=True)
class SyscallRecord:
    """One system call of one thread.

    Units: `start_ns` is nanoseconds since the Unix epoch, `duration_ns` a length (0 where strace gave none, as
    for calls that never return). `result` is None where there was none. `errno` is the error's name, empty for
    success. `is_interrupted` tells that the thread ended inside the call.
    """

    tid: int
    name: str
    start_ns: int
    duration_ns: int = 0
    result: int | None = None
    errno: str = ""
    is_interrupted: bool = False

    @property
    def end_ns(self) -> int:
        """When the call returned, in nanoseconds since the Unix epoch."""
        return self.start_ns + self.duration_ns

    @property
    def is_error(self) -> bool:
        """Whether the call returned an error; an interruption that the kernel restarts is none."""
        return bool(self.errno) and not self.errno.startswith("ERESTART")


@dataclass(slots=True)
class Trace:
    """All that a recording holds: calls by start, exits by thread, and how many lines were understood by nobody."""

    calls: list[SyscallRecord] = field(default_factory=list)
    exit_codes: dict[int, int] = field(default_factory=dict)
    signals: list[tuple[int, str]] = field(default_factory=list)
    unreadable_count: int = 0

    @property
    def threads(self) -> set[int]:
        """The ids of the threads that made calls; a process's first thread has the process's id."""
        return {call.tid for call in self.calls}


def parse_strace(lines: Iterable[str]) -> Trace:
    """Return what the lines of a recording say."""
    found = Trace()
    pending: dict[int, tuple[str, int]] = {}
    for line in lines:
        text = line.rstrip("\n")
        if not text:
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            found.unreadable_count += 1
            continue
        tid, time_ns, rest = int(match["tid"]), _nanoseconds(match["time"]), match["rest"]
        if rest.startswith("<... "):
            _resume(found, pending, tid, rest)
        elif rest.startswith(("--- ", "+++ ")):
            _note(found, pending, tid, rest)
        elif rest.endswith("<unfinished ...>") and (begun := _UNFINISHED.fullmatch(rest)):
            pending[tid] = begun["name"], time_ns
        elif complete := _COMPLETE.fullmatch(rest):
            found.calls.append(_record(tid, complete["name"], time_ns, complete))
        else:
            found.unreadable_count += 1
    for tid, (name, start_ns) in pending.items():
        found.calls.append(SyscallRecord(tid, name, start_ns, is_interrupted=True))
    found.calls.sort(key=lambda call: call.start_ns)
    return found


def _resume(found: Trace, pending: dict[int, tuple[str, int]], tid: int, rest: str) -> None:
    resumed = _RESUMED.fullmatch(rest)
    begun = pending.pop(tid, None)
    if resumed is None or begun is None or begun[0] != resumed["name"]:
        found.unreadable_count += 1
        return
    name, start_ns = begun
    # The second half starts inside the argument list, so it is read as a call whose list opens here.
    complete = _COMPLETE.fullmatch(f"{name}({resumed['args']}")
    if complete is not None:
        found.calls.append(_record(tid, name, start_ns, complete))
    elif resumed["args"].rstrip().endswith("<unfinished ...>) = ?"):
        found.calls.append(SyscallRecord(tid, name, start_ns, is_interrupted=True))
    else:
        found.unreadable_count += 1


def _note(found: Trace, pending: dict[int, tuple[str, int]], tid: int, rest: str) -> None:
    if signal := _SIGNAL.fullmatch(rest):
        found.signals.append((tid, signal["name"]))
    elif ended := _EXIT.fullmatch(rest):
        if begun := pending.pop(tid, None):
            found.calls.append(SyscallRecord(tid, begun[0], begun[1], is_interrupted=True))
        if ended["code"] is not None:
            found.exit_codes[tid] = int(ended["code"])
    else:
        found.unreadable_count += 1


def _record(tid: int, name: str, start_ns: int, match: re.Match[str]) -> SyscallRecord:
    text = match["result"]
    errno = _ERRNO.match(match["tail"])
    return SyscallRecord(
        tid=tid,
        name=name,
        start_ns=start_ns,
        duration_ns=_nanoseconds(match["took"]) if match["took"] else 0,
        result=None if text == "?" else int(text, 0),
        errno=errno["errno"] if errno else "",
    )


def _nanoseconds(text: str) -> int:
    # By digits: a float of today's seconds is off by some hundred nanoseconds.
    seconds, _, fraction = text.partition(".")
    return int(seconds) * 10**9 + int(fraction[:9].ljust(9, "0"))
