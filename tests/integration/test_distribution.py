"""What `pip install` gets: the wheel and the source distribution hold the package whole, and nothing else."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAME = "otel_experiments"
BUILT_FROM = {"LICENSE", "README.md", "pyproject.toml"}


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Copy what git tracks, as a release is made from it, so that building leaves nothing in the checkout."""
    try:
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("this is no git checkout")
    folder = tmp_path_factory.mktemp("checkout")
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(sources, tmp_path_factory):
    """Build both distributions; return their files."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--outdir", folder, sources]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    told = done.stdout + done.stderr
    if done.returncode and ("'install'" in told or "No module named build" in told):
        pytest.skip("the build backend cannot be installed here")
    assert done.returncode == 0, told
    (wheel,), (archive,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, archive


def package_files(sources):
    """Return the files of the package, from the root of the checkout."""
    return {path.relative_to(sources).as_posix() for path in (sources / NAME).rglob("*") if path.is_file()}


def test_the_wheel_holds_the_package_and_nothing_else(sources, built):
    """Every module, the generated vocabulary, the mark for type checkers and the licence; no tests, no benchmarks."""
    wheel, _ = built
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if not name.endswith("/")}
        metadata = opened.read(next(name for name in names if name.endswith("METADATA"))).decode()

    about = {name for name in names if ".dist-info/" in name}
    assert names - about == package_files(sources)
    assert {f"{NAME}/py.typed", f"{NAME}/semconv/attributes.py"} <= names
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "top_level.txt",
    }  # fmt: skip
    assert "License-Expression: Apache-2.0" in metadata


def test_the_source_distribution_builds_the_same_package(sources, built):
    """It holds the package, what builds it, the licence and the readme; no tests, no data of ours."""
    _, archive = built
    with tarfile.open(archive) as opened:
        names = {one.name.partition("/")[2] for one in opened.getmembers() if one.isfile()}

    made = {name for name in names if name.startswith(f"{NAME}.egg-info/")} | {"PKG-INFO", "setup.cfg"}
    assert names - made == package_files(sources) | BUILT_FROM
