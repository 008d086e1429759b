"""The files of certificates that the standard variables name: read and checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from otel_experiments.process.interruption import is_interruption
from otel_experiments.record.otlp.variables import own_variable, unusable


def read_certificates(environ: Mapping[str, str], signal: str, notices: list[str]) -> dict[str, bytes]:
    """Return the PEM files of a signal by the name of their variable; one that is of no use is not among them."""
    import ssl  # noqa: PLC0415 - only where TLS is used

    found: dict[str, bytes] = {}
    paths: dict[str, Path] = {}
    for what in ("CERTIFICATE", "CLIENT_CERTIFICATE", "CLIENT_KEY"):
        variable, text = own_variable(environ, signal, what)
        if not text:
            continue
        try:
            paths[what] = Path(text).expanduser()
            content = paths[what].read_bytes()
            if b"-----BEGIN " not in content:
                raise ValueError("it is no PEM file")  # noqa: TRY301 - one notice for all reasons
            if what == "CERTIFICATE":
                ssl.create_default_context(cadata=content.decode("ascii"))
            found[what] = content
        except (OSError, ValueError, RuntimeError) as error:  # an SSLError is an OSError
            if is_interruption(error):
                raise
            why = getattr(error, "strerror", None) or str(error)
            notices.append(unusable(variable, text, why, "TLS goes on without it."))
    why = _why_no_pair(paths, found)
    if why:
        notices.append(
            f"OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and OTEL_EXPORTER_OTLP_CLIENT_KEY belong together, and {why}. "
            "TLS goes on without a client's certificate. Correct or unset both."
        )
        found.pop("CLIENT_CERTIFICATE", None)
        found.pop("CLIENT_KEY", None)
    return found


def _why_no_pair(paths: Mapping[str, Path], found: Mapping[str, bytes]) -> str:
    """Return why a client's certificate and key are of no use; empty where they are, or where there are none."""
    has = ["CLIENT_CERTIFICATE" in found, "CLIENT_KEY" in found]
    if not any(has):
        return ""
    if not all(has):
        return "one of them is missing"
    import ssl  # noqa: PLC0415 - as above

    try:
        ssl.create_default_context().load_cert_chain(paths["CLIENT_CERTIFICATE"], paths["CLIENT_KEY"], "")
    except (OSError, ValueError) as error:
        if is_interruption(error):
            raise
        return f"they do not fit: {getattr(error, 'reason', None) or error}"
    return ""
