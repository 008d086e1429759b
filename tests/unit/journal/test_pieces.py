"""Large frames, as of received requests: they are written by the system, and are frames like all others."""

import pytest

from otel_experiments.collect.merge import JournalMerger
from otel_experiments.journal import encode
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.received import ReceivedRequest
from otel_experiments.model.run import Run, RunState
from otel_experiments.store import open_store

SIZES = (1, 31_000, 32_700, 33_000, 200_000, 1_000_000, 5, 90_000)


def requests():
    """Return requests of many sizes, no two alike."""
    return [
        ReceivedRequest("logs", "json", bytes((number,)) * size, number) for number, size in enumerate(SIZES)
    ]


def found(directory):
    """Return the requests that a merge finds in a folder, and what it could not read."""
    taken = []

    def unpack(batch):
        taken.extend(batch.received)
        batch.received.clear()
        return []

    with open_store(":memory:") as store:
        report = JournalMerger(store, directory, keeps_segments=True, unpack=unpack).merge(scope="all")
    return taken, report.damages


@pytest.mark.parametrize("durability", ["process", "fsync"])
def test_requests_of_all_sizes_come_back_in_their_order(tmp_path, durability):
    """Small and large ones, among other records and over several files, are read as they were written."""
    writer = JournalWriter(tmp_path / "journals", durability=durability)
    for request in requests():
        assert writer.append_pieces(encode.request_pieces(request))
        assert writer.append(
            encode.encode_run(Run(f"{request.received_ns:032x}", "e", "n", RunState.RUNNING, 1, 1))
        )

    assert found(writer.directory) == (requests(), [])
    assert len(list(writer.directory.iterdir())) > 1


def test_a_large_request_is_kept_where_its_file_was_deleted(tmp_path):
    """The system finds no file to write to; what is appended is there when the file is written again."""
    writer = JournalWriter(tmp_path / "journals")
    first, second = requests()[:2], requests()[4]
    for request in first:
        assert writer.append_pieces(encode.request_pieces(request))
    (file,) = writer.directory.iterdir()
    file.unlink()
    assert writer.append_pieces(encode.request_pieces(second))
    assert not writer.keep_place()

    assert found(writer.directory) == ([*first, second], [])


def test_a_request_that_no_disk_takes_is_refused_and_counted(tmp_path):
    """Where the folder of the journals cannot be made, nothing is said to be kept."""
    (tmp_path / "file").write_text("")
    writer = JournalWriter(tmp_path / "file" / "journals")

    assert not writer.append_pieces(encode.request_pieces(requests()[4]))
    assert writer.lost_count == 1
