"""The texts that a user gives of a run are declared once, and come out wherever a run is shown."""

import inspect
from dataclasses import fields

import otel_experiments as ox
from otel_experiments.model.run import FACT_ATTRIBUTES, Run, RunFacts
from otel_experiments.query.plain import plain_run
from otel_experiments.query.run_columns import RUN_COLUMNS
from otel_experiments.semconv.registry import ATTRIBUTES

FACTS = {one.name for one in fields(RunFacts)}


def test_every_fact_of_a_run_can_be_given_and_has_an_attribute():
    """A field of `RunFacts` without an argument, attribute or column would be lost on its way."""
    assert {one.name for one in fields(Run)} >= FACTS
    assert set(inspect.signature(ox.start_run).parameters) >= FACTS
    assert set(FACT_ATTRIBUTES) == FACTS
    assert set(ATTRIBUTES) >= set(FACT_ATTRIBUTES.values())
    assert set(RUN_COLUMNS) >= FACTS


def test_every_fact_of_a_run_arrives(tmp_path):
    """What `start_run` is given is in the record, the resource and the JSON of the run; a resumed run keeps it."""
    ox.configure(store=tmp_path / "runs.db")
    given = {name: f"the {name}" for name in FACTS}
    with ox.start_run("r", **given) as run:
        pass
    with ox.start_run(resume=run.id, group="another"):
        pass
    ox.shutdown()

    stored = ox.open_reader(tmp_path / "runs.db").run("r")
    expected = given | {"group": "another"}
    assert {name: getattr(stored.record, name) for name in FACTS} == expected
    assert {name: stored.record.resource[key] for name, key in FACT_ATTRIBUTES.items()} == expected
    assert {name: plain_run(stored)[name] for name in FACTS} == expected
