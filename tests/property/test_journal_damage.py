"""A journal that was cut, bent or overwritten anywhere gives back all the rest, and never a wrong value."""

import dataclasses
import struct
import zlib

import pytest

from otel_experiments.collect.merge import JournalMerger
from otel_experiments.errors import NewerJournalError
from otel_experiments.journal import encode
from otel_experiments.journal.decode import SegmentDecoder
from otel_experiments.journal.format import (
    FORMAT_VERSION,
    HEADER_SIZE_BYTES,
    RecordType,
    pack_header,
    unpack_header,
)
from otel_experiments.journal.names import DAMAGED_SUFFIX
from otel_experiments.journal.owner import current_owner
from otel_experiments.journal.scan import scan
from otel_experiments.journal.writer import JournalWriter
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.metric import SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Resource, Scope, Span, SpanKind
from otel_experiments.store import open_store

RUN_ID = "ab" * 16
KEYS = (SeriesKey("loss"), SeriesKey("acc", "validation"))
MARGIN_BYTES = 32


def fill(writer):
    """Write a small journal of every shape of frame: declarations, JSON, packed points, spans."""
    resource, scope = Resource({"service.name": "vision"}), Scope("lib", "1")
    declarations = (
        (("resource", 0), lambda: encode.encode_resource(0, resource)),
        (("scope", 0), lambda: encode.encode_scope(0, scope)),
    )
    keyset = ((("keyset", 7), lambda: encode.encode_keyset(7, RUN_ID, KEYS)),)
    pack = encode.points_struct(2).pack
    run = Run(RUN_ID, "digits", "mlp", RunState.RUNNING, 5, 5, root_span_id="12" * 8)
    span = Span(
        RUN_ID,
        "34" * 8,
        "epoch",
        10,
        20,
        kind=SpanKind.INTERNAL,
        resource=resource,
        scope=scope,
        run_id=RUN_ID,
    )
    writer.append(encode.encode_run(run))
    writer.append(encode.encode_params(RUN_ID, {"lr": 0.1, "name": "a"}, 6))
    for step in range(4):
        writer.append(pack(RecordType.POINTS, 7, step, 100 + step, step / 3, -1.5e300), keyset)
        writer.append(encode.encode_span(dataclasses.replace(span, start_ns=11 + step), 0, 0), declarations)
    writer.append(encode.encode_tags(RUN_ID, {"team": "vision"}, 7))
    writer.append(pack(RecordType.POINTS, 7, 9.5, 200, 0.25, 0.5), keyset)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    """Return the path and the bytes of a filled segment."""
    folder = tmp_path_factory.mktemp("journal")
    writer = JournalWriter(folder)
    fill(writer)
    writer.close()
    (path,) = folder.iterdir()
    return path, path.read_bytes()


def frames(raw):
    """Yield (start, end) of each frame of an undamaged segment."""
    position = HEADER_SIZE_BYTES
    while length := struct.unpack_from("<I", raw, position)[0]:
        end = (position + 8 + length + 7) & -8
        yield position, end
        position = end


def items(batch):
    """Return everything that a batch says, as a set of texts; points one by one."""
    found = {
        repr(item)
        for name in ("runs", "params", "spans", "tags", "state_changes", "log_records", "heartbeats")
        for item in getattr(batch, name)
    }
    for block in batch.points:
        rows = zip(block.steps, block.times_ns, *block.values, strict=True)
        found |= {repr((block.run_id, block.keys, *row)) for row in rows}
    return found


def read(raw, *, is_final=True):
    """Return what a reader gets of a segment's bytes, and what is named as damage."""
    found = scan(raw, HEADER_SIZE_BYTES, is_final=is_final)
    batch = WriteBatch()
    problems = SegmentDecoder().feed(found.payloads, batch)
    return items(batch), [damage.why for damage in found.damages] + problems


def told_by(raw, spans):
    """Return what an undamaged segment says up to and with each of its frames: a list beside `spans`."""
    told, decoder, batch = [], SegmentDecoder(), WriteBatch()
    for start, _ in spans:
        length = struct.unpack_from("<I", raw, start)[0]
        decoder.feed([raw[start + 8 : start + 8 + length]], batch)
        told.append(items(batch))
    return told


def check(raw, bent, first, last, spans, told):
    """Check what is read of `bent`, whose bytes from `first` to before `last` differ from those of `raw`."""
    everything = told[-1]
    found, named = read(bent)
    before = [i for i, (_, end) in enumerate(spans) if end <= first]
    hit = [i for i, (start, end) in enumerate(spans) if start < last and end > first]

    assert found <= everything, "a value that nobody wrote"
    assert (told[before[-1]] if before else set()) <= found, "something before the damage is missing"
    lost_declarations = [i for i in hit if (told[i] == (told[i - 1] if i else set()))]
    if not lost_declarations:
        expected = set(everything)
        for i in hit:
            expected -= told[i] - (told[i - 1] if i else set())
        assert expected <= found, "something behind the damage is missing"
    if found != everything:
        assert named, "something is missing and nothing is named"


def test_every_flipped_bit_costs_at_most_the_frame_it_hits(journal):
    """With any one bit of a journal flipped, all other frames are read, and what is missing is named."""
    _, whole = journal
    spans = list(frames(whole))
    raw = whole[: spans[-1][1] + MARGIN_BYTES]
    told = told_by(raw, spans)

    for position in range(HEADER_SIZE_BYTES, len(raw)):
        for bit in range(8):
            bent = bytearray(raw)
            bent[position] ^= 1 << bit
            check(raw, bytes(bent), position, position + 1, spans, told)


@pytest.mark.parametrize("length", [1, 8, 21, 64, 512])
def test_every_zero_filled_stretch_costs_at_most_the_frames_it_covers(journal, length):
    """With any stretch of a journal zeroed, all other frames are read, and what is missing is named."""
    _, whole = journal
    spans = list(frames(whole))
    raw = whole[: spans[-1][1] + MARGIN_BYTES]
    told = told_by(raw, spans)

    for position in range(HEADER_SIZE_BYTES, spans[-1][1]):
        bent = (raw[:position] + bytes(length) + raw[position + length :])[: len(raw)]
        # A stretch that reaches the last frame leaves nothing that could tell that there was more.
        if position + length < spans[-1][0]:
            check(raw, bent, position, position + length, spans, told)
        else:
            assert read(bent)[0] <= told[-1]


def test_every_torn_end_keeps_all_before_it(journal):
    """A journal whose bytes from any place on never reached the disk gives back all before it."""
    _, whole = journal
    spans = list(frames(whole))
    told = told_by(whole, spans)

    for position in range(HEADER_SIZE_BYTES, spans[-1][1]):
        bent = whole[:position] + bytes(spans[-1][1] + MARGIN_BYTES - position)
        found, _ = read(bent)
        before = [i for i, (_, end) in enumerate(spans) if end <= position]
        assert found <= told[-1]
        assert (told[before[-1]] if before else set()) <= found


def test_a_live_segment_is_never_stepped_over(journal):
    """While its writer lives, nothing behind an unfinished frame is read: it may be finished at the next look."""
    _, whole = journal
    spans = list(frames(whole))
    raw = whole[: spans[-1][1] + MARGIN_BYTES]
    told = told_by(raw, spans)

    for number, (start, end) in enumerate(spans):
        found, named = read(raw[:start] + bytes(end - start) + raw[end:], is_final=False)
        assert found == (told[number - 1] if number else set())
        assert named == []


def merged(folder):
    """Merge the folder into a new store in memory; return it with the report."""
    store = open_store("memory://")
    merger = JournalMerger(store, folder)
    report = merger.merge(scope="all")
    merger.close()
    return store, report


def make_final(raw, **changes):
    """Return the segment with the header of a process that is gone."""
    header = unpack_header(raw[:HEADER_SIZE_BYTES], path="")
    owner = dataclasses.replace(header.owner, start_ticks=header.owner.start_ticks + 1)
    changed = dataclasses.replace(
        header, **{"owner": owner, "drainer_start_ticks": owner.start_ticks, **changes}
    )
    return pack_header(changed) + raw[HEADER_SIZE_BYTES:]


def test_a_file_cut_anywhere_gives_back_what_it_still_holds(journal, tmp_path):
    """A segment that lost its end at any byte is merged up to there, named, and kept aside; one file hurts no other."""
    path, whole = journal
    spans = list(frames(whole))
    raw = make_final(whole)

    for position in range(spans[-1][1] + 1):
        folder = tmp_path / str(position)
        folder.mkdir()
        (folder / path.name).write_bytes(raw[:position])
        store, report = merged(folder)

        held = [(start, end) for start, end in spans if end <= position]
        steps = store.points(RUN_ID, KEYS[0]).steps if store.get_run(RUN_ID) else []
        told = [
            struct.unpack_from("<d", raw, start + 16)[0]
            for start, _ in held
            if raw[start + 8] == RecordType.POINTS
        ]
        assert list(steps)[: len(told)] == told
        assert len(steps) - len(told) in {0, 1}, "a frame may be whole without its padding"
        assert report.damages, f"a file cut at {position} is not named"
        (left,) = folder.iterdir()
        assert left.suffix == DAMAGED_SUFFIX or (left.suffix == ".oxj" and position < HEADER_SIZE_BYTES)


def test_a_damaged_header_leaves_the_file_as_it_is(journal, tmp_path):
    """A segment whose header is bent at any byte is never misread: it is merged whole, or named and left."""
    path, whole = journal
    raw = make_final(whole)[: 64 << 10]
    folder = tmp_path / "journals"
    folder.mkdir()
    file = folder / path.name

    for position in range(HEADER_SIZE_BYTES):
        bent = bytearray(raw)
        bent[position] ^= 0x55
        file.write_bytes(bent)
        store, report = merged(folder)

        if store.get_run(RUN_ID) is None:
            assert report.damages
            assert file.read_bytes() == bytes(bent)
        else:
            assert len(store.points(RUN_ID, KEYS[0])) == 5
        for left in folder.iterdir():
            left.unlink()


def test_a_journal_of_a_newer_release_is_named_and_left(journal, tmp_path):
    """A segment of a newer format version stays untouched, and its name and version are told."""
    path, whole = journal
    newer = whole[:8] + (FORMAT_VERSION + 1).to_bytes(2, "little") + whole[10:]
    (tmp_path / path.name).write_bytes(newer)

    store, report = merged(tmp_path)

    assert store.get_run(RUN_ID) is None
    (told,) = report.damages
    path_of_it, newest = str(tmp_path / path.name), FORMAT_VERSION
    assert str(NewerJournalError(path=path_of_it, found=newest + 1, supported=newest)) in told
    assert (tmp_path / path.name).read_bytes() == newer


def test_a_journal_of_another_boot_is_merged_whole(journal, tmp_path):
    """A machine that went down leaves journals whose pids mean nothing any more: they are stored and deleted."""
    path, whole = journal
    me = current_owner()
    other_boot = dataclasses.replace(me, boot_id="0e9a3a6e-0000-4000-8000-000000000000:1")
    raw = make_final(whole, owner=other_boot, drainer_pid=me.pid, drainer_start_ticks=me.start_ticks)
    (tmp_path / path.name).write_bytes(raw)

    store, report = merged(tmp_path)

    assert store.get_run(RUN_ID).name == "mlp"
    assert list(store.points(RUN_ID, KEYS[0]).steps) == [0.0, 1.0, 2.0, 3.0, 9.5]
    assert report.damages == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("zeros", "is_hole"), [(7, False), (8, True), (20, True)])
def test_the_last_frame_of_a_killed_process_may_lack_its_end(zeros, is_hole):
    """A payload that ends in eight zeros was never wholly copied; fewer may be its own, and something is bent."""
    payload = bytes(range(1, 49))
    torn = payload[:-zeros] + bytes(zeros)
    raw = struct.pack("<II", len(payload), zlib.crc32(payload)) + torn + bytes(64)

    (damage,) = scan(raw, 0, is_final=True).damages

    assert damage.is_hole is is_hole


def test_a_frame_without_its_end_that_others_follow_is_damage():
    """Only the last frame may be torn: what was written behind it says that it had been written."""
    payload = bytes(range(1, 49))
    whole = struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
    torn = whole[:-8] + bytes(8)

    found = scan(torn + whole, 0, is_final=True)

    assert found.payloads == [payload]
    assert [damage.is_hole for damage in found.damages] == [False]


@pytest.mark.parametrize(
    ("time_ns", "said"),
    [(0, []), (2**63 - 1, []), (2**63, ["2 points of which one lies beyond the year 2262"])],
)
def test_points_at_times_that_no_store_holds_are_named(time_ns, said):
    """Times from 1970 to 2262 are points; one beyond costs its block and is said."""
    keyset = encode.encode_keyset(7, RUN_ID, KEYS)
    pack = encode.points_struct(2).pack
    rows = [pack(RecordType.POINTS, 7, step, at, 0.5, 0.25) for step, at in enumerate([5, time_ns])]
    batch = WriteBatch()

    decoder = SegmentDecoder()
    problems = decoder.feed([keyset, *rows], batch)

    assert problems == said
    assert [list(block.times_ns) for block in batch.points] == ([] if said else [[5, time_ns]])


def test_a_hole_is_waited_for_while_its_writer_lives_and_skipped_after(journal, tmp_path):
    """A frame that was reserved and not written holds up its segment only as long as somebody may write it."""
    path, whole = journal
    spans = list(frames(whole))
    hole = next((s, e) for s, e in spans if whole[s + 8] == RecordType.POINTS and s > spans[4][0])
    holed = whole[: hole[0]] + bytes(hole[1] - hole[0]) + whole[hole[1] :]
    (tmp_path / path.name).write_bytes(holed)
    store = open_store("memory://")
    merger = JournalMerger(store, tmp_path)

    live = merger.merge()
    waiting = len(store.points(RUN_ID, KEYS[0]))
    merger.is_own_journal_closed = True
    final = merger.merge()

    assert (live.is_complete, live.damages, waiting) == (False, [], 1)
    assert list(store.points(RUN_ID, KEYS[0]).steps) == [0.0, 2.0, 3.0, 9.5]
    assert final.is_complete
    assert len(final.damages) == 1
    assert "a frame that was never finished" in final.damages[0]
    assert list(tmp_path.iterdir()) == [], "a hole is no reason to keep the file"
