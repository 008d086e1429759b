"""Runs found by what their snapshot says: uncommitted changes and installed packages."""

import pytest

from otel_experiments.errors import SearchSyntaxError
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.log import LogRecord
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.search import DirtyField, PackageField
from otel_experiments.query import Reader, parse_search
from otel_experiments.query.search.text import format_search
from otel_experiments.search import Run as Field
from otel_experiments.semconv.attributes import ML_ENVIRONMENT_RUN_ID
from otel_experiments.semconv.events import ML_RUN_ENVIRONMENT, ML_RUN_START
from otel_experiments.store import open_store

SECOND = 10**9
OLD, NEW, SHARES, AGAIN, NONE = (digit * 32 for digit in "abcde")


def snapshot(run_id, time_s, packages, *, dirty=None):
    """The event that says what a run was run from."""
    body = {
        "packages": "\n".join(packages),
        "git": {} if dirty is None else {"is_dirty": dirty, "patch": '"packages":"x==9"'},
    }
    return LogRecord(time_s * SECOND, time_s * SECOND, ML_RUN_ENVIRONMENT.name, body=body, run_id=run_id)


def shares(run_id, time_s, source):
    """The start of a run that has the snapshot of another one."""
    attributes = {ML_ENVIRONMENT_RUN_ID: source}
    return LogRecord(
        time_s * SECOND, time_s * SECOND, ML_RUN_START.name, attributes=attributes, run_id=run_id
    )


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def reader(request):
    """Runs with a snapshot of their own, with one that they share, with both, and with none."""
    store = open_store(request.param)
    store.apply(
        WriteBatch(
            runs=[
                Run(run_id, "e", run_id[0], RunState.SUCCEEDED, number, number, number + 1)
                for number, run_id in enumerate((OLD, NEW, SHARES, AGAIN, NONE))
            ],
            log_records=[
                snapshot(OLD, 1, ["my-pkg==0.1", "torch==2.9.1"], dirty=True),
                snapshot(NEW, 2, ["torch==2.10.0+cu128"], dirty=False),
                shares(SHARES, 3, NEW),
                snapshot(AGAIN, 1, ["torch==1.0"]),
                shares(AGAIN, 4, OLD),
            ],
        )
    )
    with Reader(store) as opened:
        yield opened


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("git.dirty == True", "da"),
        ("git.dirty != True", "cb"),
        ("git.dirty in (True, False)", "dcba"),
        ("not (git.dirty == True)", "ecb"),
        ("exists(git.dirty)", "dcba"),
        ('"dirty" in git', "dcba"),
        ('environment.packages["torch"] >= "2.10"', "cb"),
        ('environment.packages.torch < "2.10"', "da"),
        ('environment.packages["My_Pkg"] == "0.1"', "da"),
        ('environment.packages["torch"].contains("+cu")', "cb"),
        ('not exists(environment.packages["torch"])', "e"),
    ],
)
def test_runs_are_found_by_their_snapshot(reader, where, names):
    """A run has its own snapshot, or that of the run which its latest start names."""
    assert "".join(run.name for run in reader.runs(where)) == names
    assert parse_search(format_search(parse_search(where))) == parse_search(where)


def test_runs_are_sorted_and_shown_by_their_snapshot(reader):
    """Versions sort as versions, true after false, runs without the field last."""
    by_version = reader.runs(order='environment.packages["torch"], name')
    by_changes = reader.runs(order="-git.dirty, name")
    assert "".join(run.name for run in by_version) == "adbce"
    assert "".join(run.name for run in by_changes) == "adbce"
    shown = [(run.value(PackageField("Torch")), run.value(DirtyField())) for run in by_version]
    assert shown == [("2.9.1", True)] * 2 + [("2.10.0+cu128", False)] * 2 + [(None, None)]


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("git.dirty", "git.dirty == True, or ask"),
        ("git.dirty > True", "is True or False"),
        ("git.dirty == None", "is True or False"),
        ("git.dirty == 1", "is True or False"),
        ('git.dirty.startswith("x")', "has no .startswith()"),
        ("isnan(git.dirty)", "never is nan"),
        ("git.dirty + 1 > 2", "only numbers are calculated with"),
        ("git.drty == True", "Did you mean dirty?"),
        ("environment.packages == 1", 'environment.packages["torch"]'),
        ('environment.packages[""] == "1"', 'environment.packages["torch"]'),
        ('environment.packages["torch"] > 2', "is text, 2 is not"),
        ('isnan(environment.packages["torch"])', "never is nan"),
    ],
)
def test_what_a_snapshot_never_says_is_refused(where, said):
    """A comparison that could never hold says what to write."""
    with pytest.raises(SearchSyntaxError) as raised:
        parse_search(where)
    assert said in str(raised.value)


def test_the_fields_are_there_as_objects():
    """`Run("git.dirty")` and a package are compared as their texts are."""
    assert str((Field("git.dirty") == True) & (Field('environment.packages["torch"]') >= "2.1")) == (  # noqa: E712
        'git.dirty == True and environment.packages["torch"] >= "2.1"'
    )
