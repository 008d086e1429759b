"""System calls of a program: recorded with strace from outside, read, and folded into spans of its runs."""

from __future__ import annotations

from otel_experiments.syscalls.fold import Folded, busiest, fold_calls
from otel_experiments.syscalls.parse import SyscallRecord, Trace, parse_strace
from otel_experiments.syscalls.record import find_strace, record_command

__all__ = [
    "Folded",
    "SyscallRecord",
    "Trace",
    "busiest",
    "find_strace",
    "fold_calls",
    "parse_strace",
    "record_command",
]
