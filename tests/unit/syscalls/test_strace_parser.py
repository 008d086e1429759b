"""What strace writes is read as it was meant: whole calls, halves, signals, exits, and nothing guessed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.syscalls import SyscallRecord, parse_strace

SECOND = 10**9
NAMES = st.sampled_from(["read", "write", "openat", "futex", "epoll_wait", "clone3", "pread64", "exit_group"])
ARGUMENTS = st.sampled_from(
    [
        "",
        '3, ""..., 4096',
        'AT_FDCWD, "/a) = 3 <0.1>", O_RDONLY',
        "{sa_flags=0}, NULL, 8",
        '7, [{iov_base="", iov_len=2}], 1',
    ]
)
RETURNS = st.one_of(
    st.tuples(
        st.integers(0, 2**40), st.just(""), st.sampled_from(["", " (Timeout)", " ([{fd=3, revents=POLLIN}])"])
    ),
    st.tuples(
        st.just(-1), st.sampled_from(["ENOENT", "EAGAIN", "EINTR"]), st.just(" (Some words, with (brackets))")
    ),
    st.tuples(
        st.none(), st.sampled_from(["ERESTARTSYS", "ERESTART_RESTARTBLOCK"]), st.just(" (To be restarted)")
    ),
    st.tuples(st.none(), st.just(""), st.just("")),
)


def clock(time_ns):
    """Return a time as strace prints it with -ttt."""
    return f"{time_ns // SECOND}.{time_ns % SECOND // 1000:06d}"


def ending(record, words):
    """Return what stands behind the arguments of a call."""
    shown = "?" if record.result is None else str(record.result)
    took = "" if record.result is None and not record.errno else f" <{clock(record.duration_ns)}>"
    return f") = {shown}{' ' + record.errno if record.errno else ''}{words}{took}"


@st.composite
def recordings(draw):
    """Draw (lines, the calls they stand for, signals, exits): several threads, each call whole or in two halves."""
    lines, calls, signals, exits = [], [], [], {}
    time_ns = 1_700_000_000 * SECOND
    open_calls = {}
    for tid in draw(st.lists(st.sampled_from([100, 101, 102]), max_size=30)):
        time_ns += draw(st.integers(1, 5000)) * 1000
        if tid in open_calls:
            record, words, arguments = open_calls.pop(tid)
            if not draw(st.booleans()):
                lines.append(
                    f"{tid} {clock(time_ns)} <... {record.name} resumed>{arguments}{ending(record, words)}"
                )
                calls.append(record)
                continue
            lines.append(f"{tid} {clock(time_ns)} +++ killed by SIGKILL +++")
            calls.append(replace(record, duration_ns=0, result=None, errno="", is_interrupted=True))
            continue
        if draw(st.integers(0, 9)) == 0:
            lines.append(f"{tid} {clock(time_ns)} --- SIGCHLD {{si_signo=SIGCHLD, si_code=CLD_EXITED}} ---")
            signals.append((tid, "SIGCHLD"))
            continue
        result, errno, words = draw(RETURNS)
        took_ns = 0 if result is None and not errno else draw(st.integers(0, 10**6)) * 1000
        record = SyscallRecord(tid, draw(NAMES), time_ns, took_ns, result, errno)
        arguments = draw(ARGUMENTS)
        if draw(st.booleans()):
            lines.append(f"{tid} {clock(time_ns)} {record.name}({arguments}{ending(record, words)}")
            calls.append(record)
        else:
            head, _, tail = arguments.partition(", ")
            lines.append(
                f"{tid} {clock(time_ns)} {record.name}({head}{', ' if tail else ''} <unfinished ...>"
            )
            open_calls[tid] = record, words, tail
    for tid, (record, _, _) in open_calls.items():
        calls.append(replace(record, duration_ns=0, result=None, errno="", is_interrupted=True))
        if draw(st.booleans()):
            time_ns += 1000
            lines.append(f"{tid} {clock(time_ns)} +++ exited with 3 +++")
            exits[tid] = 3
    return lines, sorted(calls, key=lambda call: call.start_ns), signals, exits


@given(recordings())
def test_what_was_written_is_what_is_read(recording):
    """Any mixture of threads, halves, signals and exits comes back as the calls that were made."""
    lines, calls, signals, exits = recording

    found = parse_strace(f"{line}\n" for line in lines)

    assert (found.calls, found.signals, found.exit_codes, found.unreadable_count) == (
        calls,
        signals,
        exits,
        0,
    )


@given(st.lists(st.text(max_size=80), max_size=20))
def test_other_text_is_counted_and_never_raises(lines):
    """Lines that strace did not write make no calls; each is counted."""
    found = parse_strace(line.replace("\n", " ").replace("\r", " ") for line in lines)

    assert found.unreadable_count + len(found.calls) + len(found.signals) <= len(lines)


def test_real_lines_are_understood():
    """Lines as strace 6.1 has written them, a thread's end inside a call among them."""
    lines = [
        "27946 1795257902.795465 munmap(0x7fedab882000, 16384) = 0 <0.000068>",
        "27946 1795257902.795500 mmap(NULL, 8192, PROT_READ, MAP_PRIVATE, -1, 0) = 0x7fedab880000 <0.000008>",
        "27947 1795257902.795550 futex(0x7f11, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, FUTEX_BITSET_MATCH_ANY <unfinished ...>",
        "27946 1795257902.795641 exit_group(0)   = ?",
        "27947 1795257902.795700 <... futex resumed>) = ?",
        "27947 1795257902.795701 +++ exited with 0 +++",
        "27946 1795257902.796648 +++ exited with 0 +++",
    ]

    found = parse_strace(lines)

    base = 1_795_257_902 * SECOND
    assert found.calls == [
        SyscallRecord(27946, "munmap", base + 795_465_000, 68_000, 0),
        SyscallRecord(27946, "mmap", base + 795_500_000, 8_000, 0x7FEDAB880000),
        SyscallRecord(27947, "futex", base + 795_550_000),
        SyscallRecord(27946, "exit_group", base + 795_641_000),
    ]
    assert found.exit_codes == {27946: 0, 27947: 0}


def test_a_restarted_call_is_no_error():
    """An interruption that the kernel restarts by itself is no error of the program; ENOENT is."""
    restarted, missing = parse_strace(
        [
            "7 1.000001 read(3, 0x7f, 10) = ? ERESTARTSYS (To be restarted if SA_RESTART is set) <0.5>",
            '7 2.000001 openat(AT_FDCWD, "/x", O_RDONLY) = -1 ENOENT (No such file or directory) <0.000009>',
        ]
    ).calls

    assert (restarted.is_error, missing.is_error) == (False, True)
