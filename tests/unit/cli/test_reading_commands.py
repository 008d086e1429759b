"""runs, show, metrics, spans, sql and semconv: what they print, for people and for programs."""

import dataclasses
import json
import re

import pytest

from otel_experiments.cli.terminal.columns import choose
from otel_experiments.model.batch import MetricDefinition, ParamSet, TagSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.query import Reader
from otel_experiments.store import open_store


def test_runs_are_a_table_of_80_columns_with_what_tells_them_apart(terminal):
    """State, name, id, age and time, then the params and metrics that differ; the foot counts."""
    lines = terminal.text("runs", "--experiment", "digits").splitlines()

    assert lines[0].split() == ["state", "name", "id", "age", "time", "optim.lr", "val/acc", "best", "loss"]
    assert lines[2].split()[:4] == ["✓", "succeeded", "mlp-a", "0a0a0a0a"]
    assert [line.split()[1] for line in lines[2:7]] == ["succeeded", "succeeded", "failed", "lost", "running"]
    assert lines[-1] == "5 of 5 runs"
    assert all(len(line) <= 80 for line in lines)


def test_metrics_on_unseen_data_are_shown_first(tmp_path):
    """Of the metrics that are said to be better low or high, those of validation, tests and evaluations come first."""
    names = ["aa", "ab", "eval_x", "test_x", "val_x", "zz"]
    run_id = "ab" * 16
    with open_store(tmp_path / "experiments.db") as store:
        points = PointBlock(
            run_id, tuple(map(SeriesKey, names)), [0.0], [1], tuple([float(i)] for i in range(6))
        )
        told = [MetricDefinition(run_id, name, "min") for name in names if name != "val_x"]
        store.apply(
            WriteBatch(
                runs=[Run(run_id, "e", "r", RunState.SUCCEEDED, 1)], points=[points], metric_definitions=told
            )
        )
        columns = choose(Reader(store).runs(), room=1000)

    assert [column.name for column in columns] == ["eval_x", "test_x", "aa", "ab", "zz", "val_x"]


def test_runs_take_columns_order_limit_and_a_search(terminal):
    """The chosen columns are shown, in the asked order, and the foot tells how many there are in all."""
    lines = terminal.run(
        "runs", "--where", "exists(params.optim.lr)", "--order", "-params.optim.lr", "--limit", "2",
        "--columns", 'params["optim.lr"], metrics["loss", "validation"].min',
    ).stdout.splitlines()  # fmt: skip

    assert lines[0].endswith("optim.lr  loss [validation] min")
    assert [line.split()[2] for line in lines[2:4]] == ["sgd-c", "lost-d"]
    assert lines[2].split()[-2:] == ["10", "0.4333"]
    assert lines[-1] == "2 of 5 runs; --all lists every one"


def test_runs_as_json_have_the_documented_shape(terminal, jobs):
    """The total and the runs, with nested params, tags and all summaries; NaN by its name."""
    found = terminal.json("runs", "--where", 'name == "mlp-b"')

    assert found["total"] == 1
    (run,) = found["runs"]
    assert list(run) == [
        "run_id", "experiment", "name", "key", "state", "reason", "error_type", "created_unix_nano", "started_unix_nano",
        "ended_unix_nano", "duration_s", "group", "condition", "hypothesis", "description", "parent_run_id", "attempt", "note",
        "pinned_unix_nano", "archived_unix_nano", "removed_unix_nano", "params", "tags", "lost_count", "metrics", "trace_url",
    ]  # fmt: skip
    assert run["run_id"] == jobs.ids["mlp-b"]
    assert run["params"]["optim"] == {"lr": 0.01, "name": "sgd"}
    assert run["metrics"][0] == {
        "name": "loss", "phase": None, "rank": 0, "count": 10, "nan_count": 1, "first_step": 0, "last": 0.1, "last_step": 9,
        "min": 0.1, "min_step": 9, "max": 1.0, "max_step": 0, "mean": pytest.approx(0.3032, rel=1e-3),
        "direction": None, "best": None, "best_step": None, "has_derived_steps": False,
    }  # fmt: skip


def test_a_hostile_name_cannot_steer_the_terminal(terminal):
    """Escape sequences and line breaks in a name are shown, not obeyed."""
    out = terminal.text("runs", "--experiment", "mnist", COLUMNS="200")

    assert "\x1b" not in out
    assert "naïve 'q' \"d\" <b>\\n\\x1b[31m😀" in out


def test_an_error_that_quotes_names_cannot_steer_the_terminal(empty_terminal, jobs):
    """The names of the runs that there are come cleaned, too."""
    with open_store(empty_terminal.store) as store:
        store.apply(WriteBatch(runs=[dataclasses.replace(jobs.batch.runs[0], name="\x1b[31mred\u202e")]))

    error = empty_terminal.run("show", "nope").stderr

    assert "\\x1b[31mred\\u202e" in error
    assert error.isprintable() or error.count("\n") == len([c for c in error if not c.isprintable()])


@pytest.mark.parametrize(
    "command",
    [
        ["runs", "--json"], ["show", "r", "--json"], ["show", "r"], ["export", "runs"],
        ["export", "runs", "--format", "jsonl"], ["spans", "--json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_text_that_is_no_utf8_stops_no_command(empty_terminal, jobs, command):
    """A param that is a file name of another encoding (half surrogates in Python) is shown as well as can be."""
    run = dataclasses.replace(jobs.batch.runs[0], name="r")
    with open_store(empty_terminal.store) as store:
        param = ParamSet(run.run_id, "file", "caf\udce9.csv", 1)
        span = dataclasses.replace(jobs.batch.spans[0], attributes={"file": "caf\udce9.csv"})
        store.apply(WriteBatch(runs=[run], params=[param], spans=[span]))

    assert "caf" in empty_terminal.text(*command)


def test_a_search_without_a_match_says_so(terminal):
    """Nothing found is not an error; the text says how many runs there are."""
    out = terminal.text("runs", "--where", "params.optim.lr > 1000")

    assert out.startswith("No run matches params.optim.lr > 1000 (6 runs in ")
    assert terminal.json("runs", "--where", "params.optim.lr > 1000") == {
        "total": 0,
        "runs": [],
        "cursor": None,
    }


def test_an_empty_store_shows_the_three_lines_to_type(tmp_path, empty_terminal):
    """A store without runs is met with the lines that make one."""
    open_store(empty_terminal.store).close()

    out = empty_terminal.text("runs")

    assert out.startswith("No runs in ")
    assert 'with ox.start_run("first"' in out
    assert 'run.log({"loss": 0.5})' in out


def test_show_prints_config_summary_environment_and_spans(terminal):
    """One page: header, nested config, summaries with their course, where it ran, the folded spans."""
    out = terminal.text("show", "mlp-a")
    lines = out.splitlines()

    assert lines[0] == "mlp-a  ✓ succeeded"
    assert "tags baseline, team=vision" in lines
    assert [line for line in lines if re.match("── [a-z]", line)] == [
        "── config", "── summary", "── environment", "── spans",
    ]  # fmt: skip
    assert lines[lines.index("optim") + 1 : lines.index("optim") + 3] == ["  lr    0.1", "  name  sgd"]
    assert any(line.split()[:2] == ["loss", "[validation]"] and "▁" in line for line in lines)
    assert "git      0123456789ab main" in lines
    assert "python   cpython 3.11.7" in lines
    assert lines[-3].split() == ["run", "30", "s"]
    assert lines[-2].split() == ["└─", "epoch", "x10", "p50", "500", "ms", "p95", "500", "ms"]
    assert lines[-1].split() == ["└─", "step", "x50", "p50", "3", "ms", "p95", "5", "ms"]
    assert all(len(line) <= 80 for line in lines)


def test_a_metric_with_the_name_of_a_param_is_told_from_it(tmp_path, empty_terminal):
    """A schedule's `lr` is not the config's: what has none shows a dash under the metric, not under the param."""
    made = [Run(run_id=c * 32, experiment="e", name=c, state=RunState.SUCCEEDED, created_ns=1) for c in "ab"]
    points = PointBlock(made[0].run_id, (SeriesKey("lr"),), [0.0], [1], ([0.5],))
    params = [ParamSet(run.run_id, "lr", 0.1 * (i + 1), 1) for i, run in enumerate(made)]
    with open_store(empty_terminal.store) as store:
        store.apply(WriteBatch(runs=made, params=params, points=[points]))

    assert empty_terminal.text("runs").splitlines()[0].split()[-2:] == ["lr", "metrics.lr"]


def test_show_cuts_tags_that_would_fill_the_screen(tmp_path, empty_terminal):
    """A megabyte of a tag is told by its first 1,000 characters; `--json` has it all."""
    long = Run(run_id="a" * 32, experiment="e", name="long", state=RunState.SUCCEEDED, created_ns=1)
    with open_store(empty_terminal.store) as store:
        store.apply(WriteBatch(runs=[long], tags=[TagSet(long.run_id, "note", "x" * 10**6, 1)]))

    text = empty_terminal.text("show", "long")
    assert len(text) < 3000
    assert "… (--json shows all)" in text
    assert len(empty_terminal.json("show", "long")["tags"]["note"]) == 10**6


def lossy_store(path):
    """Make a store with a run that lost something and one that did not."""

    def lost(run_id, number, kind, name, count):
        attributes = {"ml.loss.kind": kind, "ml.loss.reason": "not_encodable", "ml.loss.count": count}
        return LogRecord(
            number, number, event_name="ml.telemetry.loss", run_id=run_id,
            attributes=attributes | ({"ml.loss.name": name} if name else {}),
        )  # fmt: skip

    one, other = "1" * 32, "2" * 32
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[
                    Run(one, "e", "lossy", RunState.SUCCEEDED, 2),
                    Run(other, "e", "whole", RunState.SUCCEEDED, 1),
                ],
                log_records=[
                    lost(one, 1, "metric value", "grads\x1b[31m", 1),
                    lost(one, 2, "metric value", "grads\x1b[31m", 1233),
                    lost(one, 3, "after the end", "", 7),
                ],
            )
        )


def test_what_a_run_lost_is_shown_with_it(empty_terminal):
    """Nobody has to have read the log of the training: `show`, `runs` and `doctor` say what is missing."""
    lossy_store(empty_terminal.store)

    shown = empty_terminal.text("show", "lossy")
    table = empty_terminal.text("runs").splitlines()
    found = empty_terminal.text("doctor")

    assert "not recorded as given\n1,234  metric value   grads\\x1b[31m\n    7  after the end\n" in shown
    assert table[0].split()[-1] == "losses"
    assert [line.split()[-1] for line in table[2:4]] == ["1,241", "-"]
    assert "1 run did not keep everything as it was given: metric value 1,234, after the end 7." in " ".join(
        found.split()
    )
    assert empty_terminal.json("show", "lossy")["losses"] == [
        {"kind": "metric value", "name": "grads\x1b[31m", "count": 1234},
        {"kind": "after the end", "name": None, "count": 7},
    ]
    assert [run["lost_count"] for run in empty_terminal.json("runs")["runs"]] == [1241, 0]


@pytest.mark.parametrize("width", range(60, 120, 7))
def test_the_column_of_losses_has_its_place_at_any_width(empty_terminal, width):
    """Other columns make room for it: no line is wider than the terminal, and no count is cut."""
    lossy_store(empty_terminal.store)
    with open_store(empty_terminal.store) as store:
        params = [ParamSet(run * 32, f"size{n}", n * 11_111 + int(run), 3) for n in range(20) for run in "12"]
        store.apply(WriteBatch(params=params))

    table = empty_terminal.text("runs", COLUMNS=str(width)).splitlines()

    assert "losses" in table[0]
    assert "1,241" in table[2]
    assert max(map(len, table)) <= width


def test_runs_that_lost_nothing_say_nothing_of_it(terminal):
    """A heading or a column that is always empty takes room from what is there."""
    assert "not recorded" not in terminal.text("show", "mlp-a")
    assert "losses" not in terminal.text("runs")
    assert "losses" not in terminal.text("doctor")


def test_show_of_a_failed_run_has_its_error_and_traceback(terminal):
    """The reason and the last lines of the traceback stand below the header."""
    lines = terminal.text("show", "sgd-c").splitlines()

    assert "ValueError: loss is nan" in lines
    assert '    File "train.py", line 7, in fit' in lines
    assert any(line.startswith("run ") and line.endswith("failed") for line in lines)


def test_show_of_a_lost_run_marks_its_open_spans(terminal):
    """Open spans of a run whose process is gone are lost; those of a living one run."""
    lost = terminal.text("show", "lost-d").splitlines()
    live = terminal.text("show", "live-e").splitlines()

    assert lost[0] == "lost-d  ? lost"
    assert sum(line.endswith("lost") for line in lost[1:]) == 2
    assert sum("running " in line for line in live if line.startswith(("run ", "└─ epoch"))) == 2


def test_show_as_json_adds_resource_error_and_span_tree(terminal):
    """The run's shape, and beside it the resource, the traceback and the folded tree as a flat list."""
    found = terminal.json("show", "sgd-c")

    assert found["error"].endswith("ValueError: loss is nan\n")
    assert found["resource"]["host.name"] == "box"
    assert [(line["depth"], line["name"], line["count"]) for line in found["span_tree"]][:3] == [
        (0, "run", 1), (1, "epoch", 1), (2, "step", 5),
    ]  # fmt: skip
    assert found["span_tree"][0]["error_count"] == 1


def test_metrics_are_a_table_and_one_is_a_chart(terminal):
    """All series with their extremes; with a name, the curve."""
    table = terminal.text("metrics", "mlp-b").splitlines()
    chart = terminal.text("metrics", "mlp-b", "loss").splitlines()

    assert [line.split()[0] for line in table[2:]] == ["loss", "loss", "val/acc"]
    assert "10 1 NaN" in table[2]
    assert chart[0].startswith("loss  run 0b0b0b0b")
    assert "1 NaN" in chart[1]
    assert any("⠀" <= character <= "⣿" for character in chart[5])
    assert all(len(line) <= 80 for line in table + chart)


def test_metrics_as_json_hold_every_point_or_a_thinned_band(terminal):
    """One metric as JSON has its points, NaN by its name; with buckets, the band instead."""
    points = terminal.json("metrics", "mlp-b", "loss")["points"]
    band = terminal.json("metrics", "mlp-b", "loss", "--buckets", "2")["band"]
    validation = terminal.json("metrics", "mlp-b", "loss", "--phase", "validation")

    assert points["steps"] == list(range(10))
    assert points["values"][3:6] == [0.25, "NaN", 1 / 6]
    assert len(points["times_unix_nano"]) == 10
    assert sum(band["counts"]) == 10
    assert validation["phase"] == "validation"
    assert [one["name"] for one in terminal.json("metrics", "mlp-b", "val/*")["metrics"]] == ["val/acc"]


def test_spans_are_filtered_and_listed(terminal):
    """By name, attribute, duration and status, in one run or in all."""
    assert len(terminal.json("spans", "mlp-a", "--name", "epoch")) == 10
    assert len(terminal.json("spans", "mlp-a", "--attribute", "ml.epoch.index=3")) == 1
    assert len(terminal.json("spans", "mlp-a", "--name", "st*", "--min-duration", "0.004")) == 20
    assert len(terminal.json("spans", "mlp-a", "--max-duration", "0.001")) == 10
    assert [span["name"] for span in terminal.json("spans", "--errors")] == ["run"]
    assert terminal.text("spans", "mlp-a", "--name", "nothing") == "No such spans.\n"

    lines = terminal.text("spans", "mlp-a", "--name", "epoch", "--limit", "20").splitlines()
    assert lines[0].split() == ["start", "time", "status", "name", "attributes"]
    assert lines[3].split()[:5] == ["+1", "s", "500", "ms", "ended"]
    assert all(len(line) <= 80 for line in lines)


def test_the_status_of_a_span_is_what_it_says(terminal, tmp_path):
    """An ended span whose status is not set has ended; `ok` and `failed` are those that say so."""
    terminal = type(terminal)(tmp_path / "status.db")
    with open_store(terminal.store) as store:
        store.apply(
            WriteBatch(
                runs=[Run("a" * 32, "digits", "one", RunState.RUNNING, 1)],
                spans=[
                    Span("b" * 32, f"{code + 1:016x}", code.name, 1, 2, status=code, run_id="a" * 32)
                    for code in StatusCode
                ],
            )
        )
    lines = terminal.text("spans", "one").splitlines()[2:]

    assert {tuple(line.split()[-2:]) for line in lines} == {
        ("ended", "UNSET"), ("ok", "OK"), ("failed", "ERROR"),
    }  # fmt: skip


def test_a_cut_list_of_spans_says_how_to_go_on(terminal):
    """When the limit was reached, stderr says so and stdout stays clean."""
    result = terminal.run("spans", "mlp-a", "--limit", "3")

    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2 + 3
    page = json.loads(terminal.run("spans", "mlp-a", "--limit", "3", "--json").stdout)
    cursor = re.fullmatch(r"More follow: --cursor (\S+)\n", result.stderr)[1]
    rest = json.loads(terminal.run("spans", "mlp-a", "--limit", "99", "--cursor", cursor, "--json").stdout)
    assert [*page, *rest] == terminal.json("spans", "mlp-a")


def test_runs_and_traces_are_turned_page_by_page(terminal):
    """`--cursor` takes what the page before gave, in JSON and on stderr; another search refuses it."""
    order = ("--order", "-metrics.loss.min")
    first = terminal.json("runs", *order, "--limit", "4")
    rest = terminal.json("runs", *order, "--limit", "4", "--cursor", first["cursor"])
    assert (rest["cursor"], rest["total"]) == (None, first["total"])
    whole = terminal.json("runs", *order, "--all")
    assert [run["run_id"] for run in first["runs"] + rest["runs"]] == [run["run_id"] for run in whole["runs"]]
    assert first["cursor"] in terminal.run("runs", *order, "--limit", "4").stderr
    assert terminal.run("runs", *order).stderr == ""

    result = terminal.run("runs", "--cursor", first["cursor"])
    assert (result.exit_code, "of another search, order, or kind" in result.stderr) == (5, True)
    result = terminal.run("runs", "--group-by", "group", "--cursor", first["cursor"])
    assert (result.exit_code, "no cursor" in result.stderr) == (2, True)
    cursor = terminal.run("traces", "--limit", "1").stderr.split()[-1]
    one = terminal.run("traces", "--limit", "1", "--json")
    more = terminal.run("traces", "--limit", "99", "--cursor", cursor, "--json")
    assert [*json.loads(one.stdout), *json.loads(more.stdout)] == terminal.json("traces")


def test_spans_as_a_tree_are_folded(terminal):
    """`--tree` folds repeated siblings and takes all spans, whatever the limit."""
    lines = terminal.text("spans", "mlp-a", "--tree", "--limit", "1").splitlines()

    assert [line.split()[:3] for line in lines] == [
        ["run", "30", "s"],
        ["└─", "epoch", "x10"],
        ["└─", "step", "x50"],
    ]
    assert [one["count"] for one in terminal.json("spans", "mlp-a", "--tree")] == [1, 10, 50]


def test_sql_answers_as_table_csv_and_json(terminal):
    """One read-only statement, from the argument or from stdin, in three forms."""
    statement = "select name, null as missing, 0.1 as number from runs where experiment = 'digits' order by name limit 2"

    table = terminal.text("sql", statement).splitlines()
    from_stdin = terminal.run("sql", "-", "--csv", typed=statement)

    assert table[0].split() == ["name", "missing", "number"]
    assert table[2].split() == ["live-e", "NULL", "0.1"]
    assert table[-1] == "2 rows"
    assert from_stdin.stdout == "name,missing,number\nlive-e,,0.1\nlost-d,,0.1\n"
    assert terminal.json("sql", statement) == {
        "columns": ["name", "missing", "number"], "rows": [["live-e", None, 0.1], ["lost-d", None, 0.1]],
    }  # fmt: skip


def test_semconv_lists_and_explains_the_vocabulary(terminal):
    """All names, those that match a glob, or one whole definition; an unknown name is met with the nearest."""
    listed = terminal.text("semconv", "ml.run.*").splitlines()
    one = terminal.text("semconv", "ml.run.id")
    unknown = terminal.run("semconv", "ml.run.idd")

    assert any(line.split()[:3] == ["attribute", "ml.run.id", "string"] for line in listed)
    assert all(len(line) <= 80 for line in listed)
    assert one.startswith("ml.run.id  (attribute)")
    assert {one["definition"] for one in terminal.json("semconv")} == {
        "attribute",
        "span",
        "metric",
        "event",
        "entity",
    }
    assert unknown.exit_code == 4
    assert "Did you mean 'ml.run.id'?" in unknown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["show", "nope"], 4, "No run 'nope'"),
        (["show", "0z"], 4, "No run '0z'"),
        (["metrics", "mlp-a", "los"], 4, "Did you mean 'loss'?"),
        (["runs", "--experiment", "digit"], 4, "Did you mean 'digits'?"),
        (["runs", "--where", "stat == 1"], 5, "Did you mean state?"),
        (["runs", "--order", "loss"], 5, "metrics.loss"),
        (["runs", "--columns", "1"], 5, "a field is expected"),
        (["sql", "delete from runs"], 5, "refused"),
        (["sql", "selec"], 5, "cannot be run"),
        (["sql", "select 1; select 2"], 5, "one statement at a time.\n"),
        (["export"], 2, "Choose from:\n\truns,\n\tpoints,\n\tspans"),
        (["runs", "--sort", "-metrics.val/acc.max"], 5, 'quoted: metrics["val/acc"].max\n'),
        (["runs", "--limit", "-1"], 2, "--limit"),
        (["spans", "--attribute", "=value"], 2, "KEY=VALUE"),
        (["export", "spans", "--format", "proto"], 2, "jsonl"),
        (["export", "runs", "mlp-a", "--where", "exists(params.x)"], 2, "RUN names runs"),
        (["nonsense"], 2, "No such command"),
        (["show"], 2, "Missing argument"),
        (["runs", "--store", "/"], 3, "it is a directory"),
        (["runs", "--store", "http://x"], 3, "no kind of store"),
    ],
)  # fmt: skip
def test_every_mistake_has_its_exit_code_and_a_text_without_a_traceback(terminal, arguments, code, text):
    """Exit codes are the documented ones; what went wrong is on stderr, stdout stays empty."""
    result = terminal.run(*arguments)

    assert result.exit_code == code
    assert text in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_an_ambiguous_name_exits_with_4(tmp_path, jobs, empty_terminal):
    """A prefix that several runs share is not guessed."""
    with open_store(empty_terminal.store) as store:
        store.apply(jobs.batch)

    result = empty_terminal.run("show", "0")

    assert result.exit_code == 4
    assert "Write an id, or more of its digits: " in result.stderr


@pytest.mark.parametrize(
    "command",
    [["runs"], ["show", "x"], ["metrics", "x"], ["spans"], ["sql", "select 1"], ["export", "runs"]],
    ids=lambda one: one[0],
)
def test_a_missing_store_exits_with_3_and_says_how_to_begin(empty_terminal, command):
    """Without a store every reading command says what to type first, and makes no file."""
    result = empty_terminal.run(*command)

    assert result.exit_code == 3
    assert "No store at" in result.stderr
    assert "otel-experiments demo" in result.stderr
    assert 'with ox.start_run("first"' in result.stderr
    assert not empty_terminal.store.exists()


def test_a_file_that_is_no_store_is_left_alone(tmp_path, terminal):
    """Text files and other databases are refused with exit code 3 and stay as they are."""
    path = tmp_path / "notes.txt"
    path.write_text("do not touch")

    result = terminal.run("runs", "--store", str(path))

    assert result.exit_code == 3
    assert "is not an otel-experiments store" in result.stderr
    assert path.read_text() == "do not touch"


def test_the_store_may_be_named_before_or_after_the_command(jobs_path, empty_terminal):
    """`--store` works on both levels and wins over the environment."""
    before = empty_terminal.text("--store", str(jobs_path), "runs")
    after = empty_terminal.text("runs", "--store", str(jobs_path))

    ages = r"\b\d+(?: s|m)\b"  # which go on meanwhile
    assert re.sub(ages, "N", before) == re.sub(ages, "N", after)
    assert "6 of 6 runs" in before


def test_a_setting_that_cannot_be_used_exits_with_2(terminal):
    """A broken environment variable is named."""
    result = terminal.run("runs", OTEL_EXPERIMENTS_DRAIN="often")

    assert result.exit_code == 2
    assert "OTEL_EXPERIMENTS_DRAIN" in result.stderr


def test_a_setting_of_no_store_is_explained(terminal):
    """With store "none" there is nothing to read."""
    result = terminal.run("runs", OTEL_EXPERIMENTS_STORE="none")

    assert result.exit_code == 3
    assert "nothing is kept locally" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["runs", "--limit", "99999999999999999999"], 9),
        (["runs", "--offset", "99999999999999999999"], 1),
        (["spans", "--min-duration", "1e30"], 1),
        (["spans", "--max-duration", "inf", "--limit", "99999999999999999999", "--name", "run"], 6),
    ],
    ids=str,
)
def test_numbers_beyond_sqlite_mean_what_they_say(terminal, arguments, lines):
    """A limit or a duration of more than 64 bits is only very large."""
    result = terminal.run(*arguments)

    assert (result.exit_code, result.exception) == (0, None)
    assert len(result.stdout.splitlines()) == lines


def test_a_duration_that_is_no_number_is_refused(terminal):
    """NaN is neither longer nor shorter than anything."""
    result = terminal.run("spans", "--min-duration", "nan")

    assert (result.exit_code, result.stdout) == (5, "")
    assert "NaN" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["metrics", "mlp-a"], ["metrics", "mlp-a", "loss"], ["spans"], ["spans", "mlp-a", "--tree"],
        ["show", "sgd-c"], ["show", "lost-d"], ["runs", "--all"], ["semconv"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_is_printed_fits_80_columns(terminal, arguments):
    """Tables, sparklines, charts and the span tree are readable in the smallest usual terminal."""
    result = terminal.run(*arguments)

    assert result.exit_code == 0
    assert [line for line in result.stdout.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("columns", ["0", "1", "19", "20", "no number", "\N{SUPERSCRIPT TWO}"])
@pytest.mark.parametrize("command", ["runs", "doctor"])
def test_a_width_that_no_table_can_have_hides_nothing(terminal, command, columns):
    """COLUMNS=0, as programs set it that have no terminal, and other odd widths leave the output readable."""
    result = terminal.run(command, COLUMNS=columns)

    assert (result.exit_code, result.stderr) == (0, "")
    assert max(map(len, result.stdout.splitlines())) >= 15
    assert {"runs": "6 of 6 runs", "doctor": "0 problems"}[command] in result.stdout


WITH_COURSE = 55


@pytest.mark.parametrize("columns", [50, 55, 60, 61, 64, 66, 70, 80, 100, 140])
def test_the_table_of_metrics_is_as_wide_as_the_terminal_at_most(terminal, columns):
    """The course is drawn where there is room for it; nothing else is cut but long names."""
    out = terminal.text("metrics", "mlp-a", COLUMNS=str(columns))

    assert max(map(len, out.splitlines())) <= columns
    assert ("course" in out) == (columns >= WITH_COURSE)


def test_the_heading_of_short_names_is_whole(tmp_path, empty_terminal, jobs):
    """Names of one letter leave room for the heading above them."""
    batch = WriteBatch(runs=[dataclasses.replace(run, name="a") for run in jobs.batch.runs])
    with open_store(empty_terminal.store) as store:
        store.apply(batch)

    assert empty_terminal.text("runs").splitlines()[0].split()[:3] == ["state", "name", "id"]


def test_spans_are_searched_by_an_expression(terminal):
    """`--where` takes a search expression over spans and `--order` sort keys; a mistake exits with 5."""
    assert (
        len(
            terminal.json(
                "spans", "mlp-a", "--where", 'name == "epoch" and attributes["ml.epoch.index"] >= 8'
            )
        )
        == 2
    )
    ordered = json.loads(
        terminal.run(
            *(
                "spans",
                "mlp-a",
                "--name",
                "epoch",
                "--order",
                "-attributes.ml.epoch.index",
                "-n",
                "2",
                "--json",
            )
        ).stdout
    )
    assert [span["attributes"]["ml.epoch.index"] for span in ordered] == [9, 8]
    result = terminal.run("spans", "--where", "metrics.loss > 1")
    assert (result.exit_code, "There is no field 'metrics'" in result.output) == (5, True)


def test_traces_are_listed(terminal):
    """One line a trace with id, start, time, spans, errors, root and run; as JSON all of it."""
    traces = terminal.json("traces", "--order", "-spans")
    assert {
        "trace_id",
        "name",
        "run_id",
        "start_unix_nano",
        "end_unix_nano",
        "duration_s",
        "spans",
        "errors",
    } == set(traces[0])
    assert traces[0]["spans"] >= traces[-1]["spans"] >= 1
    lines = terminal.text("traces").splitlines()
    assert lines[0].split() == ["trace", "started", "time", "spans", "errors", "root", "run"]
    assert all(len(line) <= 80 for line in lines)
    assert terminal.text("traces", "--where", "spans > 1000000") == "No such traces.\n"
    result = terminal.run("traces", "--limit", "1")
    assert "More follow: --cursor " in result.stderr
