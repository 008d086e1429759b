"""What a journal asks for when the system refuses, and how it names the reason."""

import errno
import os
import resource
from pathlib import Path

import pytest

from otel_experiments.journal.limits import DescriptorReserve, reason_of, sizes_to_try

LEAST = 20_000


@pytest.mark.parametrize(
    "number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENOMEM], ids=errno.errorcode.get
)
@pytest.mark.parametrize("wanted", [16 << 20, 256 << 10, 64 << 10, 30_000, LEAST])
@pytest.mark.parametrize("least", [LEAST, 100_000, 5 << 20])
def test_smaller_sizes_are_tried_down_to_the_least(number, wanted, least):
    """Each is smaller than the one before, none is too small, and the last is the least that will do."""
    wanted = max(wanted, least)

    sizes = sizes_to_try(wanted, least, OSError(number, "no"))

    assert sizes == sorted(set(sizes), reverse=True)
    assert all(least <= size < wanted for size in sizes)
    assert not sizes or sizes[-1] == least
    assert bool(sizes) == (least < wanted)
    if number == errno.ENOMEM:
        assert all(size <= 256 << 10 for size in sizes[:-1])


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.EROFS, errno.EACCES, errno.EIO, None])
def test_where_size_is_not_the_matter_no_smaller_one_is_tried(number):
    """A file system that can only be read takes no small file either; an exception without a number is not the disk's."""
    assert sizes_to_try(16 << 20, LEAST, OSError(number, "no")) == []
    assert sizes_to_try(16 << 20, LEAST) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "x"), "the disk is full. Free some space"),
        (OSError(errno.EDQUOT, "x"), "quota"),
        (OSError(errno.EFBIG, "x"), "ulimit -f"),
        (OSError(errno.EMFILE, "x"), "ulimit -n: the limit is"),
        (OSError(errno.ENFILE, "x"), "fs.file-max"),
        (OSError(errno.ENOMEM, "x"), "ulimit -v"),
        (MemoryError(), "ulimit -v"),
        (OSError(errno.EROFS, "x"), "can only be read"),
        (OSError(errno.EACCES, "x"), "may not write"),
        (OSError(errno.EIO, "Input/output error"), "Input/output error"),
        (OSError("odd"), "odd"),
        (OSError(), "OSError"),
    ],
    ids=str,
)
def test_the_reason_is_named_with_what_to_do(error, said):
    """Disk, quota, ulimit: each has its own words, and a step to take."""
    reason = reason_of(error)

    assert said in str(reason)
    assert reason.fix


def test_kept_descriptors_are_there_when_all_others_are_in_use():
    """What is released can be opened, and is held again afterwards."""
    reserve = DescriptorReserve()
    reserve.fill()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    taken = []

    def take_all():
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))

    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 8, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            take_all()
        assert reserve.release()
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(4)]
        for descriptor in opened:
            os.close(descriptor)
        reserve.fill()
        assert reserve.release()
        assert not reserve.release()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in taken:
            os.close(descriptor)
