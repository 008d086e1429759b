"""What the README claims, sentence by sentence, and the test that holds each.

A new or changed sentence of the first page has no test until it stands in the table below; a test that goes leaves its
sentence without one. Blocks, commands and links of the page are run by test_pages.py.
"""

import ast
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import otel_experiments

ROOT = Path(otel_experiments.__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")

PROVIDERS = "tests/integration/test_otel_providers.py"
UNCHANGED = "tests/integration/test_experiment_is_not_changed.py"
CLAIMS = {
    # The first paragraph.
    "A local-first tracker for machine-learning experiments whose native data model is OpenTelemetry: a run is a trace, "
    "its metrics ride OpenTelemetry's instruments, one SQLite file holds it all, and OTLP carries it anywhere.": (
        "tests/docs/test_examples.py::test_an_example_prints_what_its_docstring_says",
        "tests/integration/test_otel_export.py::test_every_point_leaves_with_its_own_time_step_and_trace",
        "tests/integration/processes/test_readers_are_whole.py::test_after_a_reader_closes_the_one_file_holds_a_killed_run",
        "tests/integration/test_otel_export.py::test_spans_arrive_with_parent_resource_and_schema",
    ),
    # The promises.
    "Random states, results and exceptions are the same with and without it.": (
        f"{UNCHANGED}::test_a_training_gives_the_same_bits_with_and_without_us",
        f"{UNCHANGED}::test_the_process_is_as_it_was",
        f"{UNCHANGED}::test_an_exception_comes_out_as_it_went_in",
    ),
    "When `log()` returns, SIGKILL loses nothing of it.": (
        "tests/integration/processes/test_processes_dying.py::test_everything_acknowledged_before_a_signal_is_there",
        "tests/integration/processes/test_readers_are_whole.py::test_every_reader_has_all_points_of_a_killed_run",
    ),
    "NaN and infinity are kept exactly.": (
        "tests/unit/record/test_points.py::test_nan_and_infinities_are_kept_exactly",
    ),
    "Spans of instrumented libraries land inside the run where the program has a `TracerProvider` of the SDK, its own or "
    "that of `opentelemetry-instrument`, or [asks for one](docs/how-to/third-party-spans.md); any backend can receive "
    "it.": (
        f"{PROVIDERS}::test_the_applications_provider_stays_and_its_spans_land_inside_the_run",
        f"{PROVIDERS}::test_without_a_provider_of_the_application_a_routing_one_can_be_installed",
        "tests/integration/test_otel_export.py::test_a_span_leaves_as_the_sdk_would_have_sent_it",
    ),
    "A documented SQLite schema, read-only SQL, CSV, JSON Lines and Parquet; runs and points are "
    "[tables](docs/how-to/frames.md) of pandas, polars and Arrow.": (
        "tests/unit/query/test_frames.py::test_runs_are_a_list_and_a_table_with_the_columns_of_the_export",
        "tests/unit/query/test_frames.py::test_a_series_is_a_table_of_step_time_and_value",
        "tests/unit/query/test_parquet.py::test_pandas_polars_and_duckdb_read_the_file",
        "tests/contract/test_schema_documented.py::test_every_table_and_column_is_documented",
        "tests/unit/query/test_reader.py::test_sql_reads_and_refuses_to_write",
        "tests/unit/cli/test_export_command.py::test_the_name_of_the_file_tells_the_form",
    ),
    "[One file](docs/how-to/share-a-run.md) holds runs with their artifacts, and opens on any machine.": (
        "tests/unit/store/test_bundle_files.py::test_a_folder_that_may_not_be_written_is_enough",
        "tests/unit/store/test_bundled_artifacts.py::test_artifacts_are_read_through_a_reader",
    ),
    "[Notebooks](docs/how-to/notebooks.md) show runs, curves and pictures without a server or a script.": (
        "tests/integration/test_notebook.py::test_an_output_is_html_that_needs_nothing",
        "tests/integration/test_notebook.py::test_the_outputs_show_what_was_recorded",
        "tests/integration/test_notebook.py::test_small_pictures_are_in_the_notebook",
    ),
    "Every name that is recorded is defined in [`semconv/`](semconv/README.md).": (
        "tests/contract/test_vocabulary_literals.py::test_no_name_of_telemetry_is_written_as_a_string",
        "tests/integration/test_cli_process.py::test_the_demo_keeps_to_the_vocabulary",
    ),
    "No account, no server, no network.": (
        "tests/docs/test_readme_claims.py::test_nothing_is_asked_of_a_network",
    ),
    "New here? The [tutorial](docs/tutorial/README.md) takes 15 minutes.": (
        "tests/docs/test_pages.py::test_what_a_page_shows_happens",
    ),
    # See it work.
    "This trains five real classifiers on scikit-learn's digits, one of which fails on purpose, then prints the table of "
    "runs and what to type next.": (
        "tests/integration/test_cli_process.py::test_demo_trains_records_and_says_what_to_type_next",
    ),
    # Ten lines.
    "`run.log_artifact(path)` keeps a file or folder by its digest, as a version of its name; "
    '`run.use_artifact("model:best")` reads it in another run, and `ox.lineage("model:best")` prints '
    "[where it came from and what came of it](docs/how-to/artifacts.md).": (
        "tests/unit/record/test_artifacts.py::test_a_file_is_kept_under_its_own_name",
        "tests/unit/record/test_artifacts_used.py::test_used_artifacts_are_recorded",
        "tests/docs/test_examples.py::test_an_example_prints_what_its_docstring_says",
    ),
    "The shape that other trackers taught works too: `ox.init(project=..., config=...)`, `ox.log({...})`, `ox.finish()` "
    "([coming from wandb](docs/how-to/from-wandb.md), [from MLflow](docs/how-to/from-mlflow.md)); and decorators: "
    '`@ox.run`, `@ox.stage`, `@ox.step`, `@ox.trace`; `with ox.span("load"):` is a span for anything else.': (
        "tests/docs/test_readme_claims.py::test_the_other_shapes_of_the_page_record_the_same",
        "tests/unit/record/test_scopes.py::test_a_span_is_opened_by_the_word_that_people_type_first",
    ),
    # Into a collector.
    "Set the variables that every OpenTelemetry program knows; the store is filled all the same:": (
        "tests/integration/test_otel_export.py::test_every_point_leaves_with_its_own_time_step_and_trace",
    ),
    "Spans, events and metrics go out over OTLP, by gRPC or HTTP; the gauge `ml.metric.value` carries every point with its "
    "own time, the step in its exemplar.": (
        "tests/integration/test_otlp_http.py::test_a_run_arrives_whole_over_http",
        "tests/integration/test_otel_export.py::test_spans_arrive_with_parent_resource_and_schema",
        "tests/integration/test_otel_export.py::test_events_arrive_with_the_span_they_happened_in",
        "tests/integration/test_otel_export.py::test_every_point_leaves_with_its_own_time_step_and_trace",
    ),
    "A collector that is down holds up neither training nor readers; the end of a run waits two seconds for it, the end "
    "of the program two more.": (
        "tests/integration/test_reads_wait_for_no_export.py::test_a_look_at_the_runs_does_not_wait_for_an_endpoint",
        "tests/integration/test_otel_exit.py::test_a_dead_endpoint_delays_no_exit_and_loses_nothing",
        "tests/integration/test_otel_exit.py::test_a_hanging_endpoint_delays_exit_by_a_bounded_time",
    ),
    "`otel-experiments diff A B` says [why two runs differ](docs/how-to/why-is-this-run-different.md), `compare` sets several side by "
    "side, `ab` says [whether a group of runs is better, or it is chance](docs/how-to/ab-tests.md), and `tail` [follows what is "
    "recorded](docs/how-to/follow-a-run.md).": (
        "tests/docs/test_pages.py::test_what_a_page_shows_happens",
        "tests/integration/test_tail.py::test_what_is_recorded_is_shown_while_it_is_recorded",
    ),
    "Coding agents search and compare runs by [a server of the Model Context Protocol](docs/how-to/agents.md), `otel-experiments mcp`, or "
    "by a skill file, `otel-experiments skill`.": (
        "tests/integration/agents/test_comparing.py::test_two_runs_are_compared",
        "tests/unit/cli/test_skill_command.py::test_it_is_installed_where_agents_look",
    ),
    "What it did not take, and did not refuse for good, `otel-experiments push` sends later.": (
        "tests/integration/test_push.py::test_the_page_is_followed_literally",
    ),
    "[`collector-config/`](collector-config/README.md) has files for a real Collector that sends on to Jaeger, Tempo, "
    "Prometheus, VictoriaMetrics or ClickHouse, and two Grafana dashboards.": (
        "tests/backends/test_collector_configs.py::test_there_are_files_for_what_the_documentation_names",
        "tests/backends/clickhouse/test_grafana_dashboards.py::test_a_dashboard_is_one_that_grafana_reads",
    ),
    # From any language.
    "`otel-experiments serve` [takes OTLP](docs/how-to/receive-from-any-language.md) from programs of any language and "
    "from Collectors into the store.": (
        "tests/integration/receiver/test_http.py::test_what_was_received_is_in_the_store",
        "tests/integration/receiver/test_grpc.py::test_each_signal_is_taken",
    ),
    "What it has acknowledged survives a kill, and what comes twice is there once.": (
        "tests/integration/receiver/test_serve.py::test_killed_under_load_it_loses_and_doubles_nothing",
        "tests/integration/receiver/test_runs_recorded_here.py::test_a_request_that_comes_twice_is_stored_once",
    ),
}
NO_CLAIMS = re.compile(
    r"^#.*$|^- \*\*[^*]+\*\*|^- \[.*(?:\n  .*)*|^In a checkout of this repository, .*:$", re.MULTILINE
)
"""Headings, the names of the promises, the list of links (which test_pages.py follows), and what to type where."""


def test_every_sentence_of_the_page_is_in_the_table():
    """Whoever writes a sentence into the README names the test that holds it."""
    prose = re.sub(r"^```.*?^```$", "", README, flags=re.DOTALL | re.MULTILINE)
    rest = " ".join(NO_CLAIMS.sub("", prose).split())

    for claim in CLAIMS:
        rest = rest.replace(claim, "")

    assert rest.strip() == ""


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_claim_stands_on_the_page_and_its_tests_exist(claim):
    """The table follows the page and the tests."""
    assert claim in " ".join(README.split())
    for node in CLAIMS[claim]:
        file, _, name = node.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {one.name for one in tree.body if isinstance(one, ast.FunctionDef)}, node


def test_nothing_is_asked_of_a_network(tmp_path, user_environment):
    """Recording a run, reading it back and every reading command open no connection and look up no name."""
    program = """
    import sys

    def refuse(event, arguments):
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.bind", "socket.sendto"):
            print(event, arguments[-1], flush=True)

    sys.addaudithook(refuse)
    import otel_experiments as ox
    from otel_experiments.cli.root import root

    with ox.start_run("alone", experiment="e", config={"lr": 0.1}) as run:
        with run.span("load"):
            run.log({"loss": 0.5})
        run.emit("lib.event", {"a": 1})
    ox.run("alone").metrics["loss"].points()
    ox.shutdown()
    for arguments in (["runs"], ["show", "alone"], ["metrics", "alone"], ["spans"], ["sql", "select 1"], ["export", "runs"]):
        root.main(arguments, standalone_mode=False)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, cwd=tmp_path, env=user_environment, timeout=60, check=False,
    )  # fmt: skip

    assert (answer.returncode, answer.stderr) == (0, "")
    assert "alone" in answer.stdout
    assert "socket." not in answer.stdout


def test_the_other_shapes_of_the_page_record_the_same(tmp_path, user_environment):
    """`init`, `log` and `finish`, and the four decorators, make runs, points and spans."""
    program = """
    import otel_experiments as ox

    ox.init(project="shapes", config={"lr": 0.1})
    ox.log({"loss": 0.5})
    ox.finish()

    @ox.trace
    def piece():
        return 1

    @ox.step
    def update():
        return piece()

    @ox.stage
    def fit():
        with ox.span("anything else"):
            return update()

    @ox.run(experiment="shapes", name="decorated")
    def train(lr):
        fit()

    train(0.1)
    first, second = reversed(ox.runs(experiment="shapes"))
    print(first.params["lr"], first.metrics["loss"].last, first.state)
    names = []
    node = second.spans.tree()[0]
    while node.children:
        node = node.children[0]
        names.append(node.span.name.split(".")[-1])
    print(second.name, second.params["lr"], second.state, names)
    """
    answer = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True, text=True, cwd=tmp_path, env=user_environment, timeout=60, check=False,
    )  # fmt: skip

    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == (
        "0.1 0.5 succeeded\ndecorated 0.1 succeeded ['stage fit', 'anything else', 'step', 'piece']\n"
    )
