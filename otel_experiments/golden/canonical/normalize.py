"""Texts without what changes from run to run: ids, addresses, times, hosts, temporary and home paths, ports, secrets.

An id becomes a label such as `<uuid>`; the raw ids come back beside the text, so that "the same id twice" is
still seen. Secrets become `<redacted>` before anything is kept. Ids and times are found inside of longer words too
(`job-<uuid>`, `run-<time>-<id>`); versions, sizes and dates without a time of day stay. Source: golden trace design,
section 3.2.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, NamedTuple

from otel_experiments.codec.redaction import REDACTED, looks_random, redact_text
from otel_experiments.golden.canonical.environment import NOWHERE, Surroundings


class Token(NamedTuple):
    """An id that was found in a text; two tokens are equal when the ids are."""

    kind: str
    raw: str


_SUSPECT: Final = re.compile(r"[0-9/\\]")
"""Texts without any of these hold nothing to normalise but secrets and hosts; most texts are such."""

_MONTH: Final = r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_DAY: Final = r"(?:0[1-9]|[12]\d|3[01])"
_CLOCK: Final = r"(?:[01]\d|2[0-3])"
_DRAWN: Final = (
    r"(?:(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{6,}|(?=(?:[a-z]*\d+){3}|(?:\d+[a-z]+){3})[0-9a-z]{6,16})"
)
"""A short id: hexadecimal of digits and letters, or digits in three places."""
_REST: Final = r"[^\s'\":,;)\]}]"
"""What a path goes on with."""

_PARTS: Final = {
    "path": rf"""
      (?P<tmp>(?:/private)?(?:/tmp|/var/tmp|/var/folders/[^/\s]+/[^/\s]+/[A-Z]|/dev/shm)(?:/{_REST}+|(?![\w.-]))
        |[A-Za-z]:\\Users\\[^\\\s]+\\AppData\\Local\\Temp(?:\\{_REST}+)?)
    | (?P<folder>(?<=[/\\])tmp(?!filename|director)[a-z0-9_]{{8}}(?![\w.-])|(?<!\w)tmp(?=[a-z]*[\d_])[a-z0-9_]{{8}}(?!\w))
    | (?P<home>/home/[^/\s'":,;)\]}}]+|/Users/[^/\s'":,;)\]}}]+|/root(?=/|$)|[A-Za-z]:\\Users\\[^\\\s'":,;)\]}}]+)""",
    "uuid": r"""
      (?P<uuid>(?<![0-9a-fA-F])[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}(?![0-9a-fA-F]))""",
    "events": r"(?P<events>(?<=tfevents\.)\d{9,11}\.[^\s/]+?\.\d+(?=\.\d+))",
    "board": rf"(?P<board>(?<![A-Za-z0-9]){_MONTH}{_DAY}_{_CLOCK}-\d\d-\d\d_[A-Za-z0-9.-]+)",
    "time": rf"""
      (?P<time>
        (?<!\d)\d{{4}}-\d\d-\d\d(?:[T_ /-]|__){_CLOCK}[:\-_.h]?\d\d(?:[:\-_.m]?\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?(?!\d)
        |(?<!\d)\d{{4}}/\d\d/\d\d[ T_-]{_CLOCK}:\d\d(?::\d\d(?:[.,]\d+)?)?(?!\d)
        |(?<!\d)(?:19|20)\d\d(?:0[1-9]|1[0-2]){_DAY}[-_T.]?{_CLOCK}[0-5]\d(?:[0-5]\d(?:[-_.]?\d{{3,6}})?)?Z?(?!\d)
        |(?<![A-Za-z])(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?[ ])?(?:{_MONTH}[ ][ ]?\d\d?|\d\d?[ ]{_MONTH})[ ](?:\d{{4}}[ ])?
            {_CLOCK}:\d\d:\d\d(?:[ ](?:\d{{4}}|[A-Z]{{3,4}}(?:[ ]\d{{4}})?|[+-]\d{{4}}))?(?!\d)
        |(?<!\d)\d\d/{_MONTH}/\d{{4}}:\d\d:\d\d:\d\d(?:[ ][+-]\d{{4}})?
        |(?<=[-_/])(?:1[4-9]|20)\d{{8}}(?<!000)(?:\d{{3}}|\.\d+)?(?![0-9A-Za-z]|\.\d)
      )(?P<drawn>[-_.](?!g[0-9a-f]){_DRAWN}(?![0-9A-Za-z]))?""",
    "address": r"(?P<address>\b0x[0-9a-fA-F]{6,}\b)",
    "hex": r"""
      (?P<hex>(?<![0-9A-Za-z])[0-9a-fA-F]{16,}(?![0-9A-Za-z])
        |(?<=[-+]g)(?=[a-f]*\d)[0-9a-f]{7,15}(?![0-9A-Za-z])
        |(?i:(?<=commit[ :=/_-])|(?<=sha[ :=/_-])|(?<=hash[ :=/_-])|(?<=rev[ :=/_-])|(?<=revision[ :=/_-])|(?<=git[ :=/_-])
          |(?<=@))(?=[a-f]*\d)(?=\d*[a-f])[0-9a-f]{7,15}(?![0-9A-Za-z])
        |(?<![0-9A-Za-z.])(?<!characters,[ ])(?=(?:\d+[a-f]+|[a-f]+\d+){2})[0-9a-f]{7,15}(?![0-9A-Za-z]))""",
    "pid": r"(?P<pid>(?<=/proc/)\d+(?=/|$|\s)|(?i:(?<![a-z])pid[ :=_.-]?[ ]?)\d+(?!\d))",
    "port": r"""
      (?P<port>(?:(?<=localhost:)|(?<=127\.0\.0\.1:)|(?<=0\.0\.0\.0:)|(?<=\[::1\]:)|(?<=\d\.\d:)|(?<=\d\.\d\d:)|(?<=\d\.\d\d\d:))\d{2,5}\b)""",
}
"""What each kind looks like; in a text the leftmost counts, and of several there the first of these."""
_FOUR_DIGITS: Final = re.compile(r"\d{4}")
_HEX_RUN: Final = re.compile(r"[0-9a-fA-F]{7}")
_MONTH_NAME: Final = re.compile(_MONTH)
_LONG_WORD: Final = re.compile(r"[A-Za-z0-9_+=/-]{24}")
_FOLDERS: Final = ("tmp", "/home/", "/Users/", "/root", "/var/folders", "/dev/shm", ":\\Users\\")  # noqa: S108 - looked for, not used
_SECRET_WORD: Final = re.compile(
    r"(?<![\w/+=-])[A-Za-z0-9/+]{40}(?![\w/+=-])|(?<![\w<>+=-])[A-Za-z0-9_+=-]{24,}(?![\w<>+=-])"
)
_RANDOM_NAME: Final = re.compile(r"tmp[\w]{6,}|\w*[0-9a-f]{8,}\w*")
_IDS: Final = frozenset({"uuid", "hex", "address"})


def normalize_text(text: str, where: Surroundings = NOWHERE) -> tuple[str, tuple[Token, ...]]:
    """Return the text with labels in place of what varies, and the ids that the labels stand for, in order.

    Args:
        text: the text.
        where: the hosts and processes of the run, whose names and numbers are left out too.
    """
    text = where.hide(redact_text(text))
    if _SUSPECT.search(text) is None and len(text) < 24:
        return text, ()
    tokens: list[Token] = []
    pattern = _pattern_for(_kinds_in(text))
    if pattern is not None:
        text = pattern.sub(lambda match: _label(match, tokens), text)
    if len(text) >= 24 and _LONG_WORD.search(text) is not None:
        text = _SECRET_WORD.sub(
            lambda match: REDACTED if looks_random(match.group()) else match.group(), text
        )
    return text, tuple(tokens)


def _kinds_in(text: str) -> tuple[str, ...]:
    """Return which kinds a text may hold: to look for all of them takes ten times as long."""
    has_hex = _HEX_RUN.search(text) is not None
    has_month = ("_" in text or ":" in text) and _MONTH_NAME.search(text) is not None
    lowered = text.lower()
    is_there = {
        "path": any(folder in text for folder in _FOLDERS),
        "uuid": has_hex and "-" in text,
        "events": "tfevents." in text,
        "board": has_month,
        "time": has_month or _FOUR_DIGITS.search(text) is not None,
        "address": "0x" in text,
        "hex": has_hex,
        "pid": "pid" in lowered or "/proc/" in text,
        "port": ":" in text and ("localhost:" in text or "." in text or "]:" in text),
    }
    return tuple(kind for kind, is_kind in is_there.items() if is_kind)


@cache
def _pattern_for(kinds: tuple[str, ...]) -> re.Pattern[str] | None:
    """Return the pattern of some kinds; they are few, so each combination is made once."""
    return re.compile("|".join(_PARTS[kind] for kind in kinds), re.VERBOSE) if kinds else None


def _label(match: re.Match[str], tokens: list[Token]) -> str:  # noqa: PLR0911 - one case a kind
    """Return what stands in place of something that varies."""
    found = {name: text for name, text in match.groupdict().items() if text is not None}
    if "drawn" in found:
        tokens.append(Token("id", found["drawn"][1:]))
        return f"<time>{found['drawn'][0]}<id>"
    kind = next(iter(found))
    raw = match.group()
    match kind:
        case "uuid" | "hex" | "address":
            tokens.append(Token(kind, raw.lower()))
        case "tmp":
            return _temporary(raw, tokens)
        case "folder":
            return "<tmp>"
        case "events":
            return "<time>.<host>.<pid>"
        case "board":
            return "<time>_<host>"
        case "pid":
            return f"{raw.rstrip('0123456789')}<pid>"
    return f"<{kind}>"


def identity_token(key: str, value: object) -> Token:
    """Return the token of an attribute whose whole value is an id."""
    return Token(key.rsplit(".", 1)[-1], str(value))


def _temporary(path: str, tokens: list[Token]) -> str:
    """Return `<tmp>/` and the file's own name: folders below the temporary one are made up anew each time."""
    parts = [part for part in re.split(r"[/\\]", path) if part]
    depth = 3 if parts[0].endswith(":") else 1
    last = parts[-1]
    if len(parts) <= depth or last in {"tmp", "shm", "Temp"} or _RANDOM_NAME.fullmatch(last):
        return "<tmp>"
    pattern = _pattern_for(_kinds_in(last))
    return f"<tmp>/{last if pattern is None else pattern.sub(lambda match: _label(match, tokens), last)}"
