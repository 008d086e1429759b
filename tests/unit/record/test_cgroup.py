"""The limits of control groups, read from the files that Linux would show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.record.system.cgroup import Limits, read_limits

GIB = 1 << 30


@pytest.fixture
def groups(tmp_path):
    """Return a function that writes a membership file and group files, and reads the limits from them."""

    def read(membership, files):
        (tmp_path / "cgroup").write_text(membership)
        root = tmp_path / "fs"
        for name, text in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_limits(membership=tmp_path / "cgroup", root=root)

    return read


def test_version_2_limits_are_read_from_the_own_group(groups):
    """memory.max is in bytes, cpu.max is quota and period."""
    files = {"job/memory.max": f"{2 * GIB}\n", "job/cpu.max": "150000 100000\n"}

    assert groups("0::/job\n", files) == Limits(memory_bytes=2 * GIB, cpu_count=1.5)


def test_the_tightest_group_on_the_way_up_counts(groups):
    """A parent's limit holds for its children as well, whichever is lower."""
    files = {
        "a/memory.max": f"{GIB}",
        "a/b/memory.max": f"{4 * GIB}",
        "a/cpu.max": "400000 100000",
        "a/b/cpu.max": "50000 100000",
    }

    assert groups("0::/a/b\n", files) == Limits(memory_bytes=GIB, cpu_count=0.5)


def test_a_container_sees_its_own_group_at_the_root(groups):
    """With the host's path in the membership, the files at the mount are the container's."""
    files = {"memory.max": f"{GIB}", "cpu.max": "200000 100000"}

    assert groups("0::/docker/4f5e\n", files) == Limits(memory_bytes=GIB, cpu_count=2.0)


def test_max_means_no_limit(groups):
    """The word max in place of a number is no limit."""
    files = {"memory.max": "max\n", "cpu.max": "max 100000\n"}

    assert groups("0::/\n", files) == Limits()


def test_version_1_limits_are_read_by_controller(groups):
    """Each controller has a tree of its own, also where two are mounted together."""
    membership = "4:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/\n0::/\n"
    files = {
        "memory/job/memory.limit_in_bytes": f"{3 * GIB}",
        "cpu,cpuacct/job/cpu.cfs_quota_us": "250000",
        "cpu,cpuacct/job/cpu.cfs_period_us": "100000",
    }

    assert groups(membership, files) == Limits(memory_bytes=3 * GIB, cpu_count=2.5)


def test_version_1_without_limits_says_so_with_huge_and_negative_numbers(groups):
    """The largest page-aligned number and a quota of -1 are no limits."""
    files = {
        "memory/memory.limit_in_bytes": "9223372036854771712",
        "cpu/cpu.cfs_quota_us": "-1",
        "cpu/cpu.cfs_period_us": "100000",
    }

    assert groups("4:memory:/\n1:cpu:/\n", files) == Limits()


def test_without_control_groups_there_are_no_limits(tmp_path):
    """Missing files (macOS, Windows) are no limit and no error."""
    assert read_limits(membership=tmp_path / "none", root=tmp_path / "nowhere") == Limits()


@given(st.binary(max_size=200), st.binary(max_size=60), st.binary(max_size=60))
def test_any_bytes_are_read_without_an_error(tmp_path_factory, membership, memory, cpu):
    """Whatever the files hold, a limit is None or above zero (memory: not below zero)."""
    folder = tmp_path_factory.mktemp("groups")
    for name, content in {"cgroup": membership, "memory.max": memory, "cpu.max": cpu}.items():
        (folder / name).write_bytes(content)

    limits = read_limits(membership=folder / "cgroup", root=folder)

    assert limits.memory_bytes is None or limits.memory_bytes >= 0
    assert limits.cpu_count is None or limits.cpu_count > 0
