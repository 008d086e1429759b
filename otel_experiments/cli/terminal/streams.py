"""Standard streams that carry any text, whatever encoding the locale gives them."""

from __future__ import annotations

import codecs
import io
import os
import sys
from pathlib import Path
from typing import Final

_ESCAPING: Final = "otel-experiments-escape"


def let_streams_carry_anything() -> None:
    r"""Let stdout and stderr write what their encoding has no sign for as `\u00e9`, which JSON reads as what it was."""
    codecs.register_error(_ESCAPING, _escape)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # None, or anything, where the caller has replaced it
            stream.reconfigure(errors=_ESCAPING)


def have_streams() -> None:
    """Have stdout and stderr go nowhere where the caller has closed them: as `None`, which Python has then, nothing writes to them.

    Their numbers are taken, too, so that no file which is opened later gets what is meant for them.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as long as the process
            setattr(sys, name, nowhere)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    codes = (int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2))
    return "".join(f"\\u{code:04x}" for code in codes), error.end
