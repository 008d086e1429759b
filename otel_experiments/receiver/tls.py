"""The certificate of a receiver, as each of the two servers wants it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

from otel_experiments.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Tls:
    """A certificate chain and its private key: as bytes in PEM, and as a context of the standard library."""

    certificate: bytes
    key: bytes
    context: ssl.SSLContext


def load_tls(certificate: str | os.PathLike[str] | None, key: str | os.PathLike[str] | None) -> Tls | None:
    """Return what the two files hold; None where neither is given.

    Raises:
        ConfigurationError: one of them is missing, cannot be read, or they do not belong together.
    """
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        given, missing = ("tls_cert", "tls_key") if key is None else ("tls_key", "tls_cert")
        raise ConfigurationError(
            f"TLS needs a certificate and its key, and only {given} is given.\n  Pass {missing} as well."
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
        return Tls(Path(certificate).read_bytes(), Path(key).read_bytes(), context)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The certificate {os.fspath(certificate)!r} with the key {os.fspath(key)!r} cannot be used: {error}.\n"
            "  Pass files in PEM that belong together, the key without a password."
        ) from error


def _no_password() -> str:
    """Stand for the question on the terminal that OpenSSL asks where a key has a password."""
    return ""
