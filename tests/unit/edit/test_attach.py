"""Attaching telemetry without a run to a run from Python, by the mapping beside the store, and taking it back."""

import math
from datetime import UTC, datetime

import pytest

import otel_experiments as ox
from otel_experiments.errors import AmbiguousRunError, ConfigurationError, MappingFileError, RunNotFoundError
from otel_experiments.importers.otlp.emitters import mapping_path
from otel_experiments.model.attachment import TelemetryQuery
from otel_experiments.model.batch import WriteBatch
from otel_experiments.model.instrument import InstrumentPoint
from otel_experiments.model.log import LogRecord
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.run import Run, RunState
from otel_experiments.model.span import Event, Resource, Span
from otel_experiments.store import open_store

RUN, OTHER = "a" * 32, "b" * 32
TRACE = "12" * 16
SECOND_NS = 1_000_000_000
SERVER = Resource({"service.name": "server", "host.name": "box"})
TRAINER = Resource({"service.name": "trainer"})


def gauge(name, time_s, value, *, resource=SERVER, **attributes):
    """A data point of a gauge; attributes have dots where their names have two underscores."""
    held = {key.replace("__", "."): one for key, one in attributes.items()}
    return InstrumentPoint(name, "gauge", time_s * SECOND_NS, value=value, attributes=held, resource=resource)


@pytest.fixture
def path(tmp_path):
    """A store with two runs and telemetry of two services that belongs to none."""
    path = tmp_path / "runs.db"
    report = {
        "nv.dl.training.step": 8, "nv.dl.training.objective.name": "lm loss", "nv.dl.training.objective.value": 2.5,
    }  # fmt: skip
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[
                    Run(RUN, "digits", "brave-otter", RunState.SUCCEEDED, SECOND_NS, SECOND_NS, 9 * SECOND_NS),
                    Run(OTHER, "digits", "calm-heron", RunState.SUCCEEDED, SECOND_NS, SECOND_NS, 9 * SECOND_NS),
                ],
                points=[PointBlock(RUN, (SeriesKey("loss"),), [0.0], [SECOND_NS], ([0.5],))],
                spans=[
                    Span(TRACE, "1" * 16, "GET /", 2 * SECOND_NS, 3 * SECOND_NS, resource=SERVER),
                    Span(
                        "3" * 32, "4" * 16, "nv.mlm.train.log", 4 * SECOND_NS, 5 * SECOND_NS, resource=TRAINER,
                        events=(Event("nv.dl.training.objective", 4 * SECOND_NS, report),),
                    ),
                ],
                log_records=[LogRecord(2 * SECOND_NS, 2 * SECOND_NS, body="hello", trace_id=TRACE, resource=SERVER)],
                instrument_points=[
                    gauge("depth", 2, 3.0, step=7, queue="a"),
                    gauge("depth", 3, 4.0, step=8, queue="a"),
                    gauge("heat", 2, 50.0),
                    gauge("heat", 3, 60.0),
                    gauge("loss", 6, math.nan, step=1, resource=TRAINER),
                ],
            )
        )  # fmt: skip
    return path


def series_of(path, run=RUN):
    """The series of a run: by name, what it has at which step."""
    view = ox.run(run, store=path)
    return {one.name: list(zip(one.steps, map(str, one.values), strict=True)) for one in view.metrics.all()}


def test_what_a_service_sent_becomes_the_runs(path):
    """Spans, log records and gauges of a service belong to the run, and the run shows how much of it there is."""
    report = ox.attach("brave-otter", service="server", store=path)
    run = ox.run(RUN, store=path)

    assert (report.run_id, report.services) == (RUN, ("server",))
    assert (report.span_count, report.log_record_count, report.data_point_count) == (1, 1, 4)
    assert [span.name for span in run.spans] == ["GET /"]
    assert [record.body for record in run.log_records] == ["hello"]
    assert [(one.service, one.span_count, one.data_point_count) for one in run.attached] == [("server", 1, 4)]
    assert [one.service for one in ox.open_reader(path).unattached()] == ["trainer"]


def test_gauges_become_series_on_the_axis_of_their_steps(path):
    """A gauge with a step attribute is a series by step; one without has the order of its times, and says so."""
    report = ox.attach(RUN, service="server", store=path)
    metrics = ox.run(RUN, store=path).metrics

    assert report.series_count == 2
    assert series_of(path) == {
        "loss": [(0.0, "0.5")],
        "depth{queue=a}": [(7.0, "3.0"), (8.0, "4.0")],
        "heat": [(0.0, "50.0"), (1.0, "60.0")],
    }
    assert [metrics[name].has_derived_steps for name in ("depth{queue=a}", "heat")] == [False, True]


def test_span_events_with_numbers_become_points(path):
    """Reports of a Megatron training that named no run are curves of the run that it is attached to."""
    ox.attach(RUN, trace="3333", store=path)

    assert series_of(path)["lm loss"] == [(8.0, "2.5")]


def test_attributes_stay_as_they_came(path):
    """Attaching and taking back change no attribute of spans and data points."""

    def contents():
        with open_store(path) as store:
            spans = [
                (span.name, dict(span.attributes), span.events, span.resource)
                for span in ox.open_reader(path).spans
            ]
            points = [(one.name, dict(one.attributes), one.resource) for one in store.instrument_points()]
        return spans, points

    before = contents()
    ox.attach(RUN, since="1970-01-01T00:00:00Z", store=path)
    during = contents()
    ox.detach(RUN, store=path)

    assert before == during == contents()


def test_attaching_twice_is_attaching_once(path):
    """The same call again finds nothing more, and doubles no point."""
    ox.attach(RUN, service="server", store=path)
    before = series_of(path)
    again = ox.attach(RUN, service="server", store=path)

    assert again.groups == ()
    assert series_of(path) == before


def test_an_attachment_that_was_interrupted_is_made_whole(path):
    """A process that died between giving the telemetry to the run and making its points loses none: the call again does it."""
    ox.attach(RUN, service="server", store=path)
    with open_store(path) as store:
        removed = [
            PointBlock(RUN, (one.key,), points.steps, points.times_ns, (points.values,))
            for one in store.series([RUN])[RUN]
            if one.key.name != "loss"
            for points in [store.points(RUN, one.key)]
        ]
        from otel_experiments.model.attachment import Detachment, TelemetryQuery

        store.apply(WriteBatch(detach=[Detachment(TelemetryQuery(RUN, service="nowhere"), tuple(removed))]))
    assert set(series_of(path)) == {"loss"}

    ox.attach(RUN, service="server", store=path)

    assert set(series_of(path)) == {"loss", "depth{queue=a}", "heat"}


def test_taking_back_leaves_the_run_as_it_was(path):
    """Detaching gives all of it back, points included, and nothing that the run recorded itself."""
    ox.attach(RUN, since="1970-01-01T00:00:00Z", store=path)
    assert series_of(path)["loss"] == [(0.0, "0.5"), (1.0, "nan")]

    report = ox.detach(RUN, store=path)

    assert set(report.services) == {"server", "trainer"}
    assert series_of(path) == {"loss": [(0.0, "0.5")]}
    assert ox.run(RUN, store=path).attached == []
    assert {one.service for one in ox.open_reader(path).unattached()} == {"server", "trainer"}


def test_a_part_can_be_taken_back(path):
    """Of two services, one is taken back; the other keeps its points."""
    ox.attach(RUN, since="1970-01-01T00:00:00Z", store=path)
    ox.detach(RUN, service="server", store=path)

    assert set(series_of(path)) == {"loss", "lm loss"}


def test_time_and_resource_narrow_what_is_attached(path):
    """Only what began in a stretch of time, and has an attribute of the resource, is attached."""
    since = datetime.fromtimestamp(2, tz=UTC)
    report = ox.attach(
        RUN, since=since, until="1970-01-01T00:00:03Z", resource={"host.name": "box"}, store=path
    )

    assert (report.span_count, report.log_record_count, report.data_point_count) == (1, 1, 2)


def test_telemetry_goes_to_another_run_only_after_it_was_taken_back(path):
    """What is attached to one run is not attached to a second; taken back from the first, it can be."""
    ox.attach(RUN, service="server", store=path)
    assert ox.attach(OTHER, service="server", store=path).groups == ()

    ox.detach(RUN, store=path)

    assert ox.attach(OTHER, service="server", store=path).span_count == 1
    assert set(series_of(path, OTHER)) == {"depth{queue=a}", "heat"}


def test_the_mapping_beside_the_store_decides_the_steps(path):
    """A step attribute that a mapping takes away stays an attribute of the series."""
    mapping_path(path).write_text('[step]\nwithout = ["step"]\n')

    ox.attach(RUN, service="server", store=path)

    assert set(series_of(path)) == {"loss", "depth{queue=a, step=7}", "depth{queue=a, step=8}", "heat"}


def test_a_wrong_mapping_is_said_before_anything_is_attached(path):
    """With a mapping that cannot be used nothing is attached."""
    mapping_path(path).write_text("step = 3\n")

    with pytest.raises(MappingFileError, match="line 1, step"):
        ox.attach(RUN, service="server", store=path)

    mapping_path(path).unlink()
    assert ox.run(RUN, store=path).attached == []


def test_a_store_that_this_process_records_into_takes_attachments(tmp_path):
    """Without a store it is the one that this process records into; what it recorded last is there."""
    ox.configure(store=tmp_path / "runs.db", otlp=False)
    with ox.start_run("own") as run:
        run.log({"loss": 1.0}, step=0)
    with open_store(tmp_path / "runs.db") as store:
        store.apply(WriteBatch(instrument_points=[gauge("depth", 2, 3.0, step=7)]))

    report = ox.attach("own", service="server")

    assert (report.run_id, report.data_point_count) == (run.id, 1)
    assert set(series_of(tmp_path / "runs.db", run.id)) == {"loss", "depth"}
    ox.shutdown()


@pytest.mark.parametrize(
    ("selection", "said"),
    [
        ({}, "Nothing says what is to be attached to run 'brave-otter'.\n  Name a trace, a service"),
        (
            {"trace": "xyz"},
            "Trace 'xyz' cannot be looked for: it is no hexadecimal number of up to 32 digits.",
        ),
        ({"since": "yesterday"}, "The time since is 'yesterday', which is no date.\n  Write it as"),
        ({"until": "noon"}, "The time until is 'noon', which is no date.\n  Write it as"),
    ],
)
def test_what_cannot_be_understood_is_an_error_that_says_what_to_write(path, selection, said):
    """A call that names nothing, a wrong trace id or a wrong time changes nothing and says what would do."""
    with pytest.raises(ConfigurationError) as error:
        ox.attach("brave-otter", **selection, store=path)

    assert str(error.value).startswith(said)
    assert ox.run(RUN, store=path).attached == []


def test_a_beginning_of_several_trace_ids_is_refused(path):
    """A beginning that two traces have names both, so that more digits can be given."""
    with open_store(path) as store:
        store.apply(WriteBatch(spans=[Span("1234" + "5" * 28, "1" * 16, "other", 1, 2, resource=SERVER)]))

    with pytest.raises(ConfigurationError, match="is the beginning of 2 trace ids"):
        ox.attach(RUN, trace="12", store=path)
    assert ox.attach(RUN, trace="1234", store=path).span_count == 1
    assert ox.attach(RUN, trace="ffff", store=path).groups == ()


def test_attaching_again_is_told_from_naming_what_is_not_there(path):
    """A report says whether there is anything of what was meant: attached now, attached before, or nothing at all."""
    reports = [ox.attach(RUN, trace=TRACE[:6], store=path) for _ in range(2)]
    reports += [ox.attach(RUN, **{key: "fade"}, store=path) for key in ("trace", "service")]

    assert [bool(report.groups) for report in reports] == [True, False, False, False]
    assert [report.is_found for report in reports] == [True, True, False, False]


def test_a_run_is_changed_by_name_only_where_one_run_has_it(path):
    """A name that two runs have, or none, changes no run."""
    with open_store(path) as store:
        store.apply(WriteBatch(runs=[Run("c" * 32, "digits", "brave-otter", RunState.SUCCEEDED, 9)]))

    with pytest.raises(AmbiguousRunError):
        ox.attach("brave-otter", service="server", store=path)
    with pytest.raises(RunNotFoundError):
        ox.detach("nobody", store=path)


def test_a_store_on_a_network_filesystem_is_refused(path, monkeypatch):
    """Where runs stay in journals nothing can be attached, and the text says what to do instead."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_NETWORK_FILESYSTEM", "true")

    with pytest.raises(ConfigurationError, match="lies on a network filesystem") as error:
        ox.attach(RUN, service="server", store=path)

    assert "Copy the store and its journals to a disk of this machine" in str(error.value)


@pytest.mark.parametrize("calls", [1, 2])
def test_the_runs_own_points_stay_where_the_same_came_without_a_run(tmp_path, calls):
    """A history that a run logged and that also arrived without the run's id is the run's still when that is taken back."""
    path = tmp_path / "runs.db"
    steps, times_ns = [0.0, 1.0, 2.0], [2 * SECOND_NS, 3 * SECOND_NS, 4 * SECOND_NS]
    with open_store(path) as store:
        store.apply(
            WriteBatch(
                runs=[Run(RUN, "digits", "brave-otter", RunState.SUCCEEDED, SECOND_NS, SECOND_NS, 9 * SECOND_NS)],
                points=[PointBlock(RUN, (SeriesKey("loss"),), steps, times_ns, ([0.5, math.nan, 0.25],))],
                instrument_points=[
                    gauge("loss", 2, 0.5, step=0),
                    gauge("loss", 3, math.nan, step=1),
                    gauge("loss", 5, 0.75, step=3),
                    gauge("loss", 2, 0.5, step=0, resource=TRAINER),
                ],
            )
        )  # fmt: skip
    own = series_of(path)

    for _ in range(calls):
        ox.attach(RUN, service="server", store=path)
    ox.attach(RUN, service="trainer", store=path)
    assert set(series_of(path)["loss"]) == {*own["loss"], (3.0, "0.75")}
    ox.detach(RUN, service="server", store=path)
    assert set(series_of(path)["loss"]) == set(own["loss"])
    ox.detach(RUN, store=path)

    assert series_of(path) == own


def test_telemetry_that_another_store_attached_is_attached_by_an_import(path, tmp_path):
    """A store that has telemetry without its run takes from another store that it is attached; nothing is doubled."""
    other = tmp_path / "other.db"
    with open_store(path) as store, open_store(other) as into:
        for run_id in (RUN, None):
            for page in list(store.whole_run(run_id)):
                into.apply(page)
    before = series_of(other)
    ox.attach(RUN, service="server", store=path)
    for _ in range(2):
        ox.import_store(path, store=other)
        (group,) = ox.run(RUN, store=other).attached
        assert (group.span_count, group.log_record_count, group.data_point_count) == (1, 1, 4)
        assert series_of(other) == series_of(path)

    assert ox.attach(RUN, service="server", store=other).groups == ()
    assert series_of(other) == series_of(path)
    ox.detach(RUN, store=other)
    assert series_of(other) == before


def test_every_store_takes_that_telemetry_was_attached_elsewhere(path):
    """A store in memory takes it too: what it had without a run is the run's, and is counted once."""
    with open_store(path) as store, open_store("memory://") as into:
        for page in list(store.whole_run(None)):
            into.apply(page)
        ox.attach(RUN, service="server", store=path)
        for page in store.whole_run(RUN):
            into.apply(page)
        (group,) = into.telemetry_groups(TelemetryQuery(RUN))
        (rest,) = into.telemetry_groups(TelemetryQuery(None))

    assert (group.span_count, group.log_record_count, group.data_point_count) == (1, 1, 4)
    assert rest.service == "trainer"
