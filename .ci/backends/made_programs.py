"""The real programs that tests start: what they are made from, and where a made one is kept.

Most are built from Go modules. Prometheus 2, which many still run, is what Debian's package of it holds. A made program is kept outside the checkout, in `${CI_CACHE:-${XDG_CACHE_HOME:-~/.cache}/otel-experiments/ci}/backends`.
Its name there has a hash of all that it is built from, the version of Go included, so a changed manifest is built anew.
Beside it lies, for one that cannot be had, a file with the reason. The tests read both; they make nothing.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
MANIFEST = CHECKOUT / "collector-config" / "builder.yaml"
SWITCH = "CI_BACKENDS"


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One program: a Go package at a version, or what Debian has of it."""

    name: str
    package: str
    """What is built; for the Collector the builder, which writes the source of what is built. Of Debian: the package."""
    version: str
    tags: str = ""
    version_arguments: tuple[str, ...] = ("--version",)
    """What the program is started with to see that it runs."""
    manifest: Path | None = None
    file_in_package: str = ""
    """Of Debian: the program's file in its package, which is unpacked and not installed."""

    @property
    def is_of_debian(self) -> bool:
        """Whether it is taken out of a package and needs no Go."""
        return bool(self.file_in_package)

    def key(self, go_version: str | None) -> str | None:
        """Return the hash of all that the program is made from; None when that takes Go and there is none."""
        if self.is_of_debian:
            go_version = ""
        elif go_version is None:
            return None
        parts = [self.package, self.version, self.tags, go_version]
        if self.manifest is not None:
            parts.append(self.manifest.read_text(encoding="utf-8"))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


COLLECTOR = Program(
    name="collector",
    package="go.opentelemetry.io/collector/cmd/builder",
    version="v0.161.0",
    tags="grpcnotrace",  # lets the linker drop what is not used
    manifest=MANIFEST,
)
VICTORIAMETRICS = Program(
    name="victoriametrics",
    package="github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics",
    version="v1.151.0",
    version_arguments=("-version",),
)
JAEGER = Program(
    name="jaeger",
    package="github.com/jaegertracing/jaeger/cmd/jaeger",  # of 1.76: this is Jaeger 2.13
    version="v1.76.0",
    version_arguments=("version",),
)
PROMETHEUS = Program(
    name="prometheus",
    package="github.com/prometheus/prometheus/cmd/prometheus",  # v0.316 is Prometheus 3.16
    version="v0.316.0",
    tags="remove_all_sd",  # without the clients of all clouds: half the time, a tenth of the memory
)
COMPOSE = Program(
    name="compose",
    package="github.com/compose-spec/compose-go/v2/cmd",  # what `docker compose` reads its files with
    version="v2.16.2",
    version_arguments=("-h",),
)
PROMETHEUS_2 = Program(
    name="prometheus-2",
    package="prometheus",
    version="2, of Debian",
    file_in_package="usr/bin/prometheus",
)
PROGRAMS = (COLLECTOR, VICTORIAMETRICS, JAEGER, PROMETHEUS, PROMETHEUS_2, COMPOSE)
"""What is made, what the most tests need first."""


def kept_folder() -> Path:
    """Return the folder that built programs are kept in."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CI_CACHE") or Path(cache, "otel-experiments", "ci")) / "backends"


def go_version() -> str | None:
    """Return the version of the `go` on the path, without fetching another one; None where there is none."""
    go = shutil.which("go")
    if go is None:
        return None
    environment = os.environ | {"GOTOOLCHAIN": "local"}
    answer = subprocess.run([go, "version"], capture_output=True, text=True, check=False, env=environment)
    return answer.stdout.strip() or None if answer.returncode == 0 else None


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a program is kept: its file when it is there, and otherwise why not."""

    program: Program
    file: Path | None
    reason: str = ""


def reason_file(folder: Path, program: Program) -> Path:
    """Return the file with the reason why a program cannot be had."""
    return folder / f"{program.name}.reason"


def find(program: Program, *, folder: Path, go: str | None) -> Kept:
    """Return where a program is kept, for this version of Go and this manifest."""
    if os.environ.get(SWITCH) == "no":
        return Kept(program, None, f"{SWITCH}=no")
    if (key := program.key(go)) is not None and (file := folder / f"{program.name}-{key}").is_file():
        return Kept(program, file)
    noted = reason_file(folder, program)
    try:
        return Kept(program, None, noted.read_text(encoding="utf-8").strip())
    except FileNotFoundError:
        return Kept(program, None, "it is not built; `python .ci/backends` builds it")
