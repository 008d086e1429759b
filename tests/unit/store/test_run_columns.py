"""The columns of the table of runs follow from the fields of a run."""

from dataclasses import fields

from otel_experiments.model.run import Owner, Run
from otel_experiments.store import open_store
from otel_experiments.store.sqlite.run_columns import COLUMNS, STORED


def test_the_table_of_runs_has_the_columns_that_a_run_has():
    """A field that has no column, or a column that no field fills, is found before a release."""
    with open_store("sqlite://:memory:") as store:
        _, table = store.sql("pragma table_info(runs)")

    declared = [(name, kind, is_required) for _, name, kind, is_required, _, is_key in table if not is_key]
    kinds = {"text": "text", "state": "text", "integer": "integer", "resource": "integer"}
    derived = [
        (column.name, kinds[column.kind], int(not column.may_be_null and column.kind != "resource"))
        for column in COLUMNS
        if column.name != "run_id"
    ]
    # In any order: a column that a migration adds is the last one.
    assert sorted((name, kind.lower(), required) for name, kind, required in declared) == sorted(
        [*derived, *((name, "integer", 1) for name in STORED)]
    )


def test_each_field_of_a_run_is_in_one_column():
    """What a run says of itself and of its owner is stored once, and under a name that a user can guess."""
    expected = [field.name for field in fields(Run) if field.name != "owner"]
    expected += [f"owner.{field.name}" for field in fields(Owner)]

    assert sorted(column.field for column in COLUMNS) == sorted(expected)
