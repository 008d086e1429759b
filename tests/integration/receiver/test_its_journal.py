"""The receiver's journal is its own: whoever else records in the process, and whoever deletes files."""

import shutil
import sqlite3

import pytest

import otel_experiments as ox
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunPurge
from otel_experiments.model.search import SpanQuery
from otel_experiments.store import open_store


def send(client, first, count):
    """Send spans of a run, numbered from `first`."""
    body = client.spans_message(count, first=first).SerializeToString()
    assert client.post("/v1/traces", body).status == 200


def names(reader):
    """Return the names of the spans that are stored of the run."""
    return {span.name for span in reader.store.spans(SpanQuery(run_id="ab" * 16))}


@pytest.fixture
def journals(receiver):
    """Return the folder of the receiver's journals."""
    return receiver.store_path.with_name(f"{receiver.store_path.name}.journals")


def test_a_recorder_of_the_same_process_that_ends_takes_nothing_with_it(client, journals, stored):
    """The file that takes requests stays when a recorder of the process lets go of the same store."""
    ox.configure(store=client.receiver.store_path, capture_git=False, system_metrics_s=0.0)
    try:
        with ox.start_run("mine") as run:
            run.log({"loss": 1.0}, step=0)
        send(client, 1, 3)
    finally:
        ox.shutdown()

    assert len(list(journals.glob("*.oxj"))) == 1
    send(client, 4, 3)
    assert names(stored()) == {f"work {number}" for number in range(1, 7)}


def test_requests_after_the_journal_was_deleted_are_kept_and_that_is_said(client, journals, stored):
    """What is acknowledged after somebody has deleted the journals is stored; that others may be lost is said."""
    send(client, 1, 1)
    shutil.rmtree(journals)
    send(client, 2, 20)

    assert "was deleted while this process receives" in client.receiver.damages[0]
    assert names(stored()) >= {f"work {number}" for number in range(2, 22)}


def test_an_end_that_did_not_store_all_says_so_each_time(receiver, client):
    """A store that is locked takes nothing at the end: closing is answered with False, also when it is repeated."""
    with sqlite3.connect(receiver.store_path, isolation_level=None) as holder:
        holder.execute("begin immediate")
        send(client, 1, 3)

        assert [receiver.close(timeout_s=0.1), receiver.close(timeout_s=0.1)] == [False, False]


def test_what_comes_of_a_run_that_was_purged_is_said(receiver, client, caplog):
    """It is acknowledged, since nobody could take it, and the log says whose it was and how much."""
    with open_store(receiver.store_path) as store:
        store.apply(WriteBatch(purges=[RunPurge("ab" * 16, 1_800_000_000_000_000_000)]))
    send(client, 1, 2)
    receiver.close()

    (said,) = (record.message for record in caplog.records if "was purged" in record.message)
    assert said.startswith("Run abababababab was purged from store ")
    assert "is not stored (2 records so far)" in said
