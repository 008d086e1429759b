"""The dashboards' queries for Prometheus, VictoriaMetrics and Tempo: the first two by real servers, the last by its grammar."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from real_programs import fetch, until

FOLDER = Path(__file__).parents[3] / "collector-config" / "grafana" / "dashboards"
GRAMMAR = "@grafana/lezer-traceql@1.0.0"
CHECK = """
import { parser } from "@grafana/lezer-traceql";
for (const query of JSON.parse(process.argv[2])) {
    const wrong = [];
    parser.parse(query).iterate({ enter: (node) => { if (node.type.isError) wrong.push(node.from); } });
    console.log(JSON.stringify(wrong));
}
"""


def targets(kind):
    """Return the queries of one kind of data source by the title of their panel."""
    boards = [json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))]
    return {
        panel["title"]: target
        for board in boards
        for panel in board["panels"]
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    }


def ask(server, expression, run):
    """Return the series that a server answers over the last hour, as Grafana asks it."""
    expression = expression.replace("$run", run).replace("$__rate_interval", "30m")
    now_s = time.time()
    text = fetch(
        f"{server.url}/api/v1/query_range",
        query=expression,
        start=f"{now_s - 3600:.3f}",
        end=f"{now_s:.3f}",
        step="1",
    )
    assert text is not None, f"refused: {expression}"
    return json.loads(text)["data"]["result"]


@pytest.mark.parametrize(
    ("server_name", "config", "variable", "door"),
    [
        ("victoriametrics", "victoriametrics.yaml", "VICTORIAMETRICS_ENDPOINT", "otlp_endpoint"),
        ("prometheus", "prometheus-otlp.yaml", "PROMETHEUS_OTLP_ENDPOINT", "otlp_endpoint"),
        (
            "prometheus",
            "prometheus-remote-write.yaml",
            "PROMETHEUS_REMOTE_WRITE_ENDPOINT",
            "remote_write_endpoint",
        ),
    ],
    ids=["victoriametrics", "prometheus-otlp", "prometheus-remote-write"],
)
def test_live_panels_show_what_a_run_logs(
    server_name, config, variable, door, request, captured, send, make_collector
):
    """Whatever spelling of names a server keeps: curves of the run, its step time, and how many runs log."""
    server = request.getfixturevalue(server_name)
    collector = make_collector(config, **{variable: getattr(server, door)})
    send(collector.endpoint)
    run = run_of(captured, "steady")
    queries = {title: target["expr"] for title, target in targets("prometheus").items()}

    def curves():
        found = ask(server, queries["Metrics over time"], run)
        return {one["metric"].get("ml.metric.name") or one["metric"]["ml_metric_name"]: one for one in found}

    until(
        lambda: {"loss", "spike", "accuracy", "exact"} <= set(curves()),
        what="every metric of the run is shown",
    )
    assert {float(value) for _, value in curves()["accuracy"]["values"]} <= {0.5, 0.75}
    until(lambda: ask(server, queries["Step time, 95th percentile"], run), what="step time is shown")
    [step_time] = ask(server, queries["Step time, 95th percentile"], run)
    assert any(0 < float(value) < 5 for _, value in step_time["values"])
    until(lambda: ask(server, queries["Runs that log now"], run), what="runs are counted")
    [at_work] = ask(server, queries["Runs that log now"], run)
    # How long a run counts after its last point is the server's: the three may not be seen together.
    assert {int(value) for _, value in at_work["values"]} <= {1, 2, 3}


def run_of(captured, name):
    """Return the id of a training's run."""
    return next(
        row["ResourceAttributes"]["ml.run.id"]
        for _, row in captured.rows
        if row["ResourceAttributes"].get("ml.run.name") == name
    )


@pytest.fixture(scope="session")
def traceql(tmp_path_factory):
    """Return a function that says where TraceQL's published grammar finds errors in queries."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("TraceQL cannot be checked here: there is no Node.js")
    folder = tmp_path_factory.mktemp("traceql")
    (folder / "package.json").write_text('{"type": "module", "private": true}')
    try:
        subprocess.run(
            [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", GRAMMAR],
            cwd=folder,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"TraceQL cannot be checked here: npm gives no {GRAMMAR}: {error.stderr or error}")
    (folder / "check.js").write_text(CHECK)

    def errors(*queries):
        answer = subprocess.run(
            [node, "check.js", json.dumps(queries)], cwd=folder, capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in answer.stdout.splitlines()]

    return errors


def test_trace_queries_are_traceql(traceql):
    """Each query for Tempo is one by TraceQL's grammar, with the run's id in place of the variable."""
    queries = [target["query"].replace("$run", "5" * 32) for target in targets("tempo").values()]
    assert len(queries) == 3
    assert not any(re.search(r"\$", query) for query in queries)
    assert traceql(*queries) == [[], [], []]
    assert traceql("{ resource.ml.run.id == }") != [[]]
