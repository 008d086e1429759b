"""What a program prints while a run is on is in the run, and the program's streams stay what they are."""

import contextlib
import io
import logging
import signal
import sys
import threading

import pytest

import otel_experiments as ox
from otel_experiments.query.plain_changes import printed
from otel_experiments.semconv.events import ML_RUN_OUTPUT


@pytest.fixture
def recorder(store_path):
    """Records what goes through the streams of Python."""
    with ox.Recorder(store=store_path, system_metrics_s=0, otlp=False, capture_output="python") as found:
        yield found


def output_of(recorder, run):
    """Return the stored output of a run."""
    recorder._parts.pipeline.store_now(timeout_s=60)
    return ox.run(run.id, store=recorder.settings.store).output


def test_printed_lines_are_in_the_run(recorder, capsys):
    """`print`, `sys.stderr.write` and a logger's handler are copied, in their order, with stream and time."""
    with recorder.start_run("a") as run:
        print("epoch", 3)
        print("warning", file=sys.stderr)
        logging.StreamHandler(sys.stderr).handle(logging.makeLogRecord({"msg": "logged"}))
        sys.stdout.writelines(["two\n", "lines\n"])

    found = output_of(recorder, run)

    assert str(found) == "epoch 3\nwarning\nlogged\ntwo\nlines\n"
    assert found.stdout == "epoch 3\ntwo\nlines\n"
    assert found.stderr == "warning\nlogged\n"
    assert [line.stream for line in found.lines()] == ["stdout", "stderr", "stderr", "stdout", "stdout"]
    assert [line.text for line in found.lines("stderr")] == ["warning", "logged"]
    assert found.tail(2) == "two\nlines\n"
    assert len(found) == 5
    assert found.left_out_count == 0


def test_what_is_printed_arrives_as_without_us(recorder, capsys):
    """The program's stream gets every character that was printed."""
    with recorder.start_run("a"):
        print("epoch", 3, end="")
        print("\r\x1b[31mü\x1b[0m")

    assert capsys.readouterr().out == "epoch 3\r\x1b[31mü\x1b[0m\n"


def test_the_streams_stay_the_programs(recorder, capsys):
    """While a run is on, the stream is the same object with the same attributes; after it, its own `write` is back."""
    before = sys.stdout
    described = (before.isatty(), before.encoding, before.buffer, before.errors)
    with recorder.start_run("a"):
        assert sys.stdout is before
        assert isinstance(sys.stdout, io.TextIOWrapper)
        assert (before.isatty(), before.encoding, before.buffer, before.errors) == described
        before.reconfigure(line_buffering=True)
        assert print("x") is None
        assert before.write("four") == 4

    assert sys.stdout is before
    assert "write" not in vars(before)


def test_a_line_without_break_is_kept_at_the_end(recorder, capsys):
    """What no line break ended when the run ends is its last line."""
    with recorder.start_run("a") as run:
        print("unfinished", end="")
    print(" outside")

    assert str(output_of(recorder, run)) == "unfinished\n"


def test_nothing_is_copied_outside_of_runs(recorder, capsys):
    """What is printed before and after a run is not in it."""
    print("before")
    with recorder.start_run("a") as run:
        print("inside")
    print("after")

    assert str(output_of(recorder, run)) == "inside\n"


def test_off_copies_nothing(store_path, capsys):
    """With `capture_output="off"` the streams are not touched."""
    with ox.Recorder(store=store_path, system_metrics_s=0, capture_output="off") as recorder:
        with recorder.start_run("a") as run:
            assert "write" not in vars(sys.stdout)
            print("x")
        found = output_of(recorder, run)

    assert not found
    assert str(found) == ""


def test_a_redirected_stream_is_the_programs(recorder, capsys):
    """What `redirect_stdout` catches was never printed: the program has it and the run has not."""
    caught = io.StringIO()
    with recorder.start_run("a") as run:
        with contextlib.redirect_stdout(caught):
            print("caught")
        print("printed")

    assert caught.getvalue() == "caught\n"
    assert str(output_of(recorder, run)) == "printed\n"


def test_a_stream_that_writes_into_another_is_copied_once(recorder, capsys):
    """A program that puts a stream of its own in the place of `sys.stdout`, which writes on, has each line once."""

    class Tee:
        def __init__(self, below):
            self.below = below

        def write(self, text):
            return self.below.write(text)

        def flush(self):
            self.below.flush()

    below = sys.stdout
    with recorder.start_run("a") as run, contextlib.redirect_stdout(Tee(below)):
        print("one")
        with recorder.start_run("b") as inner:  # which looks at the streams again
            print("two")
            logging.StreamHandler(below).handle(logging.makeLogRecord({"msg": "three"}))

    assert str(output_of(recorder, run)) == "one\n"
    assert str(output_of(recorder, inner)) == "two\nthree\n"


def test_a_write_that_is_wrapped_by_another_library_copies_once(recorder, capsys):
    """Another tracker that replaces `write` and calls ours keeps working, also in the next run, and each line is there once."""
    stream, seen = sys.stdout, []
    with recorder.start_run("a") as run:
        ours = stream.write
        stream.write = lambda text: (seen.append(text), ours(text))[1]
        print("one")
    with recorder.start_run("b") as after:
        print("two")
    del stream.write

    assert str(output_of(recorder, run)) == "one\n"
    assert str(output_of(recorder, after)) == "two\n"
    assert "".join(seen) == "one\ntwo\n"


def test_threads_do_not_mix_their_lines(recorder, capsys):
    """A line that a thread prints in parts is whole, whatever other threads print between."""
    first, second = threading.Event(), threading.Event()

    def other():
        first.wait(60)
        print("whole line")
        second.set()

    with recorder.start_run("a") as run:
        thread = threading.Thread(target=other)
        thread.start()
        print("part one", end=" ")
        first.set()
        second.wait(60)
        print("part two")
        thread.join()

    assert str(output_of(recorder, run)) == "whole line\npart one part two\n"


def test_lines_belong_to_the_current_run(recorder, capsys):
    """In a run inside another one, lines are the inner run's; before and after they are the outer one's."""
    with recorder.start_run("outer") as outer:
        print("one")
        with recorder.start_run("inner") as inner:
            print("two")
        print("three")

    assert str(output_of(recorder, outer)) == "one\nthree\n"
    assert str(output_of(recorder, inner)) == "two\n"


def test_a_paused_run_takes_no_lines(recorder, capsys):
    """What is printed in a pause is not recorded."""
    with recorder.start_run("a") as run:
        print("before")
        run.pause()
        print("in the pause")
        run.resume()
        print("after")

    assert str(output_of(recorder, run)) == "before\nafter\n"


def test_an_error_of_the_stream_is_the_programs(recorder, capsys, monkeypatch):
    """A stream that refuses what is printed raises what it raises without us, and nothing is recorded of it."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with recorder.start_run("a") as run:
        sys.stdout.close()
        with pytest.raises(ValueError, match="closed file"):
            print("lost")
        print("still here", file=sys.stderr)

    assert str(output_of(recorder, run)) == "still here\n"


def test_a_stream_that_is_not_utf8_raises_as_ever(recorder, monkeypatch):
    """What the stream's encoding cannot say raises the same error, and is not in the run."""
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    with recorder.start_run("a") as run:
        with pytest.raises(UnicodeEncodeError):
            print("ü")
        print("u")

    assert str(output_of(recorder, run)).strip() == "u"


@pytest.mark.parametrize("stream", [None, object(), 3])
def test_whatever_stands_in_the_place_of_a_stream_ends_no_run(recorder, monkeypatch, stream):
    """Where `sys.stdout` is nothing that can be written to, the run is recorded without it."""
    monkeypatch.setattr(sys, "stdout", stream)
    monkeypatch.setattr(sys, "stderr", None)
    with recorder.start_run("a") as run:
        run.log({"loss": 1.0})

    assert not output_of(recorder, run)


def test_text_that_is_no_utf8_is_kept_as_far_as_it_goes(recorder, monkeypatch):
    """Half of a surrogate pair, as file names may have, is replaced; the rest of the line is kept."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    with recorder.start_run("a") as run:
        print("name \udcff end")

    assert str(output_of(recorder, run)) == "name ? end\n"


def test_an_exception_of_a_signal_handler_passes(recorder, capsys):
    """What a signal handler raises while a line is copied leaves `print` as the same object."""

    class StopError(Exception):
        pass

    stop = StopError()

    def handler(_number, _frame):
        raise stop

    class Line(str):
        __slots__ = ()

        def rpartition(self, separator):
            signal.raise_signal(signal.SIGUSR1)
            return str(self).rpartition(separator)

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with recorder.start_run("a"):
            with pytest.raises(StopError) as caught:
                sys.stdout.write(Line("a\n"))
            print("goes on")
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert caught.value is stop


def test_a_signal_handler_may_print(recorder, capsys):
    """A handler that prints in the middle of the program's own line is copied too."""
    before = signal.signal(signal.SIGUSR1, lambda *_: print("from the handler"))
    try:
        with recorder.start_run("a") as run:
            sys.stdout.write("begun ")
            signal.raise_signal(signal.SIGUSR1)
            print("ended")
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert str(output_of(recorder, run)) == "begun from the handler\nended\n"


def test_secrets_are_left_out(recorder, capsys):
    """Tokens and keys that a program prints are not recorded; its terminal has them."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nAAAA\n-----END RSA PRIVATE KEY-----"
    with recorder.start_run("a") as run:
        print("token sk-abcdefghijklmnopqrstuvwxyz123456")
        print("password=hunter2hunter2")
        for line in key.splitlines():
            print(line)
        print("epoch 1 loss=0.5")

    found = str(output_of(recorder, run))

    assert (
        found
        == "token <redacted>\npassword=<redacted>\n<redacted>\n... 3 lines are left out ...\nepoch 1 loss=0.5\n"
    )
    assert key in capsys.readouterr().out


KEY_LINE = "MIIEowIBAAKCAQEAx" + "aB3/" * 11 + "xyz"


@pytest.mark.parametrize(
    "mention",
    [
        "expected '-----BEGIN RSA PRIVATE KEY-----' in cert.pem, going on without TLS",
        "no -----BEGIN PRIVATE KEY----- in cert.pem",
        "cert.pem does not begin with -----BEGIN PRIVATE KEY-----",
        "one text: -----BEGIN PRIVATE KEY-----\nepoch 0 loss 0.1",
    ],
)
def test_a_line_that_mentions_a_key_leaves_out_no_other(recorder, capsys, mention):
    """A message about how a key file begins costs none of the lines that follow."""
    with recorder.start_run("a") as run:
        print(mention)
        for number in range(450):
            print("epoch", number, "loss 0.1")
            print(number)

    found = output_of(recorder, run)

    assert found.left_out_count == 0
    assert found.tail(900) == "".join(f"epoch {n} loss 0.1\n{n}\n" for n in range(450))
    assert "PRIVATE KEY" not in str(found)


@pytest.mark.parametrize("before", ["", "INFO my.module: ", "\x1b[32mINFO\x1b[0m "])
@pytest.mark.parametrize("is_at_once", [True, False])
def test_a_printed_key_is_left_out_and_counted(recorder, capsys, before, is_at_once):
    """Whatever a logger writes before each line, and also where other lines come between."""
    lines = [
        "-----BEGIN RSA PRIVATE KEY-----",
        KEY_LINE,
        "epoch 1",
        KEY_LINE,
        "aB3cD4eF5gH6iJ7kL8==",
        "-----END RSA PRIVATE KEY-----",
    ]
    with recorder.start_run("a") as run:
        printed = [f"{before}{line}" for line in lines]
        for text in ["\n".join(printed)] if is_at_once else printed:
            print(text)
        print("epoch 2")

    found = output_of(recorder, run)

    assert [line.text for line in found.lines()] == [f"{before}<redacted>", f"{before}epoch 1", "epoch 2"]
    assert found.left_out_count == 4


def test_secrets_in_colours_are_left_out(recorder, capsys):
    """What rich, loguru and coloured loggers print is looked through as any line is, and keeps its colours."""
    with recorder.start_run("a") as run:
        print("\x1b[31mpassword=s3cr3tpw\x1b[0m")
        print("\x1b[1mAWS_SECRET_ACCESS_KEY\x1b[0m=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY done")
        print("\x1b[32m12:00\x1b[0m AKIA\x1b[0mIOSFODNN7EXAMPLE")
        print("\x1b[32mloss\x1b[0m=0.5")

    assert str(output_of(recorder, run)) == (
        "\x1b[31mpassword=<redacted>\x1b[0m\n"
        "\x1b[1mAWS_SECRET_ACCESS_KEY\x1b[0m=<redacted> done\n"
        "\x1b[32m12:00\x1b[0m <redacted>\n"
        "\x1b[32mloss\x1b[0m=0.5\n"
    )


def test_secrets_stay_where_redaction_is_off(store_path, capsys):
    """With `redact_secrets=False` lines are recorded as they are."""
    with ox.Recorder(
        store=store_path, system_metrics_s=0, capture_output="python", redact_secrets=False
    ) as recorder:
        with recorder.start_run("a") as run:
            print("password=hunter2hunter2")
        found = output_of(recorder, run)

    assert str(found) == "password=hunter2hunter2\n"


def test_very_much_at_once_keeps_its_beginning_and_its_end(recorder, capsys):
    """Of 3 MB that are printed in one call, half a megabyte of each end is kept, and the gap is counted."""
    with recorder.start_run("a") as run:
        print("\n".join(f"line {n:06}" for n in range(250_000)))
        print("after")

    found = output_of(recorder, run)

    assert found.lines()[0].text == "line 000000"
    assert found.tail(2) == "line 249999\nafter\n"
    assert found.left_out_count == 250_001 - len(found)
    assert f"... {found.left_out_count:,} lines are left out ..." in found.text


def test_lines_are_events_that_are_no_log_of_the_program(recorder, capsys):
    """The lines are in few events of the vocabulary, whose attributes say stream, process and numbers."""
    with recorder.start_run("a") as run:
        for number in range(10):
            print(number)
    recorder._parts.pipeline.store_now(timeout_s=60)

    (event,) = ox.run(run.id, store=recorder.settings.store).events(ML_RUN_OUTPUT.name)

    assert event.body == "\n".join(map(str, range(10)))
    assert event.attributes["log.iostream"] == "stdout"
    assert event.attributes["ml.output.line.first"] == 1
    assert len(event.attributes["ml.output.line.offsets"]) == 10
    assert event.trace_id == run.id


def test_lines_printed_since_a_cursor_follow_nothing_that_is_missing(recorder, capsys):
    """Who follows a run is not told that the lines of an earlier page were left out."""
    with recorder.start_run("a") as run:
        print("one\ntwo")
        run.flush()
        with ox.open(recorder.settings.store) as reader:
            cursor = reader.changes(run.id).cursor
            print("three\nfour")
            run.flush()
            found = reader.changes(run.id, since=cursor)

    assert [(line.text, line.left_out_count) for line in printed(found)] == [("three", 0), ("four", 0)]
