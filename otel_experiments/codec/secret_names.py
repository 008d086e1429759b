"""Whether a name says that its value is a secret: `db.password`, `apiKey`, `HF_TOKEN`, but not `max_tokens`.

A name is read as words, whatever parts them: dots, underscores, hyphens or capitals. Words that also mean something
harmless in machine learning (`token`, `pass`, `auth`, `key`) count only where what is before them does not say so.
"""

from __future__ import annotations

import re
from enum import IntEnum
from functools import lru_cache
from itertools import pairwise
from typing import Final


class Secrecy(IntEnum):
    """What a name says about its value."""

    NONE = 0
    """Nothing."""
    CONTEXT = 1
    """A value that looks drawn at random is a secret: `cache.key`, `signature`."""
    TEXT = 2
    """A text is a secret, a number is none: `token`, `pass`, `auth`."""
    ANY = 3
    """Any value is: `password`, `api_key`."""


_MOST_CHARS: Final = 200
"""A longer name is no name but a text; only its end is read."""
_PATHS: Final = ("/", "./", "../", "~")
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_SEGMENT: Final = re.compile(r"[./:\[\]]+")

_ANYWHERE: Final = frozenset({
    "password", "passwords", "passwd", "passwds", "pwd", "pwds", "passphrase", "passphrases", "passcode", "secret",
    "secrets", "credential", "credentials", "creds", "cred", "apikey", "apikeys", "authorization",
})  # fmt: skip
_RUN_TOGETHER: Final = re.compile(
    r"passw(?:or)?d|passphrase|credential|secret(?!ar|i[no]|e|ly)|client_?secret"
    r"|(?:api|access|private|secret|signing|session|encryption)key|(?:auth|access|refresh|bearer|session|secret)token"
)
"""What is unmistakable inside of a word too: `dbpassword`, `clientsecret`."""
_LAST: Final = frozenset(
    {"token", "pass", "auth", "dsn", "bearer", "jwt", "otp", "totp", "psk", "cookie", "cookies"}
)

_HARMLESS_TOKEN: Final = frozenset({
    "pad", "padding", "eos", "bos", "unk", "unknown", "mask", "masked", "sep", "separator", "cls", "class", "stop",
    "start", "end", "begin", "eot", "eod", "special", "image", "img", "audio", "video", "vision", "text", "word",
    "next", "prev", "previous", "first", "last", "max", "min", "num", "n", "per", "new", "extra", "prompt", "tool",
    "think", "thinking", "decoder", "encoder", "fim", "prefix", "suffix", "middle", "input", "output", "target",
    "source", "src", "tgt", "lang", "language", "sub", "speaker", "blank", "split", "distillation", "added", "control",
    "boundary", "newline", "each", "by", "total", "pooled", "register", "latent", "query", "placeholder", "sentinel",
    "assistant", "time", "single", "forced", "bad", "sot", "transcribe", "sample", "sampled", "trigger", "instance",
})  # fmt: skip
_HARMLESS_PASS: Final = frozenset({
    "forward", "backward", "first", "second", "third", "single", "one", "two", "three", "multi", "low", "high", "band",
    "all", "render", "by", "per", "num", "n", "each", "last", "next", "this", "current", "full", "final", "max", "min",
    "train", "training", "eval", "test", "optimizer", "compiler", "fusion", "data", "must", "did", "over", "initial",
})  # fmt: skip
_KEY_OWNERS: Final = frozenset({
    "api", "access", "private", "signing", "session", "secret", "encryption", "master", "auth", "ssh", "license",
    "licence", "deploy", "webhook", "subscription", "shared", "hmac", "jwt", "app", "application", "admin", "storage",
    "service", "openai", "anthropic", "wandb", "gemini", "google", "aws", "azure", "hf", "huggingface", "mistral",
    "cohere", "groq", "together", "replicate", "neptune", "comet", "mlflow", "kaggle", "stripe", "sendgrid", "datadog",
    "dd", "newrelic", "slack", "github", "gitlab", "pinecone", "weaviate", "qdrant", "serpapi", "tavily", "deepseek",
    "openrouter", "langsmith", "langfuse", "rsa", "pgp", "gpg", "wifi", "account", "crypt", "crypto", "aes",
})  # fmt: skip
_TOKEN_OWNERS: Final = frozenset({
    "api", "access", "auth", "refresh", "bearer", "secret", "session", "csrf", "id", "bot", "github", "gitlab", "hf",
    "huggingface", "slack", "wandb", "vault", "security", "oauth", "deploy", "personal", "private",
})  # fmt: skip
_ABOUT: Final = frozenset({
    "length", "len", "size", "count", "type", "kind", "method", "mode", "enabled", "required", "policy", "ttl",
    "timeout", "expiry", "expires", "expiration", "expired", "rounds", "limit", "file", "filename", "path", "dir",
    "name", "names", "env", "var", "variable", "field", "column", "header", "format", "strategy", "provider", "endpoint",
    "host", "port", "version", "embedding", "embeddings", "dim", "dims", "loss", "acc", "accuracy", "rate", "ratio",
    "prob", "weight", "weights", "index", "idx", "pos", "position", "s", "ms", "sec", "seconds", "manager", "store",
    "backend", "hint", "url", "uri", "strength", "reset", "age", "scope", "scopes", "set", "given", "used", "found", "valid",
})  # fmt: skip
"""The last word of a name that tells about a secret and holds none: `password_length`, `api_key_file`."""
_CONTEXT: Final = frozenset({
    "key", "keys", "token", "tokens", "sig", "signature", "hook", "webhook", "sas", "session", "code", "salt", "auth",
    "login", "pat", "license", "licence", "pin", "cert", "x", "account",
})  # fmt: skip


@lru_cache(maxsize=4096)
def secrecy_of(name: str) -> Secrecy:  # noqa: PLR0911 - one line a rule
    """Return what a name says about its value."""
    if name.startswith(_PATHS):  # the path of a file such as /etc/passwd names no value
        return Secrecy.NONE
    name = name[-_MOST_CHARS:]
    segments = [words for part in _SEGMENT.split(name) if (words := _words(part))]
    if not segments:
        return Secrecy.NONE
    last = segments[-1]
    if last[-1] in _ABOUT and len(last) > 1:
        return Secrecy.NONE
    words = [word for segment in segments for word in segment]
    for segment in segments:
        is_about = len(segment) > 1 and segment[-1] in _ABOUT
        is_named = not _ANYWHERE.isdisjoint(segment) or any(map(_RUN_TOGETHER.search, segment))
        if is_named and not is_about:
            return Secrecy.ANY if segment is last else Secrecy.TEXT
    for before, word in pairwise(words):
        if (word in {"key", "keys"} and before in _KEY_OWNERS) or (before, word) in _PAIRS:
            return Secrecy.ANY
        if word == "tokens" and before in _TOKEN_OWNERS:
            return Secrecy.TEXT
    before, word = (words[-2] if len(words) > 1 else ""), words[-1]
    is_harmless = (word == "token" and before in _HARMLESS_TOKEN) or (
        word == "pass" and (before in _HARMLESS_PASS or "@" in name)  # pass@10 is a metric
    )
    if word in _LAST and not is_harmless:
        return Secrecy.TEXT
    return Secrecy.NONE if _CONTEXT.isdisjoint(words) or is_harmless else Secrecy.CONTEXT


_PAIRS: Final = frozenset({
    ("pass", "phrase"), ("pass", "word"), ("pass", "code"), ("pass", "key"), ("connection", "string"),
    ("conn", "str"), ("conn", "string"), ("connection", "str"), ("pre", "shared"),
})  # fmt: skip


def is_secret_name(name: str) -> bool:
    """Tell whether a name says that a text of that name is a secret."""
    return secrecy_of(name) >= Secrecy.TEXT


def _words(part: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(part)]
