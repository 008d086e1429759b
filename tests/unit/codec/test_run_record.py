"""The event with which an export carries the run itself: exactly what was stored, and no more than the model takes."""

import json
import math
from dataclasses import replace

import pytest

from otel_experiments.codec.run_record import dump_run_record, load_run_record
from otel_experiments.errors import TelemetryDecodeError
from otel_experiments.model.artifact import AliasSet, ArtifactLogged, ArtifactUsed
from otel_experiments.model.batch import (
    Heartbeat,
    MetricDefinition,
    ParamSet,
    RunStateChange,
    TagSet,
    WriteBatch,
)
from otel_experiments.model.run import Owner, Run, RunState

RUN_ID = "0af7651916cd43dd8448eb211c80319c"
DIGEST = f"sha256:{'1' * 64}"
RUN = Run(
    RUN_ID,
    "digits",
    "😀 otter",
    RunState.PAUSED,
    10,
    paused_ns=30,
    owner=Owner("box", "boot", 7, 9),
    resource={"service.name": "digits", "sizes": [1, 2.0]},
)
BATCH = WriteBatch(
    runs=[RUN],
    state_changes=[RunStateChange(RUN_ID, RunState.RUNNING, 40, owner=Owner("box", "boot", 7, 9))],
    heartbeats=[Heartbeat(RUN_ID, 50)],
    params=[
        ParamSet(RUN_ID, "seed", 2**90, 5),
        ParamSet(RUN_ID, "lr", -0.0, -2),
        ParamSet(RUN_ID, "sizes", [1, 2.0, None, True, "x"], 5),
        ParamSet(RUN_ID, "limit", math.inf, 5),
    ],
    tags=[TagSet(RUN_ID, "team", "blue", 5), TagSet(RUN_ID, "gone", None, 6)],
    metric_definitions=[MetricDefinition(RUN_ID, "val/*", "max"), MetricDefinition(RUN_ID, "x")],
    artifacts=[
        ArtifactLogged(RUN_ID, "digits", "model", DIGEST, 7),
        ArtifactLogged(
            RUN_ID,
            "digits",
            "img",
            DIGEST,
            8,
            role="media",
            is_folder=True,
            step=math.inf,
            index=2,
            caption="a",
            metadata={"at": [1, {"b": math.nan}]},
            rank=0,
            version=3,
        ),
    ],
    artifact_uses=[ArtifactUsed(RUN_ID, DIGEST, 9, "digits", "data")],
    artifact_aliases=[
        AliasSet("digits", "model", "best", DIGEST, 7, RUN_ID),
        AliasSet("digits", "model", "old", None, 8, "b" * 32),
        AliasSet("digits", "model", "mine", DIGEST, 9),
    ],
)


def _artifact(field):
    """A record of one artifact with a field of this form."""
    required = f'"experiment": "e", "name": "n", "digest": "{DIGEST}", "time_ns": 1'
    return f'{{"artifacts": [{{{required}, {field}}}]}}'


def test_a_run_comes_back_exactly():
    """Row, state, sign of life, params of any type and size, removed tags and definitions: nothing is changed."""
    assert repr(load_run_record(RUN_ID, dump_run_record(BATCH))) == repr(BATCH)


def test_a_text_of_a_newer_release_is_read_as_far_as_it_is_known():
    """Fields and lists that this release does not know are left out."""
    text = json.dumps(
        {"runs": [{"experiment": "e", "name": "n", "state": "pending", "created_ns": 1, "mood": 1}], "x": 1}
    )

    assert load_run_record(RUN_ID, text).runs == [Run(RUN_ID, "e", "n", RunState.PENDING, 1)]


def test_the_run_of_a_record_is_that_of_the_event():
    """A record says nothing of any other run than the one that it came under."""
    text = dump_run_record(BATCH).replace('"experiment"', f'"run_id":"{"b" * 32}","experiment"')

    assert load_run_record(RUN_ID, text).runs == [replace(RUN)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "an object was expected"),
        ("{", "Expecting property name"),
        ('{"params": {}}', "a list was expected"),
        ('{"params": ["x"]}', "an object was expected"),
        ('{"params": [{"key": 1, "value": 2, "time_ns": 3}]}', "a text was expected, 1 was found"),
        ('{"params": [{"key": "a", "value": {"b": 1}, "time_ns": 3}]}', "no param has the value"),
        (
            '{"params": [{"key": "a", "value": 2, "time_ns": true}]}',
            "an integer was expected, True was found",
        ),
        ('{"heartbeats": [{"time_ns": 9223372036854775808}]}', "an integer was expected"),
        ('{"heartbeats": [{}]}', "a Heartbeat without time_ns"),
        ('{"metric_definitions": [{"pattern": "a", "direction": "up"}]}', "no metric has the direction 'up'"),
        ('{"artifact_uses": [{"digest": "sha256:12", "time_ns": 3}]}', "a digest was expected, 'sha256:12'"),
        (_artifact('"role": "picture"'), "no artifact has the role 'picture'"),
        (_artifact('"is_folder": 1'), "true or false was expected, 1 was found"),
        (_artifact('"step": "1"'), "a number was expected, '1' was found"),
        (_artifact('"step": true'), "a number was expected, True was found"),
        (_artifact('"metadata": [1]'), "an object was expected"),
        ('{"runs": [{"experiment": "e", "name": "n", "state": "odd", "created_ns": 1}]}', "odd"),
    ],
)
def test_what_no_export_writes_is_refused(text, why):
    """A body from the network is checked before a store gets it; the error names the event, the run and what is wrong."""
    with pytest.raises(TelemetryDecodeError, match=r"ml\.run\.record") as caught:
        load_run_record(RUN_ID, text)

    assert RUN_ID in str(caught.value)
    assert why in str(caught.value)
