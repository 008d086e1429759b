"""Make the real programs of the tests: Collector, VictoriaMetrics, Jaeger, Prometheus. `python .ci/backends`.

It needs Go 1.26 and Go's module proxy; Prometheus 2 comes out of Debian's package. What is made once is kept outside
the checkout. Where a program cannot be had the reason is printed and kept, and the tests that need it are skipped with it: this never fails. CI_BACKENDS=no leaves it out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from build import BuildError, Go, build
from debian import unpack
from made_programs import PROGRAMS, SWITCH, Kept, Program, find, go_version, kept_folder, reason_file

OLDEST_GO = "go1.26"
NEEDED_MB = 8 << 10
"""What four programs and Go's caches take, when nothing is there yet."""


def obstacle(folder: Path, go: str | None) -> str | None:
    """Return what keeps all programs from being built; None when nothing does."""
    if go is None:
        return f"`go` was not found: {OLDEST_GO} or later builds it"
    number = go.split()[2].removeprefix("go").split(".")
    if tuple(int(part) for part in number[:2] if part.isdigit()) < (1, 26):
        return f"`go` is {go.split()[2]}: {OLDEST_GO} or later builds it"
    free = os.statvfs(folder)
    free_mb = free.f_bavail * free.f_frsize >> 20
    if free_mb < NEEDED_MB:
        return f"{folder} has {free_mb} MB left, and building takes {NEEDED_MB}"
    return None


def obstacle_of_debian() -> str | None:
    """Return what keeps a package of Debian's from being fetched; None when nothing does."""
    missing = [command for command in ("apt-get", "dpkg-deb") if shutil.which(command) is None]
    return f"`{missing[0]}` was not found: it comes out of a package of Debian's" if missing else None


def have(program: Program, *, folder: Path, go: str | None, deadline_s: float) -> Kept:
    """Return a program, made when it is not kept yet."""
    kept = find(program, folder=folder, go=go)
    if kept.file is not None:
        return kept
    noted = reason_file(folder, program)
    reason = obstacle_of_debian() if program.is_of_debian else obstacle(folder, go)
    if reason is None:
        file = folder / f"{program.name}-{program.key(go)}"
        make = unpack if program.is_of_debian else build
        try:
            make(program, file=file, go=Go(deadline_s))
        except (BuildError, OSError) as error:
            reason = str(error)
        else:
            noted.unlink(missing_ok=True)
            return Kept(program, file)
    noted.write_text(f"{reason}\n", encoding="utf-8")
    return Kept(program, None, str(reason))


def main() -> None:
    """Make all programs, one after the other, and print each with its version."""
    parser = argparse.ArgumentParser(prog="python .ci/backends", description=__doc__)
    names = [program.name for program in PROGRAMS]
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"of {', '.join(names)}; without: all")
    parser.add_argument("--budget-s", type=float, default=2400.0, help="time for all of them (2400)")
    arguments = parser.parse_args()
    if unknown := set(arguments.programs) - set(names):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if os.environ.get(SWITCH) == "no":
        print(f"Skipped: {SWITCH}=no.")
        return
    deadline_s = time.monotonic() + arguments.budget_s
    folder = kept_folder()
    folder.mkdir(parents=True, exist_ok=True)
    go = go_version()
    for program in PROGRAMS:
        if arguments.programs and program.name not in arguments.programs:
            continue
        started_s = time.monotonic()
        kept = have(program, folder=folder, go=go, deadline_s=deadline_s)
        if kept.file is None:
            print(
                f"{program.name} {program.version}: cannot be had, its tests are skipped: {kept.reason}",
                flush=True,
            )
        else:
            size_mb = kept.file.stat().st_size >> 20
            took_s = time.monotonic() - started_s
            print(
                f"{program.name} {program.version}: {size_mb} MB, after {took_s:.0f} s, {kept.file}",
                flush=True,
            )


if __name__ == "__main__":
    main()
