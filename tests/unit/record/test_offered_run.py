"""One process, and no other, goes on with the run that `otel-experiments run` has started."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from otel_experiments.record.base.offered_run import Offer, OfferedRun, take_offered
from otel_experiments.record.base.propagation import OFFER_VARIABLE

STORE = Path("/work/experiments.db")
RUN = OfferedRun(str(STORE), "1" * 32, "2" * 16, "name", "experiment", started_from="00-a-b-01")


@pytest.fixture
def offered(tmp_path):
    """An offer, and the environment that tells of it."""
    path = tmp_path / "offer"
    return Offer(path, RUN), {OFFER_VARIABLE: str(path)}


def test_the_first_process_takes_it(offered):
    """It is told all of the run; whoever comes later gets none, and the offer knows of it."""
    offer, environ = offered
    assert not offer.is_taken

    assert take_offered(environ, store=STORE) == RUN
    assert take_offered(environ, store=STORE) is None
    assert offer.is_taken
    assert not offer.withdraw()


def test_of_many_at_once_one_takes_it(offered):
    """However many processes ask at the same moment, one has the run."""
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: take_offered(offered[1], store=STORE), range(64)))

    assert [run for run in found if run is not None] == [RUN]


def test_a_withdrawn_offer_is_nobodys(offered):
    """When the command has ended, no process that it left behind takes the run."""
    offer, environ = offered

    assert offer.withdraw()
    assert take_offered(environ, store=STORE) is None


def test_where_the_first_run_goes_on_with_another_one_no_later_one_takes_it(offered):
    """The command's run stays the command's, and ends with it."""
    offer, environ = offered

    assert take_offered(environ, store=STORE, leaves=True) is None
    assert take_offered(environ, store=STORE) is None
    assert not offer.is_taken
    assert offer.withdraw()
    assert take_offered(environ, store=STORE, leaves=True) is None


@pytest.mark.parametrize("store", [None, Path("/work/other.db")])
def test_a_run_of_another_store_is_left(offered, store):
    """A process that records elsewhere does not take the run, and the next one may."""
    assert take_offered(offered[1], store=store) is None
    assert take_offered(offered[1], store=STORE) == RUN


@pytest.mark.parametrize("text", ["", "{}", "[1]", "no JSON", '{"run_id": 3}'])
def test_a_file_that_is_no_offer_is_left(tmp_path, text):
    """A variable that names some other file takes nothing and removes nothing."""
    path = tmp_path / "file"
    path.write_text(text)

    assert take_offered({OFFER_VARIABLE: str(path)}, store=STORE) is None
    assert path.read_text() == text


def test_no_variable_offers_nothing(tmp_path):
    """Without the variable, or with one that names no file, a program has a run of its own."""
    assert take_offered({}, store=STORE) is None
    assert take_offered({OFFER_VARIABLE: str(tmp_path / "none")}, store=STORE) is None
