"""What the SQLite file promises beyond what can be read through the protocol."""

import sqlite3
import threading
from dataclasses import replace

import pytest

from otel_experiments.errors import OtelExperimentsError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Resource, Scope, Span
from otel_experiments.store import open_store

RUN_ID = "0af7651916cd43dd8448eb211c80319c"


def a_span(number, service):
    """Return a span whose resource and scope are objects of its own."""
    return Span(
        trace_id=RUN_ID,
        span_id=f"{number:016x}",
        name="step",
        start_ns=number,
        end_ns=number + 1,
        resource=Resource({"service.name": service, "host.name": "box"}, "https://example.org/1"),
        scope=Scope("library", "1.0"),
    )


def counts(path):
    """Return how many resources and scopes the file holds."""
    connection = sqlite3.connect(path)
    found = [
        connection.execute(f"select count(*) from {table}").fetchone()[0] for table in ("resources", "scopes")
    ]
    connection.close()
    return found


def test_a_resource_and_a_scope_are_stored_once_whoever_brings_them(store_path):
    """Equal content is one row: within a batch, over batches, and for a process that opens the store later."""
    for start in (0, 10):
        with open_store(store_path) as store:
            store.apply(WriteBatch(spans=[a_span(start + 1, "a"), a_span(start + 2, "a")]))
            store.apply(WriteBatch(spans=[a_span(start + 3, "a")]))
    assert counts(store_path) == [1, 1]

    with open_store(store_path) as store:
        store.apply(WriteBatch(spans=[a_span(21, "b")]))
    assert counts(store_path) == [2, 1]


def test_the_order_of_attributes_makes_no_other_resource(store_path):
    """The hash is one of the content."""
    one = a_span(1, "a")
    turned = Resource(dict(reversed(one.resource.attributes.items())), one.resource.schema_url)
    with open_store(store_path) as store:
        store.apply(WriteBatch(spans=[one, replace(a_span(2, "a"), resource=turned)]))

    assert counts(store_path) == [1, 1]


def test_whoever_comes_while_a_store_is_made_opens_it(tmp_path):
    """Four threads open a new store at the same moment, 200 times: none of them takes it for another program's."""
    errors = []

    def open_one(path, barrier):
        barrier.wait()
        try:
            open_store(str(path)).close()
        except OtelExperimentsError as error:
            errors.append(error)

    for number in range(200):
        barrier = threading.Barrier(4)
        threads = [
            threading.Thread(target=open_one, args=(tmp_path / f"{number}.db", barrier)) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert errors == []


def test_rows_without_their_owner_are_refused(store_path):
    """Foreign keys are on wherever this package writes: no series, param or span event without its run or span."""
    with open_store(store_path) as store:
        store.apply(WriteBatch(runs=[Run(RUN_ID, "e", "r", RunState.RUNNING, 1)]))

        with store._database.writing() as connection, pytest.raises(sqlite3.IntegrityError):
            connection.execute(
                "insert into tags (run_id, key, value, time_ns) values ('nobody', 'k', 'v', 1)"
            )

        with store._database.writing() as connection:
            connection.execute(
                "insert into tags (run_id, key, value, time_ns) values (?, 'k', 'v', 1)", (RUN_ID,)
            )
            connection.execute("delete from runs where run_id = ?", (RUN_ID,))
            assert connection.execute("select count(*) from tags").fetchone() == (0,)
