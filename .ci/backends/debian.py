"""Take one program out of a package of Debian's, in a folder that is gone afterwards; nothing is installed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from build import BuildError, Go
from made_programs import Program


def unpack(program: Program, *, file: Path, go: Go) -> None:
    """Fetch a package and see its program run, then move that to `file`.

    Raises:
        BuildError: it cannot be had here.
    """
    with tempfile.TemporaryDirectory(prefix="unfinished.", dir=file.parent) as name:
        folder = Path(name)
        try:
            _fetch(program, folder=folder, go=go)
        except BuildError:  # the list of packages is missing, or older than what it names
            go.run("apt-get", "update", "-qq", cwd=folder)
            _fetch(program, folder=folder, go=go)
        (package,) = folder.glob("*.deb")
        go.run("dpkg-deb", "--extract", package.name, "root", cwd=folder)
        made = folder / "root" / program.file_in_package
        go.run(str(made), *program.version_arguments, cwd=folder)
        made.replace(file)


def _fetch(program: Program, *, folder: Path, go: Go) -> None:
    go.run("apt-get", "download", "-qq", program.package, cwd=folder)
