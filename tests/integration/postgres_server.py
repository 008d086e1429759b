"""A PostgreSQL server for tests: in a folder of its own, on a Unix socket, started as another user where we are root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


def find_programs():
    """Return the folder of `initdb` and `pg_ctl`; None where PostgreSQL is not installed."""
    known = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    for path in [*filter(None, [shutil.which("initdb")]), *known]:
        folder = Path(path).resolve().parent
        if (folder / "pg_ctl").exists():
            return folder
    return None


class Server:
    """One server. `address` is what a store is opened with."""

    def __init__(self, programs):
        self.programs = programs
        self.folder = Path(
            tempfile.mkdtemp(prefix="oxpg-", dir="/tmp")
        )  # a socket's path has at most 107 bytes
        self.user = None
        if os.geteuid() == 0:  # PostgreSQL refuses root
            self.user = next(one.pw_name for name in ("postgres", "nobody") if (one := _user(name)))
            shutil.chown(self.folder, self.user)
        self.address = f"postgresql://ox@/postgres?host={self.folder}"
        self._run("initdb", "-U", "ox", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")

    def start(self):
        """Start it, and wait until it takes connections."""
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=20"
        self._run("pg_ctl", "-w", "-t", "60", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self):
        """End it at once, as a crash would."""
        self._run("pg_ctl", "-w", "-t", "60", "-m", "immediate", "stop")

    def remove(self):
        """Remove all that it had."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, name, *arguments):
        done = subprocess.run(
            [self.programs / name, "-D", str(self.folder / "data"), *arguments],
            user=self.user, cwd="/", check=False, timeout=100, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if name == "initdb" else subprocess.DEVNULL, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{name} {arguments}: {done.stdout}"


def _user(name):
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None
