"""Which names are looked through for the one that a search may mean."""

import pytest

from otel_experiments.errors import SearchWarning
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store import open_store


@pytest.mark.parametrize(("names_each", "is_offered"), [(5, True), (600, False)])
def test_a_hint_looks_through_many_runs_or_many_names(store_path, names_each, is_offered):
    """What only the oldest of 21 runs has is offered, unless the newer ones have ten thousand other names."""
    batch = WriteBatch()
    for number in range(21):
        run_id = f"{number + 1:032x}"
        batch.runs.append(Run(run_id, "e", f"r{number}", RunState.SUCCEEDED, number, number, number + 1))
        names = ["learning_rate"] if number == 0 else [f"p{index}" for index in range(names_each)]
        batch.params += [ParamSet(run_id, name, 1, 1) for name in names]
    with open_store(store_path) as store:
        store.apply(batch)

        with pytest.warns(SearchWarning) as said:
            found = Reader(store).runs("params.learning_rat == 1")

    assert len(found) == 0
    assert ("Did you mean params.learning_rate?" in str(said[0].message)) == is_offered
