"""Making the real programs of the tests never fails; what cannot be had has a reason."""

import dataclasses
import shutil
import subprocess

import psutil
import pytest

GO_126 = 'case $1 in version) echo "go version go1.26.8 linux/amd64";; *)'
BUILDS = f"""{GO_126}
    while [ $# -gt 1 ]; do
        if [ "$1" = -o ]; then printf '#!/bin/sh\\necho "$0 $*" >>{{}}' >"$2"; chmod 755 "$2"; fi
        shift
    done;;
esac"""
"""A `go` whose programs note with what they are started."""


def test_a_machine_without_go_passes_and_says_so(make, programs):
    """Without Go nothing is built, nothing fails, and the tests show why they are skipped."""
    printed = make()

    reason = "`go` was not found: go1.26 or later builds it"
    of_go = [program for program in programs.PROGRAMS if not program.is_of_debian]
    assert printed.count(f"cannot be had, its tests are skipped: {reason}") == len(of_go)
    assert printed.count("cannot be had, its tests are skipped: `apt-get` was not found") == 1
    assert len(of_go) == len(programs.PROGRAMS) - 1
    kept = programs.find(programs.JAEGER, folder=programs.kept_folder(), go=None)
    assert (kept.file, kept.reason) == (None, reason)


def test_an_older_go_is_not_asked(make):
    """Go before 1.26 cannot build the Collector: its version is the reason."""
    printed = make("collector", go='[ "$1" = version ] && echo "go version go1.25.1 linux/amd64"')

    assert printed.endswith("`go` is go1.25.1: go1.26 or later builds it\n")
    assert printed.count("\n") == 1


def test_what_go_says_last_is_the_reason(make, programs):
    """A proxy that refuses a module is named in the reason, that is kept for the tests."""
    make("victoriametrics", go=f"{GO_126} echo one; echo two; echo three; echo 410 Gone >&2; exit 1;; esac")

    kept = programs.find(
        programs.VICTORIAMETRICS, folder=programs.kept_folder(), go="go version go1.26.8 linux/amd64"
    )
    assert (kept.file, kept.reason) == (None, "`go mod init` failed: two / three / 410 Gone")


def test_a_build_that_takes_too_long_is_stopped_with_all_that_it_started(make, tmp_path):
    """When time is over the build ends, its own processes too, and the reason says so."""
    noted = tmp_path / "pid"
    printed = make("jaeger", "--budget-s", "3", go=f"{GO_126} sleep 1000 & echo $! >{noted}; wait;; esac")

    assert "`go mod init` ran out of time" in printed
    pid = int(noted.read_text(encoding="utf-8"))
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_built_program_is_kept_and_built_once(make, programs, tmp_path):
    """A program that was built and has run is found by the tests; the next call only finds it."""
    calls = tmp_path / "calls"
    go = BUILDS.format(calls)
    make("prometheus", go=go)
    kept = programs.find(
        programs.PROMETHEUS, folder=programs.kept_folder(), go="go version go1.26.8 linux/amd64"
    )
    make("prometheus", go=go)

    assert kept.file is not None
    assert calls.read_text(encoding="utf-8").splitlines()[0].endswith("/built --version")
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1
    assert [file.name for file in programs.kept_folder().iterdir()] == [kept.file.name]


def test_another_manifest_or_go_is_another_program(programs, tmp_path):
    """What was built from an older manifest, another version, other tags or by another Go is not taken."""
    manifest = tmp_path / "builder.yaml"
    manifest.write_text("one", encoding="utf-8")
    program = dataclasses.replace(programs.COLLECTOR, manifest=manifest)
    keys = {program.key("go1"), program.key("go2")}
    keys |= {
        dataclasses.replace(program, **change).key("go1") for change in ({"version": "v1"}, {"tags": "x"})
    }
    manifest.write_text("two", encoding="utf-8")

    assert len(keys | {program.key("go1")}) == 5


def test_left_out_they_are_not_looked_for(make, programs, monkeypatch):
    """CI_BACKENDS=no builds nothing, and tests say that they are skipped for it."""
    assert make(CI_BACKENDS="no") == "Skipped: CI_BACKENDS=no.\n"

    monkeypatch.setenv("CI_BACKENDS", "no")
    kept = programs.find(programs.COLLECTOR, folder=programs.kept_folder(), go="go1")
    assert kept.reason == "CI_BACKENDS=no"


@pytest.fixture
def package(tmp_path):
    """Return a package of Debian's with a program that notes with what it is started, and where it notes it."""
    if shutil.which("dpkg-deb") is None:
        pytest.skip("`dpkg-deb` makes the package, and this machine is none of Debian's")
    tree, calls = tmp_path / "tree", tmp_path / "calls"
    program = tree / "usr/bin/prometheus"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{calls}\n', encoding="utf-8")
    program.chmod(0o755)
    (tree / "DEBIAN").mkdir()
    (tree / "DEBIAN/control").write_text(
        "Package: prometheus\nVersion: 2\nArchitecture: all\nMaintainer: a <a@b.c>\nDescription: d\n",
        encoding="utf-8",
    )
    file = tmp_path / "prometheus_2_all.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", tree, file], check=True, capture_output=True)
    return file, calls


def test_a_program_of_debian_needs_no_go_and_is_fetched_once(make, programs, package, tmp_path):
    """Its package is fetched, also where the list of packages was not there yet, and what is unpacked is kept."""
    file, calls = package
    asked, listed = tmp_path / "asked", tmp_path / "listed"
    apt_get = f"""echo "$*" >>{asked}
case $1 in
    update) touch {listed};;
    download) [ -e {listed} ] || exit 100; cp {file} .;;
esac"""

    make("prometheus-2", apt_get=apt_get)
    make("prometheus-2", apt_get=apt_get)

    kept = programs.find(programs.PROMETHEUS_2, folder=programs.kept_folder(), go=None)
    assert kept.file is not None
    assert [line.split()[0] for line in asked.read_text().splitlines()] == ["download", "update", "download"]
    assert calls.read_text(encoding="utf-8").splitlines()[0].endswith("/prometheus --version")
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1
    assert [file.name for file in programs.kept_folder().iterdir()] == [kept.file.name]


def test_a_package_that_cannot_be_fetched_is_the_reason(make, programs):
    """A machine that reaches no packages goes on without the program, and the tests say why."""
    printed = make("prometheus-2", apt_get="echo no such place >&2; exit 100")

    reason = "`apt-get update -qq` failed: no such place"
    assert printed.endswith(f"cannot be had, its tests are skipped: {reason}\n")
    kept = programs.find(programs.PROMETHEUS_2, folder=programs.kept_folder(), go=None)
    assert (kept.file, kept.reason) == (None, reason)
