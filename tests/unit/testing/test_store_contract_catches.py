"""The contract of stores finds out stores that are broken on purpose, one defect each."""

import inspect
from contextlib import suppress
from dataclasses import replace

import pytest

from otel_experiments.errors import OtelExperimentsError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.edit import RunContents
from otel_experiments.store import open_store
from otel_experiments.store.memory.store import MemoryStore
from otel_experiments.testing import StoreContract


class BrokenStore(MemoryStore):
    """A store that is right but for what a test breaks: answers that are changed, and batches that are."""

    def __init__(self, *, answers=None, batches=None, after=None):
        super().__init__()
        self._answers = answers or {}
        self._batches = batches
        self._after = after

    def apply(self, batch):
        """Take the batch in as the test changes it."""
        super().apply(batch if self._batches is None else self._batches(self, batch))
        if self._after is not None:
            self._after(self._contents, batch)

    def __getattribute__(self, name):
        found = super().__getattribute__(name)
        if name.startswith("_") or name not in self._answers:
            return found
        return lambda *given, **named: self._answers[name](found(*given, **named))


def without(*fields):
    """A store that leaves out some fields of each batch."""
    return {"batches": lambda store, batch: replace(batch, **{field: [] for field in fields})}


def arrival_counts(field):
    """A store in which what arrives last is the latest, whatever its time."""
    clock = iter(range(10**15, 10**16))
    return {
        "batches": lambda store, batch: replace(
            batch, **{field: [replace(one, time_ns=next(clock)) for one in getattr(batch, field)]}
        )
    }


def answering(method, change):
    """A store that changes what one method answers."""
    return {"answers": {method: change}}


def on_contents(change):
    """A store that does something to what it holds after each batch."""
    return {"after": change}


def forget_edits_of_recorded(contents, batch):
    """Take the edits of a run away when its record comes."""
    for run in batch.runs:
        contents.edits.pop(run.run_id, None)
        contents.runs[run.run_id] = replace(contents.runs[run.run_id], run=run)


def lose_the_run(contents, batch):
    """Forget what was attached when it is received again."""
    for span in batch.spans:
        contents.spans[span.trace_id, span.span_id] = span


def steal(store, batch):
    """Attach what is attached elsewhere already."""
    for attachment in batch.attach:
        for key, span in store._contents.spans.items():
            store._contents.spans[key] = replace(span, run_id=attachment.run_id)
    return batch


def let_purged_in(store, batch):
    """Forget which runs were purged."""
    store._contents.purged.clear()
    return batch


def keep_purged_out(store, batch):
    """Store no run that has an id of a purged one."""
    purged = store._contents.purged
    return replace(
        batch,
        runs=[one for one in batch.runs if one.run_id not in purged],
        points=[one for one in batch.points if one.run_id not in purged],
    )


def purge_all(store, batch):
    """Ask nobody whether a run is to stay."""
    return replace(batch, purges=[replace(one, unless=None) for one in batch.purges])


def edits_of_known_runs(store, batch):
    """Take edits of runs that are there alone."""
    return replace(batch, edits=[one for one in batch.edits if one.run_id in store._contents.runs])


def twice(found):
    """Say everything two times."""
    return [*found, *found]


DEFECTS = {
    "test_an_artifact_comes_back_as_it_was_logged": answering(
        "artifacts", lambda found: [replace(one, logged=replace(one.logged, metadata={})) for one in found]
    ),
    "test_each_digest_under_a_name_is_a_version": answering(
        "artifacts", lambda found: [replace(one, version=0) for one in found]
    ),
    "test_an_alias_points_where_it_was_set_last": arrival_counts("artifact_aliases"),
    "test_artifacts_that_arrive_twice_are_there_once": arrival_counts("artifacts"),
    "test_artifacts_are_found_by_each_condition": answering("artifacts", lambda found: found[:1]),
    "test_uses_are_found_by_run_and_digest_and_the_first_counts": answering("artifact_uses", twice),
    "test_a_whole_run_has_its_artifacts": answering(
        "whole_run", lambda pages: [replace(page, artifact_uses=[]) for page in pages]
    ),
    "test_a_run_shows_its_edits": without("edits"),
    "test_a_recorder_undoes_no_edit": on_contents(forget_edits_of_recorded),
    "test_the_latest_edit_of_a_field_counts": arrival_counts("edits"),
    "test_an_edit_may_arrive_before_its_run": {"batches": edits_of_known_runs},
    "test_each_visibility_shows_its_runs": without("edits"),
    "test_a_whole_run_takes_its_edits_along": answering(
        "whole_run", lambda pages: [replace(page, edits=[]) for page in pages]
    ),
    "test_what_hangs_on_runs_is_counted_together": answering("run_contents", lambda found: RunContents()),
    "test_a_purged_run_is_gone_with_all_that_hangs_on_it": without("purges"),
    "test_a_purge_leaves_a_run_of_which_is_said_so": {"batches": purge_all},
    "test_what_arrives_late_of_a_purged_run_is_not_stored": {"batches": let_purged_in},
    "test_a_run_that_is_made_later_under_the_id_of_a_purged_one_is_new": {"batches": keep_purged_out},
    "test_telemetry_of_no_run_is_counted_by_service_and_trace": answering("telemetry_groups", list.copy),
    "test_what_a_query_means_becomes_the_runs": without("attach"),
    "test_what_has_a_run_is_never_attached_to_another": {"batches": steal},
    "test_attached_telemetry_that_comes_again_is_the_same": on_contents(lose_the_run),
    "test_what_is_detached_is_as_it_was": without("detach"),
    "test_points_that_came_of_attached_telemetry_leave_with_it": {
        "batches": lambda store, batch: replace(
            batch, detach=[replace(one, points=()) for one in batch.detach]
        )
    },
    "test_points_keep_their_attempt_where_attached_ones_leave": answering(
        "points", lambda found: replace(found, attempts=[0] * len(found.steps))
    ),
    "test_attached_telemetry_can_be_read_again": answering("telemetry_items", lambda pages: [*pages][:0]),
    "test_ended_spans_are_summarized_once": answering(
        "span_summaries", lambda found: {run_id: twice(rows) for run_id, rows in found.items()}
    ),
    "test_a_span_that_comes_in_another_form_is_counted_in_that_form": {
        "batches": lambda store, batch: replace(
            batch,
            spans=[
                span for span in batch.spans if (span.trace_id, span.span_id) not in store._contents.spans
            ],
        )
    },
    "test_spans_of_a_refused_batch_are_in_no_summary": on_contents(lambda contents, batch: None),
    "test_the_latest_report_of_each_journal_is_kept": arrival_counts("journal_reports"),
}
DEFECTS["test_telemetry_of_no_run_is_counted_by_service_and_trace"] = answering(
    "telemetry_groups", lambda found: found[:1]
)


class LeakyStore(BrokenStore):
    """A store that keeps the spans of a batch which it refuses."""

    def apply(self, batch):
        """Take the spans in first."""
        with suppress(Exception):
            super().apply(WriteBatch(spans=[span for span in batch.spans if not span.attributes.get("what")]))
        super().apply(batch)


def cases_of(name):
    """The arguments of a test of the contract, beside the store, for each of its cases."""
    marks = [
        mark for mark in getattr(getattr(StoreContract, name), "pytestmark", []) if mark.name == "parametrize"
    ]
    if not marks:
        return [{}]
    (mark,) = marks
    names = mark.args[0] if isinstance(mark.args[0], tuple) else (mark.args[0],)
    return [dict(zip(names, case if len(names) > 1 else (case,), strict=True)) for case in mark.args[1]]


def fails(name, make):
    """Whether a test of the contract finds a store out, in any of its cases."""
    for case in cases_of(name):
        with make() as store:
            try:
                getattr(StoreContract(), name)(store, **case)
            except (AssertionError, OtelExperimentsError, ValueError, LookupError):
                return True
    return False


@pytest.mark.parametrize("name", DEFECTS)
def test_a_test_of_the_contract_finds_its_defect(name):
    """A store with the defect fails the test, and the store without it passes."""
    broken = LeakyStore if name.startswith("test_spans_of_a_refused") else BrokenStore

    assert fails(name, lambda: broken(**DEFECTS[name]))
    assert not fails(name, lambda: open_store("memory://"))


def test_every_test_of_artifacts_edits_and_attachments_has_a_defect():
    """None of these tests is there without a store that fails it."""
    written = {
        name
        for base in StoreContract.__mro__
        if base.__name__ in {"ArtifactContract", "EditContract", "AttachmentContract"}
        for name, _ in inspect.getmembers(base, inspect.isfunction)
        if name.startswith("test_")
    }

    assert len(written) > 20
    assert written <= DEFECTS.keys()
