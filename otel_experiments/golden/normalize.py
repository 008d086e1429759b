"""Texts without what changes from run to run: ids, addresses, times, temporary and home paths, ports, secrets.

An id becomes a label such as `<uuid>`; the raw ids come back beside the text, so that "the same id twice" is
still seen. Secrets become `<redacted>` before anything is kept. Source: golden trace design, section 3.2.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final, NamedTuple

REDACTED: Final = "<redacted>"


class Token(NamedTuple):
    """An id that was found in a text; two tokens are equal when the ids are."""

    kind: str
    raw: str


_SUSPECT: Final = re.compile(
    r"[0-9/\\]|-----BEGIN|[Bb]earer |AKIA|sk-|gh[pousr]_|github_pat_|glpat-|xox[abprs]-|hf_|eyJ"
)
"""Texts without any of these hold nothing to normalise; most texts are such."""

_PATTERN: Final = re.compile(
    r"""
      (?P<key>-----BEGIN[ A-Z]*PRIVATE[ ]KEY-----[\s\S]*?(?:-----END[ A-Z]*PRIVATE[ ]KEY-----|\Z))
    | (?P<login>(?<=://)[^/\s:@]+:[^/\s@]+(?=@))
    | (?P<bearer>(?<=[Bb]earer[ ])[\w.~+/=-]{8,})
    | (?P<known>\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|AKIA[0-9A-Z]{12,}
        |xox[abprs]-[\w-]{10,}|hf_[A-Za-z0-9]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,}))
    | (?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)
    | (?P<time>\b\d{4}-\d\d-\d\d[T_ ]\d\d[:\-.]?\d\d(?:[:\-.]?\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?\b
        |\b(?:19|20)\d{6}[-_T]\d{6}\b)
    | (?P<address>\b0x[0-9a-fA-F]{6,}\b)
    | (?P<hex>\b[0-9a-fA-F]{16,}\b)
    | (?P<tmp>(?:/private)?(?:/tmp|/var/tmp|/var/folders/[^/\s]+/[^/\s]+/[A-Z]|/dev/shm)(?:/[^\s'":,;)\]}]+|(?![\w.-]))
        |[A-Za-z]:\\Users\\[^\\\s]+\\AppData\\Local\\Temp(?:\\[^\s'":,;)\]}]+)?)
    | (?P<home>/home/[^/\s'":,;)\]}]+|/Users/[^/\s'":,;)\]}]+|/root(?=/|$)|[A-Za-z]:\\Users\\[^\\\s'":,;)\]}]+)
    | (?P<port>(?:(?<=localhost:)|(?<=127\.0\.0\.1:)|(?<=0\.0\.0\.0:)|(?<=\[::1\]:)|(?<=\d\.\d:)|(?<=\d\.\d\d:)|(?<=\d\.\d\d\d:))\d{2,5}\b)
    | (?P<hook>(?<=hooks\.slack\.com/services/)[\w/]+)
    | (?P<base64>(?<![\w/+=-])[A-Za-z0-9/+]{40}(?![\w/+=-]))
    | (?P<entropy>\b[A-Za-z0-9_+=-]{24,}\b)
    """,
    re.VERBOSE,
)

_SECRET_KEY: Final = re.compile(
    r"(?i)passw(?:or)?d|passphrase|secret|(?:^|[._-])token(?![a-z])|(?:api|access|private|signing|session)[._-]?key"
    r"|authorization|credential|(?:^|[._-])cookie|connection[._-]?string|(?:^|[._-])dsn$"
)
_KEY: Final = r"(?:passw(?:or)?ds?|passphrase|secrets?|credentials?|(?:api|access|private|signing|session)[._-]?keys?)(?![a-z])"
_ASSIGNED: Final = re.compile(
    rf"""
    (?P<head>
        {_KEY}[\w.-]{{0,40}}(?:\\*["']?[ ]?=[ ]?|\\*["'][ ]?:[ ]?)  # in settings, URLs, JSON and reprs
        |--[\w-]{{0,40}}?{_KEY}[\w-]{{0,40}}[ ](?!-)                 # on command lines
        |{_KEY}[\w.-]{{0,40}}:[ ]?(?=[^\s,;]*\d)                     # in YAML; prose after a colon starts with a word
        |(?<![a-z])token(?:\\*["']?[ ]?=[ ]?|\\*["'][ ]?:[ ]?)(?=\\*["']?(?=[\w.~+/=-]*\d)[\w.~+/=-]{{8}})
    )
    (?P<quote>\\*["'])?(?!(?:none|null|true|false)\b)(?(quote)[^"'\\]+|[^\s"'\\&;,)}}\]]+)
    """,
    re.VERBOSE | re.IGNORECASE,
)
"""A secret that its name in the same text gives away; of `token`, which also means a word, only what looks drawn."""
_RANDOM_NAME: Final = re.compile(r"tmp[\w]{6,}|\w*[0-9a-f]{8,}\w*")
_IDS: Final = frozenset({"uuid", "hex", "address"})


def is_secret_key(key: str) -> bool:
    """Whether an attribute's name says that its value is a secret."""
    return _SECRET_KEY.search(key) is not None


def normalize_text(text: str) -> tuple[str, tuple[Token, ...]]:
    """Return the text with labels in place of what varies, and the ids that the labels stand for, in order."""
    if ("=" in text or ":" in text or "--" in text) and _names_a_secret(text.lower()):
        text = _ASSIGNED.sub(lambda match: f"{match['head']}{match['quote'] or ''}{REDACTED}", text)
    if _SUSPECT.search(text) is None and len(text) < 24:
        return text, ()
    tokens: list[Token] = []

    def replace(match: re.Match[str]) -> str:
        kind = match.lastgroup or ""
        raw = match.group()
        if kind in _IDS:
            tokens.append(Token(kind, raw.lower()))
            return f"<{kind}>"
        if kind == "tmp":
            return _temporary(raw)
        if kind in {"entropy", "base64"}:
            return REDACTED if _is_random(raw) else raw
        if kind in {"time", "home", "port"}:
            return f"<{kind}>"
        return REDACTED

    return _PATTERN.sub(replace, text), tuple(tokens)


def _names_a_secret(lowered: str) -> bool:
    """Whether a text can match `_ASSIGNED`: ten times faster than to try."""
    return any(word in lowered for word in ("passw", "passphrase", "secret", "credential", "key", "token"))


def identity_token(key: str, value: object) -> Token:
    """Return the token of an attribute whose whole value is an id."""
    return Token(key.rsplit(".", 1)[-1], str(value))


def _temporary(path: str) -> str:
    """Return `<tmp>/` and the file's own name: folders below the temporary one are made up anew each time."""
    parts = [part for part in re.split(r"[/\\]", path) if part]
    depth = 3 if parts[0].endswith(":") else 1
    last = parts[-1]
    if len(parts) <= depth or last in {"tmp", "shm", "Temp"} or _RANDOM_NAME.fullmatch(last):
        return "<tmp>"
    return f"<tmp>/{last}"


def _is_random(text: str) -> bool:
    """Whether a long word looks drawn and not written: upper and lower case, scattered digits, high entropy."""
    digit_groups = len(re.findall(r"\d+", text))
    if digit_groups < 3 or sum(map(str.isdigit, text)) < 4:
        return False
    if text.islower() or text.isupper():
        return False
    counts = Counter(text)
    entropy_bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    return entropy_bits >= 4.0
