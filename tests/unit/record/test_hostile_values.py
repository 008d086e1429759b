"""Values that do anything when they are looked at: what they cannot say is lost and counted, never more."""

import sys

import pytest

import otel_experiments as ox
from otel_experiments.semconv import attributes as attr


class Mute:
    """A value that says nothing about itself."""

    def __repr__(self):
        raise RuntimeError("no text")


class MuteError(Exception):
    """An exception of the user's whose text cannot be had."""

    def __str__(self):
        raise RuntimeError("no text")


def test_an_exception_without_a_text_fails_the_run_and_its_spans(recording, read):
    """The user's exception passes, and the run is failed: never running, lost or succeeded."""
    with pytest.raises(MuteError), ox.start_run("mute") as run, run.stage("work"):
        raise MuteError

    stored = read("mute")
    root, stage = stored.spans
    assert (stored.state, stored.reason) == ("failed", "<MuteError without a text>")
    assert root.end_ns is not None
    assert stage.end_ns is not None
    assert stage.attributes[attr.ERROR_TYPE].endswith("MuteError")


@pytest.mark.parametrize(
    ("end", "state", "reason"),
    [
        (lambda run: run.fail(MuteError()), "failed", "<MuteError without a text>"),
        (lambda run: run.fail(None), "failed", ""),
        (lambda run: run.finish(reason=5), "succeeded", "5"),
        (lambda run: run.cancel(Mute()), "cancelled", "<Mute without a text>"),
    ],
    ids=["fail", "fail with none", "finish", "cancel"],
)
def test_a_reason_of_any_kind_ends_the_run(recording, read, end, state, reason):
    """A run whose reason cannot be read has ended all the same."""
    run = ox.start_run("ended")
    end(run)

    assert (read("ended").state, read("ended").reason) == (state, reason)


def test_sys_exit_with_a_mute_code_fails_the_run(recording, read):
    """The exit code is shown where it can be."""
    with pytest.raises(SystemExit), ox.start_run("exit"):
        sys.exit(Mute())

    assert (read("exit").state, read("exit").reason) == ("failed", "sys.exit(which cannot be shown)")


@pytest.mark.parametrize(
    "record",
    [
        lambda run: run.log(None, epoch=1),
        lambda run: run.log([("loss", 1)], epoch=1),
        lambda run: run.log_metric([1], 2),
        lambda run: run.log_metric_at([1], 2, 3),
        lambda run: run.log_param([1], 2),
        lambda run: run.set_tag([1], 2),
        lambda run: run.log({"loss": Mute()}),
        lambda run: run.log({Mute: 1, (1, 2): 2}),
        lambda run: run.set_tags({None: 1}),
        lambda run: run.log_params({"": 1}),
        lambda run: run.checkpoint("best").wrote(None),
    ],
    ids=[
        "none",
        "pairs",
        "name",
        "name at",
        "param",
        "tag",
        "value",
        "names",
        "tags",
        "params",
        "checkpoint",
    ],
)
def test_what_cannot_be_recorded_is_counted_and_told(forgiving, caplog, record):
    """Training goes on; the loss has a number and one line in the log for each name, however often it comes."""
    with ox.start_run("r") as run:
        record(run)
        told = len(caplog.records)
        record(run)

    assert sum(forgiving.guard.losses.values()) == 2 * told
    assert len(caplog.records) == told


@pytest.mark.parametrize("name", [Mute(), 3, None], ids=["mute", "number", "none"])
def test_work_of_any_name_is_a_span(recording, read, name):
    """A name that is no text is recorded as its text."""
    with ox.start_run("r") as run, run.stage(name), run.evaluation(name), run.inference(name):
        pass

    text = "<Mute without a text>" if isinstance(name, Mute) else str(name)
    assert [s.name for s in read("r").spans][1:] == [f"stage {text}", f"evaluate {text}", f"infer {text}"]


def test_points_after_the_end_are_counted_and_told_once(forgiving, caplog):
    """A loop that goes on after `finish` hears of it, once; a value that is no mapping raises nothing."""
    with ox.start_run("r") as run:
        run.log({"loss": 1.0})
    for _ in range(3):
        run.log({"loss": 2.0, "acc": 0.5})
    run.log(None)

    assert run.refused_count == 7
    assert forgiving.guard.losses == {"point after the end": 7}
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        f"Run {run.id[:8]} has ended"
    ]


def test_one_odd_param_costs_no_other(forgiving):
    """What a value cannot say is replaced by its kind; keys that cannot be used are left out."""
    holds_itself = {"depth": 1}
    holds_itself["inner"] = holds_itself
    row = [1]
    row.append(row)
    with ox.start_run("r", config={"lr": 0.1, "mute": Mute(), "set": {Mute()}, "row": row}) as run:
        run.log_params({"loop": holds_itself, "late": 1})

    read = ox.run
    mute = "<Mute without a text>"
    assert dict(read("r").params) == {
        "lr": 0.1,
        "mute": mute,
        "set": [mute],
        "row": [1, "<a value that holds itself>"],
        "loop": read("r").params["loop"],
        "late": 1,
    }
    assert read("r").params["loop.inner"] == "<a value that holds itself>"


class Lazy:
    """A proxy that fails at the first look."""

    def __getattr__(self, name):
        raise RuntimeError("not loaded")


class Faceless:
    """A value that does not even say of which class it is."""

    @property
    def __class__(self):
        raise RuntimeError("no class")


class Endless(list):
    """A list that can be neither counted nor read."""

    def __len__(self):
        raise RuntimeError("no length")

    __bool__ = __iter__ = __len__


class Torn(dict):
    """A mapping that fails in the middle."""

    def items(self):
        """Give one value, then fail."""
        yield "first", 2.0
        raise RuntimeError("torn")


@pytest.mark.parametrize(
    ("value", "others"),
    [
        (Lazy(), {}),
        (Faceless(), {}),
        (Endless([1]), {}),
        (type("Pair", (tuple,), {"__len__": Lazy.__getattr__})((1,)), {}),
        (Torn(first=1), {"strange.first": 2.0}),
        (type("Unsure", (dict,), {"__bool__": lambda _self: 1 / 0, "__len__": lambda _self: 1 / 0})(), {}),
    ],
    ids=["attributes", "class", "list", "tuple", "torn mapping", "unsure mapping"],
)
def test_a_strange_value_costs_no_other_value_of_its_call(forgiving, caplog, value, others):
    """Whatever a value does when it is looked at, the numbers of the same call are kept, and it is counted and told once."""
    with ox.start_run("strange") as run:
        for step in (0, 1):
            run.log({"loss": 1.5, "strange": value, "accuracy": 0.5}, step=step)

    stored = ox.run("strange")
    assert {name: stored.metrics[name].last for name in stored.metrics} == {
        "loss": 1.5,
        "accuracy": 0.5,
        **others,
    }
    assert list(stored.metrics["loss"].points().steps) == [0, 1]
    assert forgiving.guard.losses == {"metric value": 2}
    assert len(caplog.records) == 1
    assert "strange" in caplog.text


def test_keys_that_cannot_be_used_cost_only_themselves(forgiving):
    """The rest of the call is recorded."""
    with ox.start_run("r") as run:
        run.log_params({"": 1, "lr": 0.1})
        run.set_tags({"": 1, "team": Mute(), "odd": "a\0b"})

    assert dict(ox.run("r").params) == {"lr": 0.1}
    assert ox.run("r").tags == {"team": "<Mute without a text>", "odd": "a\ufffdb"}
    assert forgiving.guard.losses == {"name": 2, "text changed": 1}


def test_values_that_hold_themselves_twice_end_at_once(forgiving):
    """Two ways round a loop are not two to the power of the depth."""
    loop = {}
    loop["a"], loop["b"] = loop, loop
    row = []
    row += [row, row]

    with ox.start_run("r") as run:
        run.log_params({"loop": loop, "row": row})
        run.emit("round", body=loop)

    assert len(dict(ox.run("r").params)) >= 2


@pytest.mark.parametrize("start", [{"condition": Mute()}, {"name": Mute()}, {"group": Mute()}])
def test_a_mute_argument_of_start_run_is_a_clear_error(recording, start):
    """The error is ours, and says which argument."""
    with pytest.raises(ox.errors.ConfigurationError, match=r"which cannot be shown.*of type Mute"):
        ox.start_run(**start)
