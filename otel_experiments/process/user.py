"""Who runs this process, as the operating system calls the user."""

from __future__ import annotations

import getpass

from otel_experiments.process.interruption import is_interruption


def user_name() -> str:
    """Return the name of the user; empty where there is none, as for an unknown user id in a container."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        if is_interruption(error):
            raise
        return ""
