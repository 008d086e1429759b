"""Where a run or an artifact comes from, and what came of it: both ways, in circles, in long chains."""

from __future__ import annotations

import pytest

from otel_experiments.errors import ArtifactNotFoundError
from otel_experiments.model.artifact import ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.run import Run, RunState
from otel_experiments.query import Reader
from otel_experiments.store import open_store


def digest(number):
    """A digest of its own for each number."""
    return f"sha256:{number:064x}"


def run_id(number):
    """A run id of its own for each number."""
    return f"{number:032x}"


class World:
    """A store in which runs make and use artifacts, named by numbers and letters."""

    def __init__(self, location="sqlite://:memory:"):
        self.store = open_store(location)
        self.reader = Reader(self.store)
        self._time_ns = 0

    def run(self, number, name):
        """Add a run."""
        self.store.apply(WriteBatch(runs=[Run(run_id(number), "digits", name, RunState.SUCCEEDED, number)]))

    def made(self, run, name, content, **more):
        """Let a run log an artifact."""
        self._time_ns += 1
        one = ArtifactLogged(run_id(run), "digits", name, digest(content), self._time_ns, **more)
        self.store.apply(WriteBatch(artifacts=[one]))

    def used(self, run, content, name=""):
        """Let a run use an artifact."""
        self._time_ns += 1
        experiment = "digits" if name else ""
        use = ArtifactUsed(run_id(run), digest(content), self._time_ns, experiment, name)
        self.store.apply(WriteBatch(artifact_uses=[use]))


@pytest.fixture(params=["sqlite://:memory:", "memory://"])
def world(request):
    """Data, a model of it, and an evaluation of the model."""
    one = World(request.param)
    for number, name in enumerate(["prepare", "train", "eval"], 1):
        one.run(number, name)
    one.made(1, "data", 1, type="dataset")
    one.used(2, 1, "data")
    one.made(2, "model", 2, type="model")
    one.used(3, 2)
    one.made(3, "report", 3)
    return one


def test_lineage_of_an_artifact_goes_both_ways(world):
    """From data over the run to the model, and on to the evaluation and what that made."""
    assert str(world.reader.lineage("model")) == (
        "digits/model:v0 (model)\n"
        "  made by run train (00000000)\n"
        "    used digits/data:v0 (dataset)\n"
        "      made by run prepare (00000000)\n"
        "  used by run eval (00000000)\n"
        "    made digits/report:v0 (file)"
    )


def test_lineage_of_a_run_is_what_it_used_and_made(world):
    """A run is asked for by its name, or as a view."""
    expected = (
        "run train (00000000)\n"
        "  used digits/data:v0 (dataset)\n"
        "    made by run prepare (00000000)\n"
        "  made digits/model:v0 (model)\n"
        "    used by run eval (00000000)\n"
        "      made digits/report:v0 (file)"
    )
    assert str(world.reader.lineage("train")) == expected
    assert str(world.reader.lineage(world.reader.run("train"))) == expected
    assert str(world.reader.lineage(world.reader.artifact("report"))).startswith("digits/report:v0 (file)")


def test_each_link_is_told_once(world):
    """Who made and used what, whichever way the walk came by it."""
    links = {(link.run_id[-1], link.action, link.artifact) for link in world.reader.lineage("train").links}

    assert links == {
        ("1", "made", "digits/data:v0"),
        ("2", "used", "digits/data:v0"),
        ("2", "made", "digits/model:v0"),
        ("3", "used", "digits/model:v0"),
        ("3", "made", "digits/report:v0"),
    }


def test_a_text_that_means_neither_is_answered_as_an_artifact(world):
    """The error names what is like it."""
    with pytest.raises(ArtifactNotFoundError, match="Did you mean 'digits/model'"):
        world.reader.lineage("modle")


def test_a_run_that_uses_what_it_made_ends_the_walk():
    """A resumed run reads its own checkpoint: the tree says that it is further up."""
    world = World()
    world.run(1, "train")
    world.made(1, "checkpoint", 1)
    world.used(1, 1, "checkpoint")

    assert str(world.reader.lineage("checkpoint")) == (
        "digits/checkpoint:v0 (file)\n"
        "  made by run train (00000000)\n"
        "    used digits/checkpoint:v0 (file) (see above)\n"
        "  used by run train (00000000)\n"
        "    made digits/checkpoint:v0 (file) (see above)"
    )


def test_two_runs_that_use_each_others_artifacts_end_the_walk():
    """A circle over several runs is drawn once."""
    world = World()
    for number in (1, 2):
        world.run(number, f"r{number}")
        world.made(number, f"a{number}", number)
        world.used(number, 3 - number)

    lines = str(world.reader.lineage("a1")).splitlines()
    assert len(lines) == 9
    assert [line for line in lines if "see above" in line] == [
        "        used digits/a1:v0 (file) (see above)",
        "        made digits/a1:v0 (file) (see above)",
    ]


def test_a_chain_of_thousands_is_walked_as_far_as_asked():
    """No depth is too large, and a walk that ends early says so."""
    world = World()
    count = 1500
    batch = WriteBatch()
    for number in range(count):
        batch.runs.append(Run(run_id(number), "digits", f"r{number}", RunState.SUCCEEDED, number))
        batch.artifacts.append(ArtifactLogged(run_id(number), "digits", f"a{number}", digest(number), number))
        batch.artifact_uses.append(ArtifactUsed(run_id(number + 1), digest(number), number))
    world.store.apply(batch)

    whole = world.reader.lineage(f"a{count - 1}", most=10 * count)
    assert (len(list(whole.steps("sources"))), whole.left_out_count) == (2 * count - 1, 0)

    cut = world.reader.lineage(f"a{count - 1}", most=10)
    assert (len(cut.sources), cut.left_out_count) == (10, 1)
    assert str(cut).endswith("  ... and at least 1 more")


def test_a_run_alone_says_that_nothing_is_known():
    """What was logged by a run that the store does not know is made by its id."""
    world = World()
    world.made(7, "model", 1)
    alone = world.reader.lineage("model")
    assert str(alone) == "digits/model:v0 (file)\n  made by run 00000000"

    world.run(1, "idle")
    assert "no run or artifact is known" in str(world.reader.lineage("idle"))


def test_what_was_used_and_is_unknown_here_is_named_by_its_digest():
    """The run that made it may be in another store."""
    world = World()
    world.run(1, "train")
    world.used(1, 5, "data")

    assert str(world.reader.lineage("train")) == "run train (00000000)\n  used sha256:000000000000"


def test_the_same_bytes_under_two_names_are_two_artifacts():
    """Who used one by its name did not use the other."""
    world = World()
    world.run(1, "train")
    world.run(2, "eval")
    world.made(1, "model", 1)
    world.made(1, "copy", 1)
    world.used(2, 1, "copy")

    assert "used by" not in str(world.reader.lineage("model"))
    assert "used by run eval" in str(world.reader.lineage("copy"))
