"""Write the dashboards: `python collector-config/grafana/generate.py`, or `--check` that what is committed is what it writes.

The two files are generated, never edited. Data sources are variables of a dashboard: no identifier of one Grafana is
in them. It needs `grafana-foundation-sdk` of the `dev` extra.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import queries
from grafana_foundation_sdk.builders import (
    barchart,
    dashboard,
    heatmap,
    logs,
    prometheus,
    table,
    tempo,
    timeseries,
    trend,
)
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import DataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    Dashboard,
    DashboardCursorSync,
    DashboardLinkType,
    DynamicConfigValue,
    GridPos,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType

HERE: Final = Path(__file__).parent
CLICKHOUSE: Final = DataSourceRef("grafana-clickhouse-datasource", "${clickhouse}")
PROMETHEUS: Final = DataSourceRef("prometheus", "${prometheus}")
TEMPO: Final = DataSourceRef("tempo", "${tempo}")
RUN_DASHBOARD: Final = "otel-experiments-run"
RUNS_DASHBOARD: Final = "otel-experiments-runs"
WIDTH: Final = 24
FORMATS: Final = {"timeseries": 0, "table": 1, "logs": 2}
"""What Grafana's ClickHouse data source calls the shapes of an answer."""


class ClickHouseQuery(Builder[Dataquery], Dataquery):
    """A query of Grafana's ClickHouse data source, which the SDK does not know."""

    def __init__(self, sql: str, shape: str = "table") -> None:
        self._sql = sql.strip()
        self._shape = shape

    def build(self) -> Self:
        """Return itself."""
        return self

    def to_json(self) -> dict[str, object]:
        """Return the query as the data source reads it."""
        return {
            "refId": "A",
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "queryType": self._shape,
            "format": FORMATS[self._shape],
            "rawSql": self._sql,
        }


def promql(expression: str, legend: str = "") -> prometheus.Dataquery:
    """Return a query of Prometheus or VictoriaMetrics."""
    return (
        prometheus.Dataquery()
        .ref_id("A")
        .datasource(PROMETHEUS)
        .expr(expression)
        .legend_format(legend)
        .format(PromQueryFormat.TIME_SERIES)
        .range()
    )


def traceql(expression: str) -> tempo.Dataquery:
    """Return a query of Tempo."""
    return (
        tempo.Dataquery()
        .ref_id("A")
        .datasource(TEMPO)
        .query_type("traceql")
        .query(expression)
        .limit(200)
        .table_type(SearchTableType.SPANS)
    )


class Grid:
    """Places panels from left to right and from top to bottom, and numbers them."""

    def __init__(self, board: dashboard.Dashboard) -> None:
        self._board = board
        self._id = 0
        self._x = 0
        self._y = 0
        self._row_height = 0

    def row(self, title: str) -> None:
        """Begin a row of the dashboard."""
        self._break_line()
        self._id += 1
        self._board.with_row(
            dashboard.Row(title).id(self._id).grid_pos(GridPos(h=1, w=WIDTH, x=0, y=self._y))
        )
        self._y += 1

    def add(self, panel: dashboard.Panel, *, width: int, height: int) -> None:
        """Place a panel; any builder of panels has the same methods."""
        if self._x + width > WIDTH:
            self._break_line()
        self._id += 1
        place = GridPos(h=height, w=width, x=self._x, y=self._y)
        self._board.with_panel(panel.id(self._id).grid_pos(place))
        self._x += width
        self._row_height = max(self._row_height, height)

    def _break_line(self) -> None:
        self._y += self._row_height
        self._x = self._row_height = 0


def link(title: str, url: str) -> dashboard.DashboardLink:
    """Return a link on a value."""
    return dashboard.DashboardLink(title).type(DashboardLinkType.LINK).url(url)


def trace_url(trace_id: str) -> str:
    """Return the address of a trace in Grafana's Explore."""
    query = {"refId": "A", "queryType": "traceql", "query": trace_id}
    panes = {"trace": {"datasource": "${tempo}", "queries": [query]}}
    return f"/explore?schemaVersion=1&panes={json.dumps(panes, separators=(',', ':'))}"


def column_links(*links: dashboard.DashboardLink) -> list[DynamicConfigValue]:
    """Return what puts links on a column's values."""
    return [DynamicConfigValue("links", [one.build() for one in links])]


def unit(name: str) -> list[DynamicConfigValue]:
    """Return what gives a column a unit."""
    return [DynamicConfigValue("unit", name)]


def source_variable(name: str, kind: str, label: str) -> dashboard.DatasourceVariable:
    """Return the variable that chooses a data source."""
    return dashboard.DatasourceVariable(name).label(label).type(kind)


def query_variable(name: str, label: str, sql: str) -> dashboard.QueryVariable:
    """Return a variable whose values ClickHouse knows."""
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(CLICKHOUSE)
        .query(sql.strip())
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


def board(title: str, uid: str, description: str) -> dashboard.Dashboard:
    """Return a dashboard with the three data sources as variables."""
    return (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["otel-experiments"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .timezone("browser")
        .time("now-7d", "now")
        .with_variable(source_variable("clickhouse", "grafana-clickhouse-datasource", "ClickHouse"))
        .with_variable(source_variable("prometheus", "prometheus", "Prometheus or VictoriaMetrics"))
        .with_variable(source_variable("tempo", "tempo", "Tempo"))
    )


def sql_table(title: str, sql: str) -> table.Panel:
    """Return a table of what SQL answers."""
    return table.Panel().title(title).datasource(CLICKHOUSE).with_target(ClickHouseQuery(sql))


def sql_lines(title: str, sql: str, unit_name: str) -> timeseries.Panel:
    """Return lines over time of what SQL answers."""
    query = ClickHouseQuery(sql, "timeseries")
    return timeseries.Panel().title(title).datasource(CLICKHOUSE).unit(unit_name).with_target(query)


def sql_curve(title: str, sql: str) -> trend.Panel:
    """Return lines over the step of what SQL answers."""
    return trend.Panel().title(title).datasource(CLICKHOUSE).x_field("step").with_target(ClickHouseQuery(sql))


def trace_table(title: str, expression: str) -> table.Panel:
    """Return a table of the spans that Tempo finds."""
    return table.Panel().title(title).datasource(TEMPO).with_target(traceql(expression))


def live_lines(title: str, expression: str, legend: str) -> timeseries.Panel:
    """Return lines over time of what Prometheus or VictoriaMetrics answers."""
    return timeseries.Panel().title(title).datasource(PROMETHEUS).with_target(promql(expression, legend))


def runs_board() -> Dashboard:
    """Return the dashboard of all runs."""
    made = board("Runs", RUNS_DASHBOARD, "All runs: how they ended, how long they took, what they reached.")
    made.with_variable(
        query_variable("experiment", "Experiment", queries.EXPERIMENTS)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
    grid = Grid(made)
    opened = link("Open the run", f"/d/{RUN_DASHBOARD}?var-run=${{__data.fields.RunId}}")
    traced = link("Open its trace", trace_url("${__data.fields.RunId}"))
    grid.add(
        barchart.Panel()
        .title("Runs by state")
        .datasource(CLICKHOUSE)
        .x_field("State")
        .with_target(ClickHouseQuery(queries.RUNS_BY_STATE)),
        width=8,
        height=8,
    )
    grid.add(sql_lines("Duration of runs", queries.RUN_DURATIONS, "s"), width=16, height=8)
    grid.add(
        sql_table("Runs", queries.RUNS)
        .override_by_name("Run", column_links(opened, traced))
        .override_by_name("Duration", unit("s")),
        width=24,
        height=14,
    )
    grid.row("Live, from Prometheus or VictoriaMetrics")
    grid.add(live_lines("Runs that log now", queries.LIVE_RUNS, "runs"), width=24, height=7)
    grid.row("Traces, from Tempo")
    grid.add(trace_table("Root spans of runs", queries.RUN_SPANS), width=24, height=9)
    return made.build()


def run_board() -> Dashboard:
    """Return the dashboard of one run."""
    made = board(
        "One run", RUN_DASHBOARD, "A run's curves by step, step time, system, anomalies, logs and traces."
    )
    made.with_variable(query_variable("run", "Run", queries.RUN_CHOICES))
    made.with_variable(
        query_variable("curve", "Curve", queries.CURVES)
        .multi(True)
        .include_all(True)
        .current(VariableOption(selected=True, text="All", value="$__all"))
    )
    made.annotation(
        dashboard.AnnotationQuery()
        .name("Anomaly marks")
        .datasource(CLICKHOUSE)
        .enable(True)
        .icon_color("red")
        .target(ClickHouseQuery(queries.ANOMALY_MARKS))
    )
    made.link(
        dashboard.DashboardLink("All runs")
        .type(DashboardLinkType.LINK)
        .url(f"/d/{RUNS_DASHBOARD}")
        .keep_time(True)
    )
    grid = Grid(made)
    _facts(grid)
    grid.row("Curves by step")
    grid.add(
        sql_curve("$curve", queries.CURVE_BAND)
        .description(
            "Least, mean and greatest value of each bucket of steps, of all ranks: no spike is hidden."
        )
        .override_by_name("high", [DynamicConfigValue("custom.fillBelowTo", "low")])
        .repeat("curve")
        .repeat_direction("h")
        .max_per_row(3),
        width=8,
        height=9,
    )
    _time_and_system(grid)
    _events_and_traces(grid)
    return made.build()


def _facts(grid: Grid) -> None:
    traced = link("Open the trace", trace_url("${__data.fields.RunId}"))
    grid.add(
        sql_table("Run", queries.ONE_RUN)
        .override_by_name("Run", column_links(traced))
        .override_by_name("Duration", unit("s")),
        width=16,
        height=5,
    )
    grid.add(sql_table("Params", queries.PARAMS), width=8, height=5)
    grid.add(sql_table("Last and extreme values, by rank", queries.BY_RANK), width=24, height=8)


def _time_and_system(grid: Grid) -> None:
    grid.row("Step time and system")
    grid.add(sql_curve("Time of steps", queries.STEP_TIME).unit("s"), width=16, height=8)
    grid.add(
        sql_table("Steps by rank", queries.STEP_TIME_TOTAL)
        .override_by_name("Mean", unit("s"))
        .override_by_name("Slowest", unit("s")),
        width=8,
        height=8,
    )
    grid.add(
        heatmap.Panel()
        .title("Time of steps, by rank")
        .description(
            "A rank that is slower than the others, or slow for a while, is a row or a spot of another colour."
        )
        .datasource(CLICKHOUSE)
        .calculate(False)
        .cell_gap(1)
        .with_target(ClickHouseQuery(queries.STEP_TIME_BY_RANK, "timeseries")),
        width=12,
        height=8,
    )
    opened = link("Open in Tempo", trace_url("${__data.fields.Trace}"))
    grid.add(
        sql_table("Slowest steps", queries.SLOWEST_STEPS)
        .override_by_name("Took", unit("s"))
        .override_by_name("Trace", column_links(opened)),
        width=12,
        height=8,
    )
    grid.add(sql_lines("Load", queries.LOAD, "percentunit"), width=12, height=8)
    grid.add(sql_lines("Memory", queries.MEMORY, "bytes"), width=12, height=8)
    grid.row("Live, from Prometheus or VictoriaMetrics")
    grid.add(live_lines("Metrics over time", queries.LIVE_CURVES, queries.LIVE_LEGEND), width=16, height=8)
    grid.add(
        live_lines("Step time, 95th percentile", queries.LIVE_STEP_TIME, "95 %").unit("s"), width=8, height=8
    )


def _events_and_traces(grid: Grid) -> None:
    grid.row("Anomalies, logs and traces")
    opened = link("Open in Tempo", trace_url("${__data.fields.Trace}"))
    grid.add(
        sql_table("Anomalies", queries.ANOMALIES).override_by_name("Trace", column_links(opened)),
        width=8,
        height=9,
    )
    grid.add(
        logs.Panel()
        .title("Logs")
        .datasource(CLICKHOUSE)
        .with_target(ClickHouseQuery(queries.LOGS, "logs"))
        .override_by_name("traceID", column_links(link("Open in Tempo", trace_url("${__value.raw}")))),
        width=16,
        height=9,
    )
    grid.add(
        sql_table("Traces", queries.TRACES).override_by_name("Trace", column_links(opened)),
        width=24,
        height=7,
    )
    grid.add(trace_table("Failed spans, from Tempo", queries.FAILED_SPANS), width=12, height=8)
    grid.add(trace_table("Chunks of a long run, from Tempo", queries.CHUNKS), width=12, height=8)


BOARDS: Final[dict[str, Callable[[], Dashboard]]] = {"runs.json": runs_board, "run.json": run_board}


def text_of(make: Callable[[], Dashboard]) -> str:
    """Return a dashboard as its file has it."""
    return json.dumps(make(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def main() -> int:
    """Write both files, or say which is not what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a file differs")
    check = parser.parse_args().check
    stale = []
    for name, make in BOARDS.items():
        path = HERE / "dashboards" / name
        text = text_of(make)
        if check:
            stale += [] if path.is_file() and path.read_text(encoding="utf-8") == text else [name]
        else:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    for name in stale:
        print(f"{name} is not what the generator writes: python collector-config/grafana/generate.py")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
