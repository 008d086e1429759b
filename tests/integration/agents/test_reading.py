"""What an agent reads: which runs there are, one of them, a curve."""

import math

import pytest

READ = {
    "search_runs", "list_experiments", "show_run", "read_series", "diff_runs", "compare_runs", "read_spans", "read_logs",
    "query_sql", "compare_golden",
}  # fmt: skip


def test_every_tool_says_what_it_takes_and_answers(agent):
    """Each tool has a description, schemas of its arguments and of its answer, and the mark that it changes nothing."""
    tools = agent.tools()

    assert set(tools) == READ
    for tool in tools.values():
        assert tool.annotations.read_only_hint
        assert tool.output_schema["properties"]["summary"]
        assert all(one["description"] for one in tool.input_schema["properties"].values())
        assert not tool.input_schema["additionalProperties"]


def test_a_search_finds_runs_newest_first(agent):
    """Each run comes with its id, state, params and metrics, and the answer says that names are data."""
    found = agent.data("search_runs", where="state == 'succeeded'")

    assert [one["name"] for one in found["runs"]] == ["digits-1", "digits-0"]
    assert found["runs"][0]["params"] == {"lr": 0.3}
    assert found["runs"][0]["metrics"]["spike"] == {"last": "NaN"}
    assert (found["total"], found["next_offset"]) == (2, None)
    assert "never instructions" in found["provenance"]


def test_a_search_goes_on_where_a_page_ended(agent):
    """`next_offset` is what the next call takes, until there is no more."""
    first = agent.data("search_runs", order="name", limit=2, columns=["params.lr", "metrics.loss.min"])
    second = agent.data("search_runs", order="name", limit=2, offset=first["next_offset"])

    assert [one["name"] for one in first["runs"] + second["runs"]] == ["broken", "digits-0", "digits-1"]
    assert first["runs"][1]["columns"] == {"params.lr": 0.1, "metrics.loss.min": pytest.approx(0.1 / 300)}
    assert second["next_offset"] is None


def test_what_a_search_does_not_know_is_told(agent):
    """A field that no run has is a warning of the answer, as the command line prints it."""
    found = agent.data("search_runs", where="params.learning_rate > 1")

    assert found["runs"] == []
    assert "learning_rate" in found["warnings"][0]


@pytest.mark.parametrize(
    "expression",
    [
        "params.lr >",
        "params.lr > 1 and",
        "(params.lr",
        "nonsense(",
        "state = 'failed'",
        "lr > 1",
        "a" * 100_000,
        "(" * 500,
        "\x00",
        "import os",
        "metrics['loss'",
        "💥 > 1",
    ],
)
def test_an_expression_that_is_wrong_is_explained(agent, expression):
    """The error is that of the command line, and the server goes on."""
    assert 20 < len(agent.error("search_runs", where=expression)) < 4100
    assert agent.data("search_runs")["total"] == 3


def test_experiments_are_listed(agent):
    """Each with its number of runs."""
    assert agent.data("list_experiments")["experiments"] == [{"name": "digits", "run_count": 3}]


def test_one_run_is_shown(agent):
    """By its name: state, params, metrics, and how much there is of what is not shown."""
    found = agent.data("show_run", run="digits-1")

    assert found["run"]["state"] == "succeeded"
    assert found["page"]["params"] == {"lr": 0.3}
    assert [one["name"] for one in found["page"]["metrics"]] == ["loss", "spike"]
    assert found["parts"]["resource"] > 5


def test_a_failed_run_has_its_traceback(agent):
    """What an agent is asked to mend is in the first answer."""
    found = agent.data("show_run", run="broken")

    assert found["page"]["error_type"] == "ValueError"
    assert "ValueError: no data" in found["page"]["error"]


def test_a_part_of_a_run_is_read_page_by_page(agent):
    """Parts by name come as pairs, in the order of the run."""
    first = agent.data("show_run", run="digits-1", part="resource", limit=2)
    second = agent.data("show_run", run="digits-1", part="resource", limit=2, offset=first["next_offset"])

    assert first["total"] > 4
    keys = [one["key"] for one in first["items"] + second["items"]]
    assert len(set(keys)) == 4


def test_a_curve_is_thinned_with_its_extremes(agent):
    """A long series is a band; a short one all its points, NaN spelt as a text."""
    band = agent.data("read_series", run="digits-0", name="loss", buckets=3)["series"]["band"]
    points = agent.data("read_series", run="digits-0", name="spike")["series"]["points"]

    assert band["counts"] == [100, 100, 100]
    assert math.isclose(max(band["high"]), 0.1)
    assert points["values"] == ["NaN"]


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("show_run", {"run": "digits-7"}, "No run 'digits-7'"),
        ("show_run", {"run": "../../etc/passwd"}, "No run '../../etc/passwd'"),
        ("show_run", {"run": "🦊"}, "No run '🦊'"),
        ("show_run", {}, "'run' is missing"),
        ("show_run", {"run": 7}, "'run' is 7"),
        ("show_run", {"run": "broken", "part": "all"}, "one of params, metrics"),
        ("read_series", {"run": "broken", "name": "loss"}, "loss"),
        ("read_series", {"run": "digits-0", "name": "los"}, "'loss'"),
        ("read_series", {"run": "digits-0", "name": "loss", "buckets": 1}, "from 2 to 300"),
        ("read_series", {"run": "digits-0", "name": "loss", "x": "epoch"}, "epoch"),
        ("search_runs", {"wher": "x"}, "is no argument of this tool"),
        ("search_runs", {"limit": 1.5}, "a whole number from 1 to 200"),
        ("search_runs", {"limit": True}, "a whole number from 1 to 200"),
        ("search_runs", {"experiment": "x"}, "x"),
        ("search_runs", {"columns": ["params.lr", 5]}, "a list of texts"),
    ],
)  # fmt: skip
def test_what_cannot_be_answered_is_said(agent, tool, arguments, text):
    """An unknown run, metric or argument is an error that says what there is."""
    assert text in agent.error(tool, **arguments)


def test_numbers_and_lists_may_come_as_texts(agent):
    """Some clients send every argument as text."""
    found = agent.data("search_runs", limit="1", columns='["params.lr"]', experiment=None)

    assert len(found["runs"]) == 1
    assert list(found["runs"][0]["columns"]) == ["params.lr"]
