"""docs/reference/schema.md says what a store's file really is, and what it shows runs."""

from __future__ import annotations

import math
import random
import re
import sqlite3
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Span, StatusCode
from otel_experiments.store import open_store

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "schema.md").read_text(encoding="utf-8")
RUN = "a" * 32


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A store with a run of which the examples of the page find something."""
    noise = random.Random(1)
    steps, times = [float(step) for step in range(7000)], [10**18 + step for step in range(7000)]
    values = [noise.random() for _ in steps]
    values[5] = math.nan
    path = tmp_path / "experiments.db"
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[Run(RUN, "digits", "brave-otter", RunState.SUCCEEDED, 1, 10**9, 3 * 10**9)],
                params=[ParamSet(RUN, "lr", 0.1, 1)],
                points=[PointBlock(RUN, (SeriesKey("loss"),), steps, times, (values,))],
                spans=[
                    Span(RUN, "b" * 16, "train", 1, 3, status=StatusCode.ERROR, run_id=RUN,
                         attributes={"error.type": "ValueError"})
                ],
                log_records=[LogRecord(1, 1, "evaluated", body={"loss": 0.5}, run_id=RUN)],
            )
        )  # fmt: skip
        store.apply(WriteBatch(points=[PointBlock(RUN, (SeriesKey("loss"),), [0.5], [10**18], ([-1.0],))]))
    return path


def documented_tables() -> dict[str, list[tuple[str, str, bool]]]:
    """(column, type, may be NULL) of each table that the page describes."""
    tables = {}
    for section in re.split(r"^### ", PAGE, flags=re.MULTILINE)[1:]:
        name = re.match(r"`(\w+)`", section)[1]
        rows = re.findall(r"^\| `(\w+)` \| *(\w*) *\| (yes|no) \|", section, flags=re.MULTILINE)
        tables[name] = [(column, kind, null == "yes") for column, kind, null in rows]
    return tables


def test_every_table_and_column_is_documented(path):
    """The page names the same tables and columns as a real file, with type and NULL."""
    connection = sqlite3.connect(path)
    tables = connection.execute("select name from sqlite_master where type = 'table'").fetchall()
    real = {
        table: [
            (column, kind, not is_required)
            for _, column, kind, is_required, _, _ in connection.execute(f"pragma table_info({table})")
        ]
        for (table,) in tables
    }
    connection.close()

    assert documented_tables() == real


def test_the_tables_of_a_bundle_are_documented(path, tmp_path):
    """The page names the tables, columns, keys and the application id that a bundle has beside those of a store."""
    ox.bundle(None, tmp_path / "x.oxb", store=path)
    connection = sqlite3.connect(tmp_path / "x.oxb")
    (application_id,) = connection.execute("pragma application_id").fetchone()
    tables = [
        name
        for (name,) in connection.execute(
            "select name from sqlite_master where name glob 'bundle_*' and type = 'table'"
        )
    ]
    real = {
        table: [row[1:3] for row in connection.execute(f"pragma table_info({table})")] for table in tables
    }
    keys = [key for (key,) in connection.execute("select key from bundle_manifest")]
    connection.close()
    section = PAGE.partition("\n## Bundles\n")[2].partition("\n## ")[0]
    documented, table = {}, ""
    for name, column, kind in re.findall(
        r"^\| (?:`(\w+)`)? ?\| `(\w+)` \| (\w+) \|", section, flags=re.MULTILINE
    ):
        table = name or table
        documented.setdefault(table, []).append((column, kind))

    assert documented == real
    assert f"`pragma application_id` {application_id} (`oxBN`)" in section
    assert application_id.to_bytes(4, "big") == b"oxBN"
    assert set(keys) <= set(re.findall(r"`(\w+)`", section))


def test_identity_and_version_are_documented(path):
    """Application id and schema version of the page are those of a real file."""
    connection = sqlite3.connect(path)
    (application_id,) = connection.execute("pragma application_id").fetchone()
    (version,) = connection.execute("pragma user_version").fetchone()
    connection.close()

    assert f"`pragma application_id` is {application_id} (`oxST`)" in PAGE
    assert application_id.to_bytes(4, "big") == b"oxST"
    assert f"schema version, now {version}." in PAGE
    assert re.search(rf"^\| {version} \|", PAGE, flags=re.MULTILINE)


@pytest.mark.parametrize("statement", re.findall(r"```sql\n(.*?)```", PAGE, flags=re.DOTALL))
def test_every_example_runs_and_finds_something(path, statement):
    """The statements of the page can be copied."""
    with open_store(path, read_only=True) as store:
        names, rows = store.sql(statement)

    assert names
    assert rows


def test_points_can_be_read_with_the_code_of_the_page(path):
    """The reader on the page gives what our own reader gives, bit for bit."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    page: dict[str, object] = {}
    exec(compile(code, "schema.md", "exec"), page)

    found = page["read_series"](path, RUN, "loss")

    with open_store(path, read_only=True) as store:
        points = store.points(RUN, SeriesKey("loss"))
        _, encodings = store.sql("select distinct encoding from chunks order by 1")
    assert encodings == [(0,), (1,)]
    assert len(points) == 7001
    assert [column.tobytes() for column in found] == [
        array("d", points.steps).tobytes(),
        array("q", points.times_ns).tobytes(),
        array("d", points.values).tobytes(),
    ]
