"""What an agent reads of the inside of runs: spans, logs, output, and SQL."""

import pytest

import otel_experiments as ox
from tests.integration.agents.conftest import connected

ENDLESS = "with recursive n(i) as (select 1 union all select i + 1 from n) select"


def test_spans_are_a_folded_tree(agent):
    """Each line has its depth and times; the run is the first."""
    found = agent.data("read_spans", run="digits-0")

    assert [(one["depth"], one["name"], one["count"]) for one in found["tree"]] == [
        (0, "run digits", 1), (1, "epoch", 1), (1, "epoch", 1), (1, "epoch", 1),
    ]  # fmt: skip


def test_spans_are_listed_page_by_page(agent):
    """Of one run or of all; narrowed by name, expression or failure."""
    first = agent.data("read_spans", run="digits-0", form="list", name="epoch", limit=2)
    second = agent.data(
        "read_spans", run="digits-0", form="list", name="epoch", limit=2, offset=first["next_offset"]
    )
    failed = agent.data("read_spans", form="list", errors=True)

    assert [len(first["spans"]), len(second["spans"]), second["next_offset"]] == [2, 1, None]
    assert [one["status"] for one in failed["spans"]] == ["error"]
    assert "SearchSyntax" not in agent.error("read_spans", form="list", where="duration >")


def test_what_was_logged_is_read_from_the_end(agent):
    """Records of the program, with their severity; an expression narrows them."""
    found = agent.data("read_logs", run="digits-1", source="log", where="severity >= 13")

    assert [one["body"] for one in found["lines"]] == ["rate 0.3 is high"]


@pytest.mark.parametrize(
    ("source", "given"), [("log", {"contains": "x"}), ("output", {"where": "severity >= 13"})]
)
def test_what_would_narrow_nothing_is_refused(agent, source, given):
    """A condition of the other source is no reason to answer with everything."""
    assert "source=log" in agent.error("read_logs", run="digits-1", source=source, **given)


def test_what_was_printed_is_read_from_the_end(tmp_path):
    """The last lines, then those before them; by stream or by a text."""
    ox.configure(store=tmp_path / "experiments.db", capture_output="python")
    with ox.start_run("talks"):
        for number in range(10):
            print("line", number)
    ox.shutdown()
    with connected(tmp_path) as agent:
        last = agent.data("read_logs", run="talks", limit=4)
        before = agent.data("read_logs", run="talks", limit=4, offset=last["next_offset"])
        one = agent.data("read_logs", run="talks", source="stdout", contains="7")
        none = agent.data("read_logs", run="talks", source="stderr")

    assert [line["text"] for line in before["lines"] + last["lines"]] == [f"line {i}" for i in range(2, 10)]
    assert [line["text"] for line in one["lines"]] == ["line 7"]
    assert none["lines"] == []


def test_sql_answers_with_columns_and_rows(agent):
    """A statement that reads is answered, and says whether there is more."""
    found = agent.data(
        "query_sql", statement="select name, length(name) as size from runs order by name", limit=2
    )

    assert (found["columns"], found["rows"], found["has_more"]) == (
        ["name", "size"], [["broken", 6], ["digits-0", 8]], True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "text"),
    [
        ("delete from runs", "it would delete from runs"),
        ("drop table runs", "refused"),
        ("insert into runs select * from runs", "refused"),
        ("attach 'other.db' as other", "refused"),
        ("pragma query_only = off", "refused"),
        ("select load_extension('x')", "refused"),
        ("select 1; delete from runs", "one statement"),
        ("select", "cannot be run"),
        ("select * from nowhere", "no such table"),
    ],
)
def test_sql_that_writes_or_is_wrong_is_refused(agent, statement, text):
    """The error says what it would have done; the runs are as they were."""
    assert text.lower() in agent.error("query_sql", statement=statement).lower()
    assert agent.data("query_sql", statement="select count(*) from runs")["rows"] == [[3]]


def test_sql_without_an_end_is_cut(agent):
    """No more rows are read than are shown."""
    found = agent.data("query_sql", statement=f"{ENDLESS} i from n", limit=3)

    assert (found["rows"], found["has_more"]) == ([[1], [2], [3]], True)


@pytest.mark.parametrize(
    "statement",
    [f"{ENDLESS} count(*) from n", "select 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!' regexp '^(a+)+$'"],
    ids=["SQL", "a pattern"],
)
def test_what_runs_for_ever_is_stopped(recorded, statement):
    """SQL, and a regular expression that holds Python's lock: each ends at the limit, and other calls are answered meanwhile."""
    with connected(recorded, "--limit-s", "3") as agent:
        asked = agent.portal.start_task_soon(agent.client.call_tool, "query_sql", {"statement": statement})
        assert agent.data("search_runs")["total"] == 3
        found = asked.result()

        assert found.is_error
        assert "took longer than the 3 s" in found.content[0].text
        assert agent.data("search_runs")["total"] == 3


def test_a_call_that_is_taken_back_is_stopped(recorded):
    """A client that gives up on an answer is not waited for: its process is ended, and the next call is answered."""
    with connected(recorded, "--limit-s", "3000") as agent:
        for _ in range(5):  # more than there are processes at once
            asked = agent.portal.start_task_soon(
                agent.client.call_tool, "query_sql", {"statement": f"{ENDLESS} count(*) from n"}
            )
            assert agent.data("search_runs")["total"] == 3
            asked.cancel()

        assert agent.data("search_runs")["total"] == 3


@pytest.mark.slow
def test_what_needs_too_much_memory_is_refused(agent):
    """The machine is not brought down: the call fails, and the next one is answered."""
    statement = "select zeroblob(900000000) from runs, runs as b, runs as c"

    assert "needs more memory" in agent.error("query_sql", statement=statement)
    assert agent.data("search_runs")["total"] == 3


def test_a_long_text_is_cut_and_says_so(agent):
    """A cell of a million characters is cut, bytes are only counted."""
    found = agent.data("query_sql", statement="select hex(zeroblob(1000000)) as long, zeroblob(100) as bytes")

    assert found["rows"][0][1] == "(100 bytes)"
    assert len(found["rows"][0][0]) <= 4003
    assert found["cut"] == [{"at": "rows[0][0]", "shown": 4000, "of": 2_000_000, "unit": "characters"}]
