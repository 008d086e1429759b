"""The Grafana dashboards: what is committed is what is generated, and every SQL query answers what it is meant to."""

import json
import re
import subprocess
import sys
import warnings
from itertools import combinations
from pathlib import Path

import pytest

with warnings.catch_warnings():
    warnings.simplefilter(
        "ignore", DeprecationWarning
    )  # the models of a form that is only now being followed
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

FOLDER = Path(__file__).parents[3] / "collector-config" / "grafana"
FILES = {path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))}
BUILT_IN = {"__data", "__value", "__rate_interval", "__timeFilter", "__timeInterval", "__all"}


def all_panels(board):
    """Return a dashboard's panels that ask something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(kind):
    """Return (where, query) of every query of one kind of data source, variables and annotations too."""
    found = []
    for name, board in FILES.items():
        places = [(panel["title"], target) for panel in all_panels(board) for target in panel["targets"]]
        places += [(one["name"], one["target"]) for one in board.get("annotations", {}).get("list", [])]
        found += [
            (f"{name}: {title}", target) for title, target in places if target["datasource"]["type"] == kind
        ]
    return found


def variables(board):
    """Return a dashboard's variables by name."""
    return {one["name"]: one for one in board["templating"]["list"]}


each_board = pytest.mark.parametrize("board", FILES.values(), ids=FILES)


def test_dashboards_are_what_the_generator_writes():
    """The committed files are those that the generator would write now."""
    answer = subprocess.run(
        [sys.executable, str(FOLDER / "generate.py"), "--check"], capture_output=True, text=True, check=False
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")
    assert set(FILES) == {"run", "runs"}


@each_board
def test_a_dashboard_is_one_that_grafana_reads(board):
    """Read by Grafana's models and written again, a dashboard has the same keys: none is misspelt."""
    register_default_plugins()
    again = json.loads(json.dumps(Dashboard.from_json(board), cls=JSONEncoder))
    assert keys_of(again) == keys_of(board)


def keys_of(value, at=""):
    """Return the paths of all keys."""
    if isinstance(value, dict):
        return {f"{at}.{key}" for key in value} | {
            path for key, inner in value.items() for path in keys_of(inner, f"{at}.{key}")
        }
    if isinstance(value, list):
        return {path for inner in value for path in keys_of(inner, f"{at}[]")}
    return set()


@each_board
def test_panels_have_a_number_a_title_and_a_place_of_their_own(board):
    """No two panels share an id or a place of the grid, and each fits into its width."""
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place.get("x", 0) >= 0 and place.get("x", 0) + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        apart = [
            one.get(axis, 0) + one[size] <= other.get(axis, 0)
            or other.get(axis, 0) + other[size] <= one.get(axis, 0)
            for axis, size in (("x", "w"), ("y", "h"))
        ]
        assert any(apart), (one, other)


@each_board
def test_a_dashboard_names_no_certain_data_source(board):
    """Data sources are variables, so that a dashboard works in any Grafana; every variable that is used is there."""
    text = json.dumps(board)
    sources = set(re.findall(r'"uid": "([^"]*)"', text)) - {board["uid"]}
    assert sources == {"${clickhouse}", "${prometheus}", "${tempo}"}
    used = set(re.findall(r"\$\{?([a-z_]\w*)", text)) - BUILT_IN
    assert used <= set(variables(board))
    assert {"clickhouse", "prometheus", "tempo"} <= used


def test_links_between_dashboards_lead_somewhere():
    """A link to a dashboard names one of the two, with variables that it has."""
    by_uid = {board["uid"]: board for board in FILES.values()}
    for board in FILES.values():
        for uid, asked in re.findall(r"/d/([\w-]+)(\?[^\"]*)?", json.dumps(board)):
            assert set(re.findall(r"var-(\w+)", asked)) <= set(variables(by_uid[uid]))


def test_curves_are_not_cut_by_the_visible_time():
    """A run may have begun before the visible time: points and series are asked for by run alone."""
    for where, target in queries("grafana-clickhouse-datasource"):
        sql = target["rawSql"]
        if "from points" in sql or "from instrument_points" in sql:
            assert "$__timeFilter" not in sql, where
            assert "RunId = ${run:sqlstring}" in sql, where


def expand(sql, **chosen):
    """Return SQL as Grafana's ClickHouse data source sends it: macros and variables replaced."""
    sql = re.sub(
        r"\$__timeFilter\(([^)]+)\)", r"\1 >= toDateTime(1700000000) and \1 <= toDateTime(4000000000)", sql
    )
    sql = re.sub(r"\$__timeInterval\(([^)]+)\)", r"toStartOfInterval(toDateTime(\1), interval 1 second)", sql)
    for name, value in chosen.items():
        values = value if isinstance(value, list) else [value]
        quoted = ",".join("'" + one.replace("'", "''") + "'" for one in values)
        sql = sql.replace(f"${{{name}:sqlstring}}", quoted)
    assert "$" not in sql, sql
    return sql


class Asked:
    """What the panels answer for the run `steady`."""

    def __init__(self, engine):
        self._engine = engine
        self.run = engine.value("select RunId from runs where Name = 'steady'")
        self.together = engine.value("select RunId from runs where Name = 'together'")

    def __call__(self, where, **chosen):
        """Return the rows of one panel."""
        [sql] = [
            target["rawSql"] for place, target in queries("grafana-clickhouse-datasource") if place == where
        ]
        return self._engine.rows(expand(sql, **{"run": self.run, "experiment": "curves"} | chosen))

    def variable(self, board, name):
        """Return the values of a variable."""
        return self._engine.rows(expand(variables(FILES[board])[name]["query"], run=self.run))


@pytest.fixture
def asked(clickhouse):
    """Return what asks a panel's query."""
    return Asked(clickhouse)


def test_every_sql_query_runs(asked):
    """Each query of each panel, annotation and variable is one that ClickHouse answers, with rows."""
    for where, _ in queries("grafana-clickhouse-datasource"):
        assert asked(where, curve="loss"), where
    assert [row["Experiment"] for row in asked.variable("runs", "experiment")] == ["curves"]
    assert {row["__text"].split(",")[0] for row in asked.variable("run", "run")} == {
        "steady",
        "broken",
        "together",
    }
    assert [row["curve"] for row in asked.variable("run", "curve")] == [
        "accuracy / validation",
        "exact",
        "loss",
        "spike",
    ]


def test_the_table_of_runs_says_how_each_ended_and_what_it_reached(asked):
    """State, reason and the range of each metric, newest run first."""
    rows = {row["Run"]: row for row in asked("runs: Runs")}
    assert (rows["broken"]["State"], rows["broken"]["Reason"]) == ("failed", "no such column: label")
    assert "accuracy / validation 0.5 to 0.75" in rows["steady"]["Metrics"]
    assert rows["together"]["Metrics"] == "loss 0 to 14"
    assert {row["State"]: int(row["Runs"]) for row in asked("runs: Runs by state")} == {
        "failed": 1,
        "succeeded": 2,
    }
    assert len(asked("runs: Duration of runs")) == 3


def test_a_curve_has_its_band_and_hides_no_spike(asked):
    """Steps ascend; the band's top is the spike, its bottom the least value; NaN leaves a gap and no false number."""
    spike = asked("run: $curve", curve="spike")
    assert [row["step"] for row in spike] == sorted(float(step) for step in range(80))
    assert max(row["high"] for row in spike) == 100
    loss = asked("run: $curve", curve="loss")
    assert [(row["low"], row["mean"], row["high"]) for row in loss if row["step"] == 1] == [(0.5, 0.5, 0.5)]
    assert [(row["low"], row["mean"], row["high"]) for row in loss if row["step"] == 80] == [
        (None, None, None)
    ]
    validation = asked("run: $curve", curve="accuracy / validation")
    assert [(row["step"], row["mean"]) for row in validation] == [(40, 0.5), (80, 0.75)]
    both_ranks = asked("run: $curve", curve="loss", run=asked.together)
    assert [(row["low"], row["mean"], row["high"]) for row in both_ranks][:2] == [(0, 5, 10), (1, 6, 11)]


def test_a_long_curve_is_thinned_to_what_a_panel_can_show(empty_clickhouse):
    """A curve of 50,000 steps comes as about 400 buckets that keep its least and greatest value."""
    empty_clickhouse.ask(
        "insert into points (RunId, Metric, Step, Time, Value) "
        "select 'r', 'loss', number, now64(9), if(number = 31234, -7, number) from numbers(50000)"
    )
    [sql] = [
        target["rawSql"]
        for place, target in queries("grafana-clickhouse-datasource")
        if place == "run: $curve"
    ]
    rows = empty_clickhouse.rows(expand(sql, run="r", curve="loss"))
    assert 350 < len(rows) <= 401
    assert (min(row["low"] for row in rows), max(row["high"] for row in rows)) == (-7, 49999)


def test_step_times_are_those_of_the_spans(asked):
    """One value a step by its number, and the mean by rank, from the spans and from the histogram."""
    by_step = asked("run: Time of steps")
    assert [row["step"] for row in by_step] == list(range(80))
    assert all(0 < row["median"] <= row["slowest"] < 60 for row in by_step)
    [total] = asked("run: Steps by rank")
    assert int(total["Steps"]) == 80
    assert 0 < total["Mean"] <= total["Slowest"]


def test_a_slow_rank_is_seen(asked):
    """The heat map has a row a rank: the time of its steps, moment by moment."""
    rows = asked("run: Time of steps, by rank", run=asked.together)
    assert {row["rank"] for row in rows} == {"rank 0", "rank 1"}
    assert all(row["value"] > 0 for row in rows)


def test_steps_and_anomalies_lead_to_their_traces(asked):
    """The slowest steps come first, and each row names the trace that its link opens."""
    slowest = asked("run: Slowest steps")
    assert len(slowest) == 20
    assert [row["Took"] for row in slowest] == sorted((row["Took"] for row in slowest), reverse=True)
    assert {row["Trace"] for row in [*slowest, *asked("run: Anomalies")]} == {asked.run}
    linked = {
        panel["title"]
        for panel in all_panels(FILES["run"])
        for override in panel["fieldConfig"]["overrides"]
        for one in override["properties"]
        if one["id"] == "links" and "${tempo}" in json.dumps(one)
    }
    assert linked == {"Run", "Slowest steps", "Anomalies", "Logs", "Traces"}


def test_ranks_are_told_apart(asked):
    """Last and extreme values of each rank, with the steps at which they were reached."""
    rows = asked("run: Last and extreme values, by rank", run=asked.together)
    assert [(row["Rank"], row["Last"], row["Least"], row["GreatestAtStep"]) for row in rows] == [
        (0, 4, 0, 4),
        (1, 14, 10, 4),
    ]


def test_system_metrics_anomalies_logs_params_and_traces_are_shown(asked):
    """What the machine did, what went wrong, what was set, and every trace of the run."""
    assert {row["series"].split()[0] for row in asked("run: Load")} >= {"process.cpu.utilization"}
    assert all(row["value"] > 1e6 for row in asked("run: Memory") if row["series"] == "process.memory.usage ")
    assert [(row["Metric"], row["Kind"], row["Step"]) for row in asked("run: Anomalies")] == [
        ("loss", "nan", 80),
        ("exact", "positive_infinity", -3),
    ]
    assert {row["Param"]: row["Value"] for row in asked("run: Params")} == {
        "batch_size": "32",
        "optimizer.lr": "0.01",
        "optimizer.name": "adam",
    }
    assert [(row["Trace"], int(row["Spans"]), int(row["Errors"])) for row in asked("run: Traces")] == [
        (asked.run, 83, 0)
    ]
    assert any(row["body"].startswith("ml.anomaly") for row in asked("run: Logs"))
