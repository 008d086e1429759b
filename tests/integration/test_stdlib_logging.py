"""With the setting `logging`, records of the standard library's logging belong to the run, and the program stays as it is."""

import json
import logging
import logging.config
import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest
from click.testing import CliRunner
from opentelemetry import context, trace

import otel_experiments as ox
from otel_experiments.cli.root import root
from otel_experiments.errors import ConfigurationError
from otel_experiments.query import Reader
from otel_experiments.record.base.settings import Settings
from otel_experiments.store import open_store


@pytest.fixture
def log():
    """Return a logger of a library that takes everything."""
    made = logging.getLogger("library.part")
    made.setLevel(logging.DEBUG)
    yield made
    made.setLevel(logging.NOTSET)


def records(run):
    """Return the run's stored records of loggers, without the events of the run."""
    return [record for record in run.log_records if not record.event_name]


def bodies(run):
    """Return their texts."""
    return [record.body for record in records(run)]


def test_a_record_is_in_the_run_under_the_span_that_was_open(configure, read, log):
    """Message, level, logger, place, thread and what `extra` gave are kept, and the span where it was logged."""
    configure(logging="INFO")
    with ox.start_run("r") as run, run.stage("load"):
        span = trace.get_current_span().get_span_context()
        log.info("read %d rows", 3, extra={"rows": 3, "source": {"table": "a"}})

    (record,) = records(read("r"))
    assert (record.body, record.severity_number, record.severity_text) == ("read 3 rows", 9, "INFO")
    assert (record.run_id, record.trace_id, record.span_id) == (
        run.id, run.id, trace.format_span_id(span.span_id),
    )  # fmt: skip
    assert record.scope.name == "library.part"
    assert record.attributes["rows"] == 3
    assert record.attributes["source"] == {"table": "a"}
    assert record.attributes["code.file.path"] == __file__
    assert (
        record.attributes["code.function.name"] == "test_a_record_is_in_the_run_under_the_span_that_was_open"
    )
    assert record.attributes["thread.name"] == "MainThread"
    assert "exception.type" not in record.attributes


def test_an_exception_is_kept_with_its_type_text_and_traceback(configure, read, log):
    """What `logger.exception` says is in the attributes that OpenTelemetry has for it."""
    configure(logging="INFO")
    with ox.start_run("r"):
        try:
            {}["weights"]
        except KeyError:
            log.exception("cannot load")
        log.error("no exception here", exc_info=(None, None, None), stack_info=True)

    first, second = records(read("r"))
    assert first.attributes["exception.type"] == "KeyError"
    assert first.attributes["exception.message"] == "'weights'"
    assert '{}["weights"]' in first.attributes["exception.stacktrace"]
    assert not [key for key in second.attributes if key.startswith("exception.")]
    assert 'log.error("no exception here"' in second.attributes["code.stacktrace"]
    assert "code.stacktrace" not in first.attributes


@pytest.mark.parametrize(
    ("level", "kept"),
    [
        ("DEBUG", [5, 7, 9, 13, 17, 21, 24]),
        ("info", [9, 13, 17, 21, 24]),
        (logging.ERROR, [17, 21, 24]),
        (15, [7, 9, 13, 17, 21, 24]),
        ("off", []),
        (None, []),
    ],
)
def test_the_level_says_what_is_kept(configure, read, log, level, kept):
    """From that level on: by name or number; without the setting nothing is."""
    configure(logging=level)
    with ox.start_run("r"):
        for number in (10, 15, 20, 30, 40, 50, 60):
            log.log(number, "at %d", number)

    assert [record.severity_number for record in records(read("r"))] == kept


def test_the_variable_sets_the_level(monkeypatch):
    """OTEL_EXPERIMENTS_LOGGING is the setting for programs that are not changed."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_LOGGING", "warning")

    assert Settings.resolve().logging == logging.WARNING
    assert Settings.resolve(logging="off").logging is None
    assert Settings.resolve({}).logging is None


@pytest.mark.parametrize("given", ["LOUD", "", True, 1.5, -1])
def test_a_level_that_there_is_not_is_refused(given):
    """A level that logging does not know ends in an error that says what may be given."""
    with pytest.raises(ConfigurationError, match=r"logging=.* cannot be used: .*level|text"):
        Settings.resolve({}, logging=given)


def test_records_of_threads_and_outside_of_runs(configure, read, log):
    """A thread logs into the only run that is on; outside of runs, and in a pause, nothing is recorded."""
    configure(logging="INFO")
    log.info("before")
    with ox.start_run("r") as run:
        thread = threading.Thread(target=log.info, args=("in a thread",), name="loader-0")
        thread.start()
        thread.join()
        run.pause()
        log.info("paused")
        refused = dict(run.refused)
        run.resume()
    log.info("after")

    (record,) = records(read("r"))
    assert (record.body, record.attributes["thread.name"]) == ("in a thread", "loader-0")
    assert refused == {"log record": 1}


@pytest.mark.parametrize(
    "name", ["otel_experiments", "otel_experiments.x", "opentelemetry.sdk.trace", "grpc._channel"]
)
def test_what_recording_and_sending_say_is_no_record(configure, read, name):
    """Our own loggers and those of exporters would make a record of each record."""
    configure(logging="DEBUG")
    with ox.start_run("r") as run:
        logging.getLogger(name).warning("about a record")
        run.log({"loss": "no number"})
        suppressed = context.attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
        logging.getLogger("urllib3").warning("inside of an exporter")
        context.detach(suppressed)

    assert bodies(read("r")) == []


def test_arguments_that_do_not_fit_lose_nothing_else(configure, read, log, monkeypatch):
    """The template is kept; what the program's own handlers say of it is theirs."""
    monkeypatch.setattr(logging.root, "handlers", [])
    configure(logging="INFO")
    with ox.start_run("r"):
        log.info("%d rows", "three")
        log.info("next")

    assert bodies(read("r")) == ["%d rows", "next"]


def test_secrets_are_left_out(configure, read, log):
    """A password in a message, or in what `extra` gave, is redacted as in events."""
    configure(logging="INFO")
    with ox.start_run("r"):
        log.info("connect to postgres://me:hunter2@host/db", extra={"api_key": "sk-123"})

    (record,) = records(read("r"))
    assert "hunter2" not in record.body
    assert record.attributes["api_key"] == "<redacted>"


def test_a_signal_handler_may_log_while_a_record_is_written(configure, read, log):
    """No lock is held while a record is written: a handler that logs in the middle of it does not wait."""
    configure(logging="INFO")

    class Interrupting:
        def __str__(self):
            signal.raise_signal(signal.SIGUSR1)
            return "outer"

    before = signal.signal(signal.SIGUSR1, lambda *_: log.info("inner"))
    try:
        with ox.start_run("r"):
            log.info("%s", Interrupting())
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert sorted(set(bodies(read("r")))) == ["inner", "outer"]


def test_an_object_that_logs_when_it_is_described_is_described_once(configure, read, log):
    """What its `repr` logs is recorded, and starts no chain of records."""

    class Talkative:
        def __repr__(self):
            log.info("described", extra={"what": self, "rows": 3})
            return "talkative"

    configure(logging="INFO")
    with ox.start_run("r"):
        log.info("loaded", extra={"what": Talkative()})
        log.info("after", extra={"what": [1]})

    found = {record.body: record.attributes for record in records(read("r"))}
    assert sorted(bodies(read("r"))) == ["after", "described", "loaded"]
    assert (found["described"]["what"], found["described"]["rows"]) == ("Talkative", 3)
    assert found["loaded"]["what"] == "talkative"
    assert found["after"]["what"] == [1]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot fork here")
def test_a_forked_child_logs_into_the_run_while_a_thread_of_the_parent_does(
    configure, read, log, monkeypatch
):
    """Records of a child are in its parent's run, whatever another thread was doing at the fork."""
    monkeypatch.setattr(logging.root, "handlers", [])
    configure(logging="INFO")
    stop = threading.Event()

    def chatter():
        for _ in range(2_000):
            log.debug("chatter")
            log.info("parent")
            if stop.is_set():
                break

    with ox.start_run("r"):
        thread = threading.Thread(target=chatter)
        thread.start()
        for number in range(5):
            pid = os.fork()
            if not pid:
                try:
                    log.info("child %d", number)
                finally:
                    os._exit(0)
            assert os.waitpid(pid, 0)[1] == 0
        stop.set()
        thread.join()

    assert {body for body in bodies(read("r")) if body != "parent"} == {
        f"child {number}" for number in range(5)
    }


def test_an_application_that_sets_up_logging_inside_of_a_run_keeps_both(configure, read, log):
    """`dictConfig` and `basicConfig(force=True)` take away all handlers of the root logger; ours is none of them."""
    configure(logging="INFO")
    kept, level = list(logging.root.handlers), logging.root.level
    try:
        with ox.start_run("r"):
            logging.config.dictConfig(
                {"version": 1, "disable_existing_loggers": False, "root": {"handlers": []}}
            )
            log.info("after dictConfig")
            logging.basicConfig(force=True)
            log.info("after basicConfig")
    finally:
        logging.root.handlers[:], logging.root.level = kept, level

    assert bodies(read("r")) == ["after dictConfig", "after basicConfig"]


def test_nothing_is_left_behind(configure, log):
    """Without the setting, and after `shutdown`, logging is as it was; two recorders share one handler."""
    configure()
    with ox.start_run("r"):
        assert logging.root.parent is None
    configure(logging="INFO")
    with ox.start_run("r"):
        above = logging.root.parent
        assert above is not None
        with ox.Recorder(store="other.db", logging="DEBUG", system_metrics_s=0.0) as recorder:
            with recorder.start_run("other"):
                assert (logging.root.parent, above.parent) == (above, None)
            assert not logging.getLogger().handlers or not above.hasHandlers()
        assert logging.root.parent is above
    ox.shutdown()

    assert logging.root.parent is None


def run_program(text, tmp_path):
    """Run a program that has not set up logging; return what it printed on standard output and error."""
    script = tmp_path / "program.py"
    script.write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout, done.stderr


PROGRAM = """
import logging
import otel_experiments as ox
ox.configure(store="experiments.db", system_metrics_s=0.0, capture_git=False, logging={level!r})
log = logging.getLogger("app")
quiet = logging.getLogger("app.quiet")
quiet.propagate = False
with ox.start_run("r"):
    log.warning("to the last resort")
    log.info("to nobody")
    quiet.warning("quiet")
    print(logging.getLogger().hasHandlers(), log.hasHandlers(), log.getEffectiveLevel())
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    log.info("to the handler")
    with ox.current_run().stage("load"):
        log.error("failed", exc_info=ValueError("x"))
    logging.getLogger("app").addHandler(logging.StreamHandler())
    log.info("twice")
log.warning("after")
"""


def test_what_a_program_prints_is_the_same_with_and_without(tmp_path):
    """Warnings without a handler, `basicConfig` after us, `hasHandlers` and levels: all as without the setting."""
    (tmp_path / "without").mkdir()
    (tmp_path / "with").mkdir()

    without = run_program(PROGRAM.format(level=None), tmp_path / "without")
    recorded = run_program(PROGRAM.format(level="INFO"), tmp_path / "with")

    assert recorded == without
    assert without[1].startswith("to the last resort\nquiet\napp: to the handler\n")
    store = open_store(tmp_path / "with" / "experiments.db")
    assert bodies(Reader(store).run("r")) == ["to the last resort", "to the handler", "failed", "twice"]
    store.close()


def test_the_records_can_be_read_as_json(configure, log):
    """A record is plain data: what `extra` holds is what JSON holds."""
    configure(logging="INFO")
    with ox.start_run("r"):
        log.info("object", extra={"odd": object(), "number": float("inf")})

    (record,) = records(ox.run("r"))
    assert json.loads(json.dumps(record.attributes["odd"])).startswith("<object object")


def test_show_prints_what_was_logged(configure, log, store_path):
    """`show RUN --logs` has a line a record, and `--json` the records; without the flag neither is there."""
    configure(logging="INFO")
    with ox.start_run("r") as run:
        for number in range(45):
            log.info("line %d", number)
        run.emit("app.event", {"rows": 3})
        log.error("failed", exc_info=ValueError("no\x1b[31m file"))
    ox.shutdown()

    def show(*flags):
        result = CliRunner().invoke(root, ["show", "r", "--store", str(store_path), *flags])
        assert result.exit_code == 0, result.output
        return result.output

    lines = show("--logs").partition("log\n")[2].splitlines()
    assert "line 44" not in show()
    assert lines[0] == "(6 earlier ones: --all)"
    assert [line.split("  ", 1)[1].strip() for line in lines[-2:]] == [
        "INFO      library.part  line 44",
        "ERROR     library.part  failed (ValueError: no\\x1b[31m file)",
    ]
    assert len(show("--logs", "--all").partition("log\n")[2].splitlines()) == 46
    (*_, last) = json.loads(show("--logs", "--json"))["log_records"]
    assert (last["body"], last["severity"], last["logger"]) == ("failed", "ERROR", "library.part")
    assert last["attributes"]["exception.type"] == "ValueError"
    assert "log_records" not in json.loads(show("--json"))
