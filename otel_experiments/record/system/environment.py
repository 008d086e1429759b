"""What a run's resource says about where it ran: project, process, host, Python.

Everything here is read from files and environment variables, without a subprocess: the start of a run must not
wait for one.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import uuid
from pathlib import Path

from otel_experiments.codec.text import clean_text
from otel_experiments.model.span import AttributeValue
from otel_experiments.process.interruption import is_interruption
from otel_experiments.semconv import attributes as attr

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
"""The names of the semantic conventions for what the kernel calls otherwise."""

_MAX_ARGUMENTS = 200
_MAX_ARGUMENT_CHARS = 1000


def process_attributes() -> dict[str, AttributeValue]:
    """Return the identity of process, Python and host; the arguments may hold secrets, which are not to be recorded."""
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    found: dict[str, AttributeValue] = {
        attr.SERVICE_INSTANCE_ID: str(uuid.UUID(bytes=os.urandom(16), version=4)),
        attr.PROCESS_PID: os.getpid(),
        attr.PROCESS_EXECUTABLE_PATH: clean_text(sys.executable or ""),
        attr.PROCESS_RUNTIME_NAME: sys.implementation.name,
        attr.PROCESS_RUNTIME_VERSION: platform.python_version(),
        attr.HOST_NAME: clean_text(socket.gethostname()),
        attr.HOST_ARCH: _ARCHITECTURES.get(platform.machine(), platform.machine()),
        attr.OS_TYPE: sys.platform,
    }
    arguments = [clean_text(text[:_MAX_ARGUMENT_CHARS]) for text in getattr(sys, "argv", ())[:_MAX_ARGUMENTS]]
    if any(arguments):
        found[attr.PROCESS_COMMAND_ARGS] = arguments
    if script:
        found[attr.PROCESS_COMMAND] = clean_text(str(script))
    return found


def working_directory() -> Path | None:
    """Return the folder that the process works in; None when somebody has deleted it, or keeps it to himself."""
    try:
        return Path.cwd()
    except OSError as error:
        if is_interruption(error):
            raise
        return None
