"""What a run's resource says about where it ran: project, process, host, Python, git checkout, rank.

Everything here is read from files and environment variables, without a subprocess: the start of a run must not
wait for one.
"""

from __future__ import annotations

import os
import platform
import socket
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from otel_experiments.model.span import AttributeValue
from otel_experiments.semconv import attributes as attr

_ARCHITECTURES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64"}
"""The names of the semantic conventions for what the kernel calls otherwise."""

_RANK_VARIABLES = ("RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK", "PMI_RANK")
_LOCAL_RANK_VARIABLES = ("LOCAL_RANK", "SLURM_LOCALID", "OMPI_COMM_WORLD_LOCAL_RANK")
_WORLD_SIZE_VARIABLES = ("WORLD_SIZE", "SLURM_NTASKS", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def _number(environ: Mapping[str, str], variables: tuple[str, ...]) -> int | None:
    for variable in variables:
        text = environ.get(variable, "")
        if text.isdigit():
            return int(text)
    return None


def distributed_attributes(environ: Mapping[str, str]) -> dict[str, AttributeValue]:
    """Return rank, local rank and world size as torchrun, SLURM or Open MPI tell them; empty when alone."""
    world_size = _number(environ, _WORLD_SIZE_VARIABLES)
    rank = _number(environ, _RANK_VARIABLES)
    if rank is None or world_size is None or world_size < 2:
        return {}
    found: dict[str, AttributeValue] = {
        attr.ML_DISTRIBUTED_RANK: rank,
        attr.ML_DISTRIBUTED_WORLD_SIZE: world_size,
    }
    local_rank = _number(environ, _LOCAL_RANK_VARIABLES)
    if local_rank is not None:
        found[attr.ML_DISTRIBUTED_LOCAL_RANK] = local_rank
    return found


def process_attributes() -> dict[str, AttributeValue]:
    """Return the identity of process, Python and host. Arguments are left out: they may hold secrets."""
    main = sys.modules.get("__main__")
    script = getattr(main, "__file__", None)
    found: dict[str, AttributeValue] = {
        attr.SERVICE_INSTANCE_ID: str(uuid.UUID(bytes=os.urandom(16), version=4)),
        attr.PROCESS_PID: os.getpid(),
        attr.PROCESS_EXECUTABLE_PATH: sys.executable,
        attr.PROCESS_RUNTIME_NAME: sys.implementation.name,
        attr.PROCESS_RUNTIME_VERSION: platform.python_version(),
        attr.HOST_NAME: socket.gethostname(),
        attr.HOST_ARCH: _ARCHITECTURES.get(platform.machine(), platform.machine()),
        attr.OS_TYPE: sys.platform,
    }
    if script:
        found[attr.PROCESS_COMMAND] = str(script)
    return found


def working_directory() -> Path | None:
    """Return the folder that the process works in; None when somebody has deleted it."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return None


def git_attributes(start: Path) -> dict[str, AttributeValue]:
    """Return revision, branch and remote (without credentials) of the checkout that `start` lies in."""
    for folder in (start, *start.parents):
        dot_git = folder / ".git"
        try:
            if dot_git.is_file():
                dot_git = folder / dot_git.read_text(encoding="utf-8").partition(":")[2].strip()
            if not (dot_git / "HEAD").is_file():
                continue
            return _read_git(dot_git)
        except (OSError, UnicodeDecodeError):
            return {}
    return {}


def _read_git(dot_git: Path) -> dict[str, AttributeValue]:
    common = dot_git
    if (dot_git / "commondir").is_file():
        common = dot_git / (dot_git / "commondir").read_text(encoding="utf-8").strip()
    found: dict[str, AttributeValue] = {}
    head = (dot_git / "HEAD").read_text(encoding="utf-8").strip()
    revision: str | None = head
    if head.startswith("ref: "):
        reference = head[5:]
        found[attr.VCS_REF_HEAD_NAME] = reference.removeprefix("refs/heads/")
        found[attr.VCS_REF_HEAD_TYPE] = "branch"
        revision = _resolve(common, reference)
    if revision:
        found[attr.VCS_REF_HEAD_REVISION] = revision
    url = _remote_url(common / "config")
    if url:
        found[attr.VCS_REPOSITORY_URL_FULL] = url
    return found


def _resolve(common: Path, reference: str) -> str | None:
    loose = common / reference
    if loose.is_file():
        return loose.read_text(encoding="utf-8").strip()
    packed = common / "packed-refs"
    if packed.is_file():
        for line in packed.read_text(encoding="utf-8").splitlines():
            revision, _, name = line.partition(" ")
            if name == reference:
                return revision
    return None


def _remote_url(config: Path) -> str | None:
    if not config.is_file():
        return None
    is_origin = False
    for line in config.read_text(encoding="utf-8", errors="replace").splitlines():
        text = line.strip()
        if text.startswith("["):
            is_origin = text == '[remote "origin"]'
        elif is_origin and text.partition("=")[0].strip() == "url":
            return without_credentials(text.partition("=")[2].strip())
    return None


def without_credentials(url: str) -> str:
    """Return the URL without user name and password."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
