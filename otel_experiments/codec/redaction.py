"""Secrets out of what is recorded and shown: by the name of a value, by known forms, by how random a value looks.

The one rule for params, tags, arguments, resources, golden traces and reports. Each text is read in time that grows
with its length, whatever it holds: all repetitions are bounded or begin where a word does.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_experiments.codec.control_sequences import with_controls, without_controls
from otel_experiments.codec.secret_names import Secrecy, secrecy_of

REDACTED: Final = "<redacted>"
"""What stands in the place of a secret."""

_SHORTEST_KNOWN: Final = 16
"""A token of a known form without any punctuation has so many characters."""
_NUMBERS: Final = frozenset({bool, int, float, type(None)})
_ANY: Final = Secrecy.ANY
_MAX_DEPTH: Final = 20
_FORMS: Final = (
    "sk-", "sk_", "rk_", "pk_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "gldt-", "glrt-", "glft-",
    "glcbt-", "glptt-", "glsoat-", "glimt-", "glagent-", "gloas-", "akia", "asia", "xox", "xapp-", "hf_", "eyj", "aiza",
    "npm_", "pypi-", "sg.", "gsk_", "nvapi-", "r8_", "ya29", "gocspx-", "hvs.", "dckr_", "dop_v1_", "lsv2_", "pul-",
    "shpat_", "atatt",
)  # fmt: skip
"""How known tokens begin, in small letters: a text without any of these holds none."""
_NAMES: Final = (
    "pass", "pwd", "secret", "cred", "key", "token", "auth", "cookie", "dsn", "bearer", "jwt", "otp", "psk", "conn",
    "sig", "code", "goog",
)  # fmt: skip
"""What every secret's name holds."""

_KEY_BEGIN: Final = re.compile(r"-----BEGIN[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_KEY_END: Final = re.compile(r"-----END[ A-Z0-9]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_MENTIONED: Final = re.compile(r"""["'`)\].,;:!?]| [A-Za-z0-9_]{1,12}(?![\w+/=:-])""")
"""What follows where a sentence speaks of how a key begins, and no key comes."""
_LOGIN: Final = re.compile(
    r"(?<=://)(?:[^\s/?\#@:\"'<>]{0,256}:(?!\d{1,5}(?:[/?\#\s]|$))[^\s\"'<>@]{1,256}(?:@[^\s\"'<>@/?\#]{1,256}(?=@))*"
    r"|(?=[^\s/?\#@:\"'<>]{0,256}\d)[^\s/?\#@:\"'<>]{16,256})(?=@)"
)
_HOOK: Final = re.compile(
    r"(?<=hooks\.slack\.com/services/)[\w/]+|(?<=discord\.com/api/webhooks/)[\w/-]+"
    r"|(?<=discordapp\.com/api/webhooks/)[\w/-]+|(?<=api\.telegram\.org/bot)\d+:[\w-]+"
)
_KNOWN: Final = re.compile(
    r"""(?<![\w-])(?:
      sk-(?=[\w-]{0,200}\d)(?:[a-z0-9]{2,8}-){0,3}[A-Za-z0-9_]{16,}[\w-]*
    | [srp]k_(?:live|test)_\w{10,}
    | gh[pousr]_\w{20,} | github_pat_\w{20,} | gl(?:pat|dt|rt|ft|cbt|ptt|soat|imt|agent|oas)-[\w-]{16,}
    | A[KS]IA(?=[A-Z]{0,30}\d)[0-9A-Z]{12,} | AKIA[A-Z]{16}(?![\w-])
    | xox[abeoprs]-[\w-]{10,} | xapp-\d-[\w-]{10,}
    | hf_(?:[A-Za-z0-9]{30,}|(?=[A-Za-z]{0,40}\d)[A-Za-z0-9]{16,})
    | AIza[\w-]{30,} | ya29\.[\w-]{16,} | GOCSPX-[\w-]{16,}
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{40,} | SG\.[\w-]{16,}\.[\w-]{16,} | gsk_\w{20,} | nvapi-[\w-]{20,}
    | r8_\w{30,} | hvs\.[\w-]{20,} | dckr_pat_[\w-]{16,} | dop_v1_\w{30,} | lsv2_[a-z]{2}_\w{20,} | pul-\w{30,}
    | shpat_\w{20,} | ATATT[\w=-]{20,}
    | eyJ[\w-]{8,}+\.[\w-]{8,}+\.[\w-]{0,4096}
    )""",
    re.VERBOSE,
)
_LONG_WORD: Final = re.compile(r"[\w.=-]{15}")
"""Every token of a known form has so many of these characters in a row; most lines of a log have not."""
_SCHEME: Final = re.compile(r"(?i)(?<![\w-])(bearer +)(?=[^\s\"']{0,400}\d|[^\s\"']{20})[\w.~+/=-]{8,}")
_HEADER: Final = re.compile(
    r"(?i)(?<![\w-])((?:proxy-)?authorization[\"'\\]{0,4} ?[:=] ?[\"'\\]{0,4}(?:bearer|basic|token|apikey|negotiate) +)"
    r"[^\s\"'\\,;]+|(?<![\w-])((?:set-)?cookie: ?)[^\r\n\"'\\]+"
)
_NAMED: Final = re.compile(
    r"""(?<![\w.-])(?P<lead>--)?-?(?P<name>[A-Za-z_][\w.-]{0,100}+)
    (?P<mark>\\{0,4}["']?[ ]?=[ ]?(?!=)|\\{0,4}["'][ ]?:[ ]?|:[ ]?
    |(?(lead)(?:\\{0,4}["'],[ ]?(?=\\{0,4}["'])|[ ](?!-))|(?!)))""",
    re.VERBOSE,
)
_VALUE: Final = re.compile(
    r"""(?:"(?P<double>(?:[^"\\]|\\.)+)|'(?P<single>(?:[^'\\]|\\.)+)|\\+["'](?P<escaped>[^"'\\]+)
    |(?P<bare>\$\{[^}\s]{0,200}\}|[^\s"'\\&;,)}\]]+))""",
    re.VERBOSE | re.DOTALL,
)
_HARMLESS: Final = re.compile(
    r"\$\{[^}]*\}|\$[A-Za-z_]\w*|\*+|<[^<>]*>|\[[A-Za-z_]+\]|none|null|nil|true|false|yes|no|on|off|\d{1,3}|",
    re.IGNORECASE,
)
"""Values that are none: references, placeholders, special tokens, switches, small numbers."""
_QUERY_NAMES: Final = frozenset(
    {"key", "sig", "signature", "code", "x-amz-signature", "x-amz-credential", "x-goog-signature"}
)
_DIGIT: Final = re.compile(r"\d")
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_+=/.~-]{20,}")
_UUID_OR_HEX: Final = re.compile(r"(?:0x)?[0-9a-fA-F-]+")


def redact_text(text: str) -> str:
    """Return the text with `<redacted>` in the place of each secret that it gives away.

    Private keys, logins in URLs, tokens of known forms, values behind a secret's name (`password=...`,
    `"api_key": "..."`, `--token ...`, `Authorization: ...`), also where a terminal shows them in colours.
    """
    plain = without_controls(text)
    if plain is not text and plain != text and (made := _redacted(plain)) != plain:
        text = with_controls(text, plain, made)
    return _redacted(text)


def _redacted(text: str) -> str:
    if len(text) < _SHORTEST_KNOWN and text.isalnum():  # most texts of a config are such
        return text
    lowered = text.lower()
    if "private key" in lowered:
        text = _without_keys(text)
    if "://" in text and "@" in text:
        text = _LOGIN.sub(REDACTED, text)
    if "hooks." in text or "/webhooks/" in text or "api.telegram.org/" in text:
        text = _HOOK.sub(REDACTED, text)
    is_named = ("=" in text or ":" in text or "--" in text) and _holds(lowered, _NAMES)
    if is_named and ("authorization" in lowered or "cookie" in lowered):
        text = _HEADER.sub(lambda found: f"{found[1] or found[2]}{REDACTED}", text)
    if "bearer " in lowered:
        text = _SCHEME.sub(rf"\g<1>{REDACTED}", text)
    if _LONG_WORD.search(text) is not None and _holds(lowered, _FORMS):
        text = _KNOWN.sub(REDACTED, text)
    return _redact_named(text) if is_named else text


def redact_value(  # noqa: PLR0911 - one return a type
    name: str, value: Any, *, seen: Callable[[str], None] | None = None, above: tuple[int, ...] = ()
) -> Any:
    """Return a value (text, number, bytes, list or mapping of them) without secrets; the same object if it has none.

    Args:
        name: what the value is called, dotted: `db.password`.
        value: the value; numbers are secrets only where the name leaves no doubt.
        seen: called with the name of each value that held a secret.
        above: the ids of what the value is in: what holds itself is not followed.
    """
    kind = type(value)
    if kind is float or (kind is int and secrecy_of(name) < _ANY):  # most params are such
        return value
    if isinstance(value, str):
        made = _redact_string(name, value)
        if made != value and seen is not None:
            seen(name)
        return value if made == value else made
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, (int, bytes, bytearray)):
        secrecy = secrecy_of(name)
        is_secret = bool(value) and secrecy >= (Secrecy.ANY if isinstance(value, int) else Secrecy.TEXT)
        if is_secret and seen is not None:
            seen(name)
        return REDACTED if is_secret else value
    if len(above) >= _MAX_DEPTH or id(value) in above:
        return value
    if isinstance(value, Mapping):
        return _redact_inside(name, value, seen, (*above, id(value)))
    if isinstance(value, (list, tuple)):
        return _redact_sequence(name, value, seen, (*above, id(value)))
    return value


def redact_mapping(values: Mapping[str, Any], *, seen: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Return a mapping of dotted names to values without secrets.

    `env.name = "DB_PASSWORD"` beside `env.value = "..."` is a pair, as in a mapping that was not flattened.
    """
    made = {name: redact_value(name, value, seen=seen) for name, value in values.items()}
    for name, value in made.items():
        if name == "value" or name.endswith(".value"):
            prefix = name[: -len("value")]
            spoken_name = _spoken_name(values, prefix)
            if spoken_name is not None:
                made[name] = redact_value(f"{prefix}{spoken_name}", value, seen=seen)
    return made


def redact_arguments(arguments: Sequence[str]) -> list[str]:
    """Return a command line without secrets: `--api-key X`, `--password=X`, `db.password=X`, `-H "Authorization: ..."`."""
    made: list[str] = []
    secret = Secrecy.NONE
    is_several = is_login = False
    for argument in arguments:
        if secret and not argument.startswith("-"):
            made.append(argument if _is_harmless(argument, secret) else REDACTED)
            secret = secret if is_several else Secrecy.NONE
            continue
        if is_login and ":" in argument:
            argument = f"{argument.partition(':')[0]}:{REDACTED}"  # noqa: PLW2901 - what is recorded of it
        secret, is_login = Secrecy.NONE, argument in {"-u", "--user", "--proxy-user"}
        name, equals, value = argument.partition("=")
        if equals and " " not in name and "?" not in name and "://" not in name:
            secrecy = secrecy_of(name)
            if secrecy >= Secrecy.TEXT and not _is_harmless(value, secrecy):
                made.append(f"{name}={REDACTED}")
                continue
        elif not equals and argument.startswith("-") and " " not in argument:
            secrecy = secrecy_of(name)
            secret = secrecy if secrecy >= Secrecy.TEXT else Secrecy.NONE
            is_several = argument.endswith("s")
        made.append(redact_text(argument))
    return made


def looks_random(text: str) -> bool:
    """Tell whether a long word looks drawn and not written: both cases, scattered digits, high entropy."""
    digit_groups = len(re.findall(r"\d+", text))
    if digit_groups < 3 or sum(map(str.isdigit, text)) < 4:
        return False
    if text.islower() or text.isupper():
        return False
    counts = Counter(text)
    entropy_bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    return entropy_bits >= 4.0


def _redact_string(name: str, value: str) -> str:
    secrecy = secrecy_of(name)
    if secrecy >= Secrecy.TEXT:
        return value if _is_harmless(value, secrecy) else REDACTED
    is_word = (
        secrecy is Secrecy.CONTEXT and _PLAIN_WORD.fullmatch(value) and not _UUID_OR_HEX.fullmatch(value)
    )
    if is_word and "/" not in value[:1] and looks_random(value):
        return REDACTED
    return redact_text(value)


def _redact_inside(
    name: str, value: Mapping[Any, Any], seen: Callable[[str], None] | None, above: tuple[int, ...]
) -> Any:
    prefix = f"{name}." if name else ""
    made = {
        key: redact_value(f"{prefix}{key}", inner, seen=seen, above=above) for key, inner in value.items()
    }
    spoken_name = _spoken_name(value)
    if spoken_name is not None and "value" in made:
        made["value"] = redact_value(f"{prefix}{spoken_name}", made["value"], seen=seen, above=above)
    return value if all(made[key] is inner for key, inner in value.items()) else made


def _spoken_name(values: Mapping[Any, Any], prefix: str = "") -> str | None:
    """Return what the value of a pair such as `{"name": "DB_PASSWORD", "value": "..."}` is called."""
    found = values.get(f"{prefix}name", values.get(f"{prefix}key"))
    return found if isinstance(found, str) else None


def _redact_sequence(
    name: str, value: Sequence[Any], seen: Callable[[str], None] | None, above: tuple[int, ...]
) -> Sequence[Any]:
    if _NUMBERS.issuperset(map(type, value)) and secrecy_of(name) < Secrecy.ANY:
        return value
    if all(isinstance(item, str) for item in value) and any(item.startswith("-") for item in value):
        made = redact_arguments(value)
        if seen is not None and list(value) != made:
            seen(name)
    else:
        made = [redact_value(name, item, seen=seen, above=above) for item in value]
    return value if all(one is other for one, other in zip(made, value, strict=True)) else made


def _without_keys(text: str) -> str:
    """Redact each private key to its end; to the end of the text where that is missing, unless it is only mentioned."""
    made: list[str] = []
    done = 0
    has_end = True
    for found in _KEY_BEGIN.finditer(text):
        if found.start() < done:
            continue
        end = _KEY_END.search(text, found.end()) if has_end else None
        has_end = end is not None
        made += (text[done : found.start()], REDACTED)
        if end is not None:
            done = end.end()
        else:
            done = found.end() if _MENTIONED.match(text, found.end()) else len(text)
    return "".join((*made, text[done:]))


def _holds(text: str, parts: tuple[str, ...]) -> bool:
    for part in parts:  # noqa: SIM110 - half as long as any() with a generator
        if part in text:
            return True
    return False


def _redact_named(text: str) -> str:
    """Redact the values that stand behind a secret's name."""
    made: list[str] = []
    done = 0
    for found in _NAMED.finditer(text):
        if found.start() < done:
            continue
        span = _secret_behind(text, found)
        if span is not None:
            made += (text[done : span[0]], REDACTED)
            done = span[1]
    return "".join((*made, text[done:])) if made else text


def _secret_behind(text: str, found: re.Match[str]) -> tuple[int, int] | None:  # noqa: PLR0911 - one return a rule
    """Return where the secret stands that belongs to the name found; None where there is none."""
    is_option = found["lead"] is not None
    secrecy = secrecy_of(found["name"])
    is_query = text[max(found.start() - 1, 0) : found.start()] in {"?", "&"}
    if secrecy < Secrecy.TEXT and not (is_query and found["name"].lower() in _QUERY_NAMES):
        return None
    value = _VALUE.match(text, found.end())
    if value is None or value.lastgroup is None:
        return None
    held = value[value.lastgroup]
    is_quoted = value.lastgroup != "bare"
    if REDACTED in held or _is_harmless(held, secrecy):
        return None
    if secrecy < Secrecy.TEXT:
        return value.span(value.lastgroup) if len(held) >= 16 else None
    if found["mark"].strip() == ":" and not is_quoted:
        # YAML, or prose: words after a colon are prose, unless they are the whole line.
        is_line = "\n" not in held and _is_whole_line(text, found.start(), value.end())
        if _DIGIT.search(held) is None and not (is_line and secrecy is Secrecy.ANY):
            return None
    if secrecy is Secrecy.TEXT and not (is_option or is_query):
        # `token`, `pass` and `auth` are words too: only what looks drawn is taken.
        is_drawn = len(held) >= 8 and _DIGIT.search(held) is not None
        return value.span(value.lastgroup) if is_drawn else None
    return value.span(value.lastgroup)


def _is_whole_line(text: str, start: int, end: int) -> bool:
    before = text[max(0, text.rfind("\n", 0, start) + 1) : start]
    return text[end : end + 1] in {"", "\n", "\r"} and not before.strip()


def _is_harmless(value: str, secrecy: Secrecy) -> bool:
    if secrecy is Secrecy.ANY and value.isdigit():
        return False
    return _HARMLESS.fullmatch(value) is not None
