"""What a report calls a change that was recorded by real code: the cause, not what follows from it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from opentelemetry.trace import Status, StatusCode

import otel_experiments as ox
from otel_experiments.capture import record_here
from otel_experiments.golden.baseline import make_golden
from otel_experiments.golden.comparison import compare
from otel_experiments.golden.findings import Example
from otel_experiments.golden.policy import Policy
from otel_experiments.golden.report.text import render_text


def record(program):
    """Return what a program records in a run."""
    with record_here() as capture, ox.start_run("run", experiment="toy") as run:
        program(run)
    return capture.captured


def findings(golden, candidate):
    """Return the findings of a comparison of two programs."""
    return compare(
        make_golden([record(golden)], name="toy"), [record(candidate)], policy=Policy(timing="off")
    ).failures


def load(run, shard, *, has_failed=False):
    """Read a shard, twice where the first try fails."""
    if has_failed:
        with suppress(FileNotFoundError), run.trace("read", shard=shard):
            open("no-such-file")  # noqa: PTH123, SIM115 - it fails, as the file is not there
    with run.trace("read", shard=shard):
        pass


def load_with(choose):
    """Return a program that loads four shards inside a stage; `choose` gives the map function of a pool."""

    def program(run):
        with run.stage("load"), ThreadPoolExecutor(4) as pool:
            list(choose(pool)(lambda shard: load(run, shard), range(4)))

    return program


def test_workers_that_lost_their_stage_became_serial():
    """Threads record under the run, the caller under its stage: one word less in the script is `serialised`."""
    (found,) = findings(load_with(lambda pool: pool.map), load_with(lambda _: map))

    assert (found.code, found.path) == ("serialised", "run toy/stage load")
    assert (found.golden, found.candidate) == ("4 lanes", "the caller's lane")
    assert found.detail == "read, which was under run toy"


def test_work_that_was_given_to_workers_became_parallel():
    """The other way round it is `parallelised`, not a move either."""
    (found,) = findings(load_with(lambda _: map), load_with(lambda pool: pool.map))

    assert (found.code, found.path) == ("parallelised", "run toy/stage load")
    assert (found.golden, found.candidate) == ("the caller's lane", "4 lanes")


def test_a_worker_that_tries_again_is_a_retry():
    """A failed span beside a good one of the same worker is a retry, not one span more."""

    def program(failing):
        def load_all(run):
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(lambda shard: load(run, shard, has_failed=shard == failing), range(4)))

        return load_all

    (found,) = findings(program(None), program(2))

    assert (found.code, found.path, found.golden, found.candidate) == (
        "retry", "run toy/read", "1 try", "2 tries",
    )  # fmt: skip
    assert found.examples[0].index_text == "shard=2"


def test_one_more_failed_worker_is_no_retry():
    """A span more that failed for work of its own stays a span more."""

    def program(shards):
        def load_all(run):
            def read(shard):
                with run.trace("read", shard=shard) as scope:
                    if shard == 4:
                        scope.span.set_status(Status(StatusCode.ERROR))

            with ThreadPoolExecutor(4) as pool:
                list(pool.map(read, range(shards)))

        return load_all

    assert [one.code for one in findings(program(4), program(5))] == ["count"]


def test_indices_are_named_after_what_they_count():
    """A place reads as `epoch=2 step=7`, whatever convention the attribute's name follows."""
    index = (("ml.epoch.index", 2), ("batch_idx", 3), ("shard_index", 1), ("index", 4), ("trainer.step", 7))

    assert Example(index=index).index_text == "epoch=2 batch=3 shard=1 index=4 step=7"


def test_the_first_place_is_the_first():
    """Of a stage that disappeared from every epoch, the report shows the first epoch."""

    def program(has_shuffle):
        def train(run):
            for epoch in run.epochs(4):
                if has_shuffle:
                    with run.trace("shuffle"):
                        pass
                with run.trace("fit", order=[epoch, 1, 0] if has_shuffle else [0, 1, 2]):
                    pass
                if epoch % 2:
                    with run.trace("save"):
                        pass

        return train

    changed, removed = sorted(findings(program(True), program(False)), key=lambda one: one.code)

    assert removed.examples[0].index_text == "epoch=0"
    assert changed.examples[0].index_text == "epoch=0"
    assert changed.golden.startswith("[0, 1, 0], [1, 1, 0]")


def test_a_move_names_the_places_once():
    """Several spans that moved from one parent to another are one pair of places."""

    def program(name):
        def work(run):
            for stage in ("load more", "check more"):
                with run.stage(stage):
                    if stage == name:
                        for shard in range(3):
                            load(run, shard)

        return work

    (found,) = findings(program("load more"), program("check more"))

    assert (found.code, found.golden, found.candidate) == (
        "moved", "in run toy/stage load more", "in run toy/stage check more",
    )  # fmt: skip


def test_growth_is_only_told_of_curves_that_grow():
    """A handful of values, or a deviation that shrinks, has no growth rate worth a line."""

    def program(values):
        def train(run):
            for step, value in enumerate(values):
                run.log({"loss": value}, step=step)

        return train

    def clause(golden, candidate):
        comparison = compare(
            make_golden([record(program(golden))], name="toy"),
            [record(program(candidate))],
            policy=Policy(timing="off"),
        )
        return render_text(comparison)

    shrinking = [1 + 0.5 * 0.8**step for step in range(40)]
    growing = [1 + 1e-3 * 1.2**step for step in range(40)]

    assert "growing" not in clause([1.0] * 5, [1.01, 1.02, 1.04, 1.08, 1.16])
    assert "growing" not in clause([1.0] * 40, shrinking)
    assert "growing by 10^7.9 per 100 steps" in clause([1.0] * 40, growing)
