"""Functions at whose first instruction no signal is handled.

The interpreter looks for signals when a function begins. In an `__exit__` that is before anything of it has run: what a
signal handler raises there leaves the `with` block without its end, and nobody is asked again. The instruction `RESUME`
has an argument that says why it resumes, and after `yield from` or `await` it does not look; so the start of the
function is made to look like that. From there to the `try` nothing is called, so nothing comes in between.

Where an interpreter knows no `RESUME` (before 3.11), or has it elsewhere, the function stays what it was.
Source: CPython, Include/internal/pycore_opcode_utils.h (`RESUME_AFTER_YIELD_FROM`), Python/bytecodes.c (`RESUME`).
"""

from __future__ import annotations

import opcode
from collections.abc import Callable
from types import FunctionType
from typing import Any, Final, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

_RESUME: Final = opcode.opmap.get("RESUME", -1)
_AT_START: Final = 0
_AFTER_YIELD_FROM: Final = 2


def begins_uninterrupted(function: Function) -> Function:
    """Return the function, whose first instruction handles no signal; the next call in it does."""
    made = cast("FunctionType", function)
    instructions = bytearray(made.__code__.co_code)
    for place in range(0, len(instructions), 2):
        if instructions[place] == _RESUME:
            if instructions[place + 1] == _AT_START:
                instructions[place + 1] = _AFTER_YIELD_FROM
                made.__code__ = made.__code__.replace(co_code=bytes(instructions))
            break
    return function
