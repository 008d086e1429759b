"""What a search is told that asks for a text in other capitals than runs have."""

import warnings

import pytest

from otel_experiments.errors import SearchWarning
from otel_experiments.model.batch import ParamSet, WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store import open_store


@pytest.fixture
def reader(store_path):
    """One run with the text `adamw (fused)`."""
    run_id = f"{1:032x}"
    batch = WriteBatch(runs=[Run(run_id, "Digits", "r1", RunState.SUCCEEDED, 1, 1, 2)])
    batch.params += [ParamSet(run_id, "opt", "adamw (fused)", 1), ParamSet(run_id, "lr", 1, 1)]
    with open_store(store_path) as store:
        store.apply(batch)
        yield Reader(store)


@pytest.mark.parametrize(
    ("where", "meant"),
    [
        ('params.opt == "AdamW (fused)"', 'params.opt == "adamw (fused)"'),
        ('params.opt in ("sgd", "ADAMW (fused)") and params.lr == 1', 'params.opt == "adamw (fused)"'),
        ('experiment == "digits" or experiment == "other"', 'experiment == "Digits"'),
    ],
)
def test_a_text_in_other_capitals_is_said_once(reader, where, meant):
    """A search that finds nothing names the text as runs have it, in one warning."""
    with pytest.warns(SearchWarning) as said:
        assert len(reader.runs(where)) == 0

    (warning,) = said
    assert str(warning.message).endswith(f"capitals count.\n  Did you mean {meant}?")


@pytest.mark.parametrize(
    "where",
    [
        'params.opt == "adamw (fused)" and params.lr == 2',
        'params.opt == "AdamW"',
        'not (params.opt == "AdamW (fused)") and params.lr == 2',
        'params.opt == "1"',
    ],
)
def test_nothing_is_said_of_capitals_that_are_not_the_reason(reader, where):
    """A text that a run has, one that is only a part, and what is negated, bring no hint."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(reader.runs(where)) == 0
