"""Where and how runs are sent, in code: what the standard variables say, as one value that `configure` takes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final
from urllib.parse import quote

from otel_experiments.errors import ConfigurationError

SIGNALS: Final = ("traces", "metrics", "logs")
_PROTOCOLS: Final = ("grpc", "http/protobuf")
_COMPRESSIONS: Final = ("gzip", "none")
_PATHS: Final = ("certificate", "client_certificate", "client_key")
_LEAST_MILLISECONDS: Final = 1000
"""From here on the variable's number counts as milliseconds."""
_HEADER_NAME: Final = re.compile(r"[0-9A-Za-z!#$%&'*+.^_`|~-]+")
_HEADER_VALUE: Final = re.compile(r"[ -~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Otlp:
    """Where and how runs are sent: `configure(otlp=Otlp(endpoint="http://localhost:4317"))`.

    What is not given is what the variables of OpenTelemetry say, else their default; what is given holds for all
    signals, whatever they say. Headers, and a password in the endpoint, are never shown.

    Attributes:
        endpoint: a URL; over HTTP the signal's path (`v1/traces`) is added to it.
        protocol: `grpc` or `http/protobuf`.
        headers: sent with each request.
        certificate: the file of an authority to trust, in place of the system's.
        client_certificate, client_key: the files that show the endpoint who sends.
        compression: `gzip` or `none`.
        timeout_s: how long one request may take.
        signals: those that are sent, of `traces`, `metrics` and `logs`.

    Raises:
        ConfigurationError: a value that cannot be used.
    """

    endpoint: str | None = field(default=None, repr=False)
    protocol: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False, hash=False)
    certificate: str | os.PathLike[str] | None = None
    client_certificate: str | os.PathLike[str] | None = None
    client_key: str | os.PathLike[str] | None = None
    compression: str | None = None
    timeout_s: float | None = None
    signals: Iterable[str] | None = None

    def __post_init__(self) -> None:
        self._check_text("endpoint", self.endpoint, "Write it as http://HOST:4317.")
        self._check_choice("protocol", self.protocol, _PROTOCOLS)
        self._check_choice("compression", self.compression, _COMPRESSIONS)
        for name in _PATHS:
            path = getattr(self, name)
            if isinstance(path, os.PathLike):
                object.__setattr__(self, name, os.fspath(path))
            self._check_text(name, getattr(self, name), "Name a PEM file.")
        if (self.client_certificate is None) is not (self.client_key is None):
            given = "client_key" if self.client_certificate is None else "client_certificate"
            raise _unusable(given, None, "client_certificate and client_key belong together", "Give both.")
        self._check_timeout()
        self._take_headers()
        self._take_signals()

    @staticmethod
    def _check_text(name: str, value: object, fix: str) -> None:
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise _unusable(name, value, "it is not a text with at least one character", fix)

    @staticmethod
    def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
        if value is not None and value not in allowed:
            raise _unusable(name, value, f"it is none of {', '.join(allowed)}", "Write one of them.")

    def _check_timeout(self) -> None:
        value: object = self.timeout_s
        if value is None:
            return
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not is_number or not math.isfinite(value) or value <= 0:  # type: ignore[operator,arg-type] # numbers only
            raise _unusable("timeout_s", value, "it is no number above zero", "Write seconds, such as 10.")

    def _take_headers(self) -> None:
        headers: object = self.headers
        if headers is None:
            return
        fix = 'Write {"name": "value"}.'
        if not isinstance(headers, Mapping):
            raise _unusable("headers", None, f"it is a {type(headers).__name__} and no mapping", fix)
        for name, value in headers.items():
            if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
                raise _unusable("headers", None, f"{name!r:.60} is no name of a header", fix)
            if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
                why = f"the value of {name!r} is no text of printable ASCII characters"  # which may be secret
                raise _unusable("headers", None, why, fix)
        object.__setattr__(self, "headers", dict(headers))

    def _take_signals(self) -> None:
        signals: object = self.signals
        if signals is None:
            return
        fix = f"Name some of {', '.join(SIGNALS)}."
        if isinstance(signals, str) or not isinstance(signals, Iterable):
            raise _unusable("signals", signals, "it is no list of signals", fix)
        taken = tuple(signals)
        unknown = [one for one in taken if one not in SIGNALS]
        if unknown or not taken:
            why = f"{unknown[0]!r:.60} is no signal" if unknown else "it names none"
            raise _unusable("signals", taken, why, fix)
        object.__setattr__(self, "signals", tuple(one for one in SIGNALS if one in taken))

    def __repr__(self) -> str:
        shown = {one.name: getattr(self, one.name) for one in fields(self)}
        parts = [
            f"{name}={value!r}" for name, value in shown.items() if value is not None and name not in _SECRET
        ]
        if self.endpoint is not None:
            parts.insert(0, f"endpoint={without_password(self.endpoint)!r}")
        if self.headers is not None:
            parts.append(f"headers=<{', '.join(self.headers)}>")
        return f"Otlp({', '.join(parts)})"


_SECRET: Final = frozenset({"endpoint", "headers"})


def variables_of(setting: Otlp, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment with what a setting says in place of what they say."""
    variables = dict(environ)
    for name, text in _texts(setting).items():
        for signal in SIGNALS:
            variables.pop(f"OTEL_EXPORTER_OTLP_{signal.upper()}_{name}", None)
        variables[f"OTEL_EXPORTER_OTLP_{name}"] = text
    for signal in SIGNALS:
        exporter = f"OTEL_{signal.upper()}_EXPORTER"
        if setting.signals is not None:
            variables[exporter] = "otlp" if signal in setting.signals else "none"
        if setting.protocol is not None and "otlp_proto" in variables.get(exporter, ""):
            variables[exporter] = "otlp"
    return variables


def _texts(setting: Otlp) -> dict[str, str]:
    """Return what is given, by the last part of its variable's name."""
    found = {
        "ENDPOINT": setting.endpoint,
        "PROTOCOL": setting.protocol,
        "COMPRESSION": setting.compression,
        **{name.upper(): getattr(setting, name) for name in _PATHS},
    }
    if setting.headers is not None:
        found["HEADERS"] = ",".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in setting.headers.items()
        )
    if setting.timeout_s is not None:
        is_long = setting.timeout_s >= _LEAST_MILLISECONDS
        found["TIMEOUT"] = str(setting.timeout_s * 1000 if is_long else setting.timeout_s)
    return {name: text for name, text in found.items() if text is not None}


def without_password(endpoint: str) -> str:
    """Return a URL without the user, the password and the query that it may hold."""
    return re.sub(r"\?.*", "", re.sub(r"//[^/@]*@", "//", endpoint))


def _unusable(name: str, value: object, why: str, fix: str) -> ConfigurationError:
    shown = f"={value!r:.200}" if value is not None and name != "endpoint" else ""
    return ConfigurationError(f"{name}{shown} of Otlp cannot be used: {why}.\n  {fix}")
