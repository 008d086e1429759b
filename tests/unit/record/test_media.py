"""What `run.log` is given that is no number: kept at its step, and read back as what it was."""

import json
import logging
import math
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import PIL.Image
import plotly.graph_objects
import polars as pl
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

import otel_experiments as ox
from otel_experiments._configure import active_store
from otel_experiments.cli.root import root
from otel_experiments.errors import (
    ArtifactMissingError,
    MediaNotFoundError,
    MediaUnreadableError,
    RecordingError,
)
from otel_experiments.query import Reader

PIXELS = np.arange(12, dtype=np.uint8).reshape(3, 4)


def losses(run):
    """Return {(kind, name): count} of what a stored run lost."""
    return {(one.kind, one.name): one.count for one in ox.run(run.id).losses}


def test_a_picture_is_read_back_by_its_step(recording):
    """A picture is kept with its caption at the step of the call, and comes back pixel by pixel."""
    with ox.start_run("r", experiment="e"):
        ox.log({"img": ox.Image(PIXELS, caption="first")}, step=3)
        ox.log({"img": ox.Image(PIXELS + 1)}, step=7.5)

    series = ox.run("r").media["img"]
    assert (series.name, series.type, series.steps, len(series)) == ("img", "image", [3, 7.5], 2)
    item = series.at(3)
    assert (item.step, item.caption, item.media_type, item.run_id) == (
        3,
        "first",
        "image/png",
        ox.run("r").id,
    )
    assert item.read().tolist() == PIXELS.tolist()
    assert series.last.read().tolist() == (PIXELS + 1).tolist()
    assert [one.step for one in series] == [3, 7.5]
    assert item.read_bytes().startswith(b"\x89PNG")


def test_a_picture_with_a_time_is_of_that_time(recording):
    """`time=` says when a picture was made, as it does for the numbers of the call; without it that is now."""
    made = datetime(2020, 1, 1, tzinfo=UTC)
    with ox.start_run("r", experiment="e") as run:
        run.log({"img": [ox.Image(PIXELS), ox.Image(PIXELS)], "loss": 1.0}, time=made)
        run.log({"later": ox.Image(PIXELS)})

    stored = ox.run("r")
    assert [item.logged_ns for item in stored.media["img"]] == [1577836800 * 10**9] * 2
    assert next(iter(stored.metrics["loss"].points())).time == made
    assert stored.media["later"].last.logged_ns >= stored.created_ns


def test_each_kind_of_media_is_kept(recording):
    """Every class, and figures, images of Pillow and frames as they are, are kept under their own type."""
    frame = pd.DataFrame({"a": [1, 2]})
    with ox.start_run("r") as run:
        run.log(
            {
                "array": ox.Image(PIXELS),
                "pillow": PIL.Image.fromarray(PIXELS),
                "figure": Figure(figsize=(1, 1)),
                "plotly": plotly.graph_objects.Figure(plotly.graph_objects.Bar(y=[1])),
                "pandas": frame,
                "polars": pl.DataFrame({"a": [1]}),
                "rows": ox.Table(columns=["a"], data=[[1]]),
                "text": ox.Text("said"),
                "html": ox.Html("<b>x</b>"),
                "audio": ox.Audio(np.zeros(8), 8000),
                "video": ox.Video(np.zeros((2, 4, 4))),
                "histogram": ox.Histogram([1, 2]),
                "matrix": ox.confusion_matrix([0, 1], [1, 1]),
                "roc": ox.roc_curve([0, 1], [0.1, 0.9]),
                "pr": ox.pr_curve([0, 1], [0.1, 0.9]),
            },
            step=1,
        )

    media = ox.run("r").media
    assert {name: series.type for name, series in media.items()} == {
        "array": "image",
        "pillow": "image",
        "figure": "figure",
        "plotly": "figure",
        "pandas": "table",
        "polars": "table",
        "rows": "table",
        "text": "text",
        "html": "html",
        "audio": "audio",
        "video": "video",
        "histogram": "histogram",
        "matrix": "plot",
        "roc": "plot",
        "pr": "plot",
    }
    read = {name: series.last.read() for name, series in media.items()}
    assert read["pandas"].equals(frame)
    assert read["text"] == "said"
    assert read["roc"].data["curves"][0]["area"] == 1
    assert read["video"].read_bytes().startswith(b"\x89PNG")
    assert ox.run("r").artifacts == {}
    assert losses(run) == {}


def test_numbers_of_the_call_are_kept_and_media_share_their_step(recording):
    """Without a step a picture gets that of the numbers beside it; alone, the next one of its name."""
    with ox.start_run("r") as run:
        run.log({"loss": 0.5})
        run.log({"loss": 0.4, "img": ox.Image(PIXELS)})
        run.log({"img": ox.Image(PIXELS), "other": ox.Text("x")})
        run.log({"img": ox.Image(PIXELS)}, step=10)
        run.log({"img": ox.Image(PIXELS)})

    media = ox.run("r").media
    assert media["img"].steps == [1, 2, 10, 11]
    assert media["other"].steps == [0]
    assert list(ox.run("r").metrics["loss"].points().values) == [0.5, 0.4]


def test_a_list_is_kept_in_its_order(recording):
    """Pictures logged in a list are at one step, each with its position."""
    with ox.start_run("r") as run:
        run.log({"imgs": [ox.Image(PIXELS + at, caption=str(at)) for at in range(3)]}, step=2)

    series = ox.run("r").media["imgs"]
    assert [item.caption for item in series.all_at(2)] == ["0", "1", "2"]
    assert series.at(2).caption == "0"
    assert series.at(2, index=2).read().tolist() == (PIXELS + 2).tolist()
    assert series.last.index == 0
    with pytest.raises(MediaNotFoundError, match="there it has index 0, 1, 2"):
        series.at(2, index=3)


def test_what_of_a_list_is_no_medium_is_told_and_the_others_are_kept(forgiving, caplog):
    """A number among pictures loses no picture: its place in the list is told, and counted."""
    with ox.start_run("r") as run:
        run.log({"img": [5, ox.Image(PIXELS), None], "loss": 1.0}, step=1)

    series = ox.run("r").media["img"]
    assert [(item.step, item.index) for item in series] == [(1, 1)]
    assert series.last.read().tolist() == PIXELS.tolist()
    assert losses(run) == {("media", "img"): 2}
    assert "Item 0 of the list 'img' is not kept: int is no medium; log numbers under a name" in caplog.text
    assert "such as its mean" not in caplog.text
    assert ox.run("r").metrics["loss"].last == 1.0


def test_a_step_that_is_logged_again_is_replaced_by_the_later_one(recording):
    """Of two pictures at one step `at` gives the later; both are kept."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS)}, step=1)
        run.log({"img": ox.Image(PIXELS + 5)}, step=1)

    series = ox.run("r").media["img"]
    assert len(series) == 2
    assert series.at(1).read()[0, 0] == 5


def test_phases_are_told_apart(recording):
    """What was logged in a phase is found by it."""
    with ox.start_run("r") as run:
        run.log({"t": ox.Text("a")}, step=1, phase="train")
        run.log({"t": ox.Text("b")}, step=1, phase="validation")

    series = ox.run("r").media["t"]
    assert [series.at(1, phase=phase).read() for phase in ("train", "validation")] == ["a", "b"]
    assert series.at(1, phase="train").phase == "train"
    with pytest.raises(MediaNotFoundError, match="step 1, phase='test'"):
        series.at(1, phase="test")


def test_nested_names_are_dotted(recording):
    """A picture inside a nested mapping has a dotted name, as numbers have."""
    with ox.start_run("r") as run:
        run.log({"val": {"img": ox.Image(PIXELS), "loss": 1.0}})

    assert list(ox.run("r").media) == ["val.img"]
    assert list(ox.run("r").metrics) == ["val.loss"]


def test_the_nearest_steps_and_names_are_said(recording):
    """A step without a picture names its neighbours, a wrong name the nearest one."""
    with ox.start_run("r") as run:
        for step in (0, 10, 20, 30, 40):
            run.log({"img": ox.Text("x")}, step=step)

    with pytest.raises(MediaNotFoundError, match=r"'img' at step 25: the nearest steps are 10, 20, 30, 40"):
        ox.run("r").media["img"].at(25)
    with pytest.raises(MediaNotFoundError, match="Did you mean 'img'"):
        ox.run("r").media["imgs"]
    assert "imgs" not in ox.run("r").media


def test_distributions_of_all_steps_are_one_heat_map(recording):
    """Distributions by step come in common bins, a row for each step; of a step that was logged twice the later."""
    with ox.start_run("r") as run:
        run.log({"w": ox.Histogram(np_histogram=([9], [0, 1]))}, step=0)
        run.log({"w": ox.Histogram(np_histogram=([4, 2], [0, 1, 2]))}, step=0)
        run.log({"w": ox.Histogram(np_histogram=([8], [1, 3]))}, step=5)

    found = ox.run("r").media["w"].heatmap(bins=3)
    assert (found.steps, found.edges) == ([0, 5], [0, 1, 2, 3])
    assert found.counts == [[4, 2, 0], [0, 4, 4]]


def test_a_heat_map_is_of_distributions_only(recording):
    """Texts make no heat map; the error says what does."""
    with ox.start_run("r") as run:
        run.log({"t": ox.Text("x")})
    with pytest.raises(MediaUnreadableError, match=r"log ox.Histogram\(values\)"):
        ox.run("r").media["t"].heatmap()


BAD = {
    "shape": lambda: ox.Image(np.zeros((5, 6, 7))),
    "empty table": ox.Table,
    "no samples": lambda: ox.Audio(np.zeros(0), 8000),
    "no values": lambda: ox.Histogram([]),
    "one class": lambda: ox.roc_curve([0], [0.5]),
    "no file": lambda: ox.Image("missing.png"),
    "folder": lambda: ox.Video("folder.mp4"),
    "raises": lambda: type("Broken", (ox.Image,), {"encode": lambda self, tell: 1 / 0})(PIXELS),
}


@pytest.mark.parametrize("make", BAD.values(), ids=BAD.keys())
def test_what_cannot_be_kept_is_counted_and_told_once_for_its_name(forgiving, caplog, tmp_path, make):
    """Training goes on, the numbers of the call are kept; the log says it once, the run counts each."""
    (tmp_path / "folder.mp4").mkdir()
    with ox.start_run("r") as run:
        for _ in range(3):
            run.log({"loss": 1.0, "bad": make()})

    assert losses(run) == {("media", "bad"): 3}
    assert len(ox.run("r").metrics["loss"].points()) == 3
    assert len(ox.run("r").media) == 0
    told = [record.getMessage() for record in caplog.records if "'bad' is not kept: " in record.getMessage()]
    assert len(told) == 1


def test_what_is_kept_otherwise_than_given_is_counted_under_another_kind(forgiving, caplog):
    """NaN pixels become black: the picture is kept, and what was changed is counted."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(np.full((2, 2), math.nan), masks={})})

    assert losses(run) == {("media value", "img"): 2}
    assert len(ox.run("r").media["img"]) == 1
    assert "'img' is not kept as it was given" in caplog.text


def test_what_is_neither_number_nor_media_is_a_lost_value(forgiving, caplog):
    """A bare array is no picture; the log says how to make it one."""
    with ox.start_run("r") as run:
        run.log({"array": PIXELS, "mixed": [3, 4]})

    assert losses(run) == {("metric value", "array"): 1, ("metric value", "mixed"): 1}
    assert "Image(array)" in caplog.text


def test_errors_of_media_are_errors_in_tests(recording):
    """With on_error="raise" a picture that cannot be kept raises."""
    with ox.start_run("r") as run, pytest.raises((RecordingError, ValueError), match="is no picture"):
        run.log({"img": ox.Image(np.zeros((5, 6, 7)))})


def test_names_that_cannot_be_used_are_told(forgiving):
    """A picture without a name is counted, and the other one is kept."""
    with ox.start_run("r") as run:
        run.log({"": ox.Text("x"), "ok": ox.Text("y")})

    assert losses(run) == {("media name", ""): 1}
    assert list(ox.run("r").media) == ["ok"]


def test_nothing_is_kept_in_a_pause_or_after_the_end(forgiving):
    """A picture that comes in a pause is refused as points are, one after the end is a loss."""
    with ox.start_run("r") as run:
        run.pause()
        run.log({"img": ox.Image(PIXELS)})
        assert run.refused == {"point": 1}
        run.resume()
    run.log({"img": ox.Image(PIXELS)})

    assert len(ox.run("r").media) == 0
    assert losses(run) == {("point after the end", ""): 1}


def test_forked_workers_keep_media(recording):
    """What a forked worker logs before it ends without ceremony is kept."""
    with ox.start_run("r") as run:
        pid = os.fork()
        if pid == 0:
            run.log({"worker": ox.Image(PIXELS)}, step=4)
            os._exit(0)
        os.waitpid(pid, 0)

    assert ox.run("r").media["worker"].at(4).read().tolist() == PIXELS.tolist()


def test_media_are_safe_when_the_call_returns(tmp_path):
    """SIGKILL right after the call loses neither the picture nor its name."""
    program = """
import os, signal
import numpy as np
import otel_experiments as ox
run = ox.start_run("r")
run.log({"img": ox.Image(np.ones((2, 2)))}, step=1)
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False)
    with ox.open_reader(tmp_path / "experiments.db") as reader:
        assert reader.run("r").media["img"].at(1).read().tolist() == [[255, 255], [255, 255]]


def test_captions_hold_no_secrets(recording):
    """What looks like a secret in a caption is not written down."""
    with ox.start_run("r") as run:
        run.log({"t": ox.Text("x", caption="Bearer " + "a1b2c3d4" * 5)})

    assert "a1b2c3d4" not in ox.run("r").media["t"].last.caption


def test_bytes_that_are_no_picture_say_so(recording, tmp_path):
    """A text that was logged as a picture is kept as it is; reading it says what it is not, and how to have it."""
    (tmp_path / "x.png").write_text("no picture")
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(tmp_path / "x.png")})

    item = ox.run("r").media["img"].last
    assert item.read_text() == "no picture"
    with pytest.raises(MediaUnreadableError, match=r"item.read_bytes\(\)"):
        item.read()


def test_a_resumed_run_goes_on_behind_its_last_step(recording):
    """The steps of media go on where the former attempt left off."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Text("a")}, step=5)
    ox.shutdown()
    with ox.start_run(resume=run.id) as again:
        again.log({"img": ox.Text("b")})

    assert ox.run("r").media["img"].steps == [5, 6]


def test_show_lists_media(recording, tmp_path):
    """`show` lists names, types and steps; its JSON has them, too."""
    with ox.start_run("r") as run:
        for step in range(3):
            run.log({"img": ox.Image(PIXELS), "note": ox.Text("x")}, step=step)
    ox.shutdown()

    store = ["--store", str(tmp_path / "experiments.db")]
    page = CliRunner().invoke(root, ["show", "r", *store], prog_name="otel-experiments")
    assert "media" in page.output
    assert [line.split() for line in page.output.splitlines() if line.startswith(("img", "note"))] == [
        ["img", "image", "3", "0", "to", "2"],
        ["note", "text", "3", "0", "to", "2"],
    ]
    plain = CliRunner().invoke(root, ["show", "r", "--json", *store], prog_name="otel-experiments")
    first = json.loads(plain.output)["media"][0]
    assert first | {"size_bytes": 0} == {
        "name": "img",
        "type": "image",
        "count": 3,
        "steps": [0, 1, 2],
        "media_type": "image/png",
        "size_bytes": 0,
    }


def test_media_come_back_from_exported_telemetry(recording, tmp_path):
    """A run that leaves as OTLP and comes back elsewhere knows its media: names, steps and digests; bytes never travel."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS, caption="c")}, step=3)
    ox.shutdown()
    ox.export_otlp(tmp_path / "run.jsonl", run.id, store=tmp_path / "experiments.db")
    ox.import_otlp(tmp_path / "run.jsonl", store=tmp_path / "other.db")

    with ox.open_reader(tmp_path / "other.db") as reader:
        item = reader.run("r").media["img"].at(3)
        assert (item.caption, item.type, item.digest[:7]) == ("c", "image", "sha256:")


def test_numbers_are_logged_as_before_beside_media(recording, caplog):
    """A frame of one cell is a table, a scalar of an array library a number, and nothing of it is told."""
    caplog.set_level(logging.DEBUG)
    with ox.start_run("r") as run:
        run.log({"one": pl.DataFrame({"a": [1]}), "scalar": np.array([2.0])})

    assert list(ox.run("r").media) == ["one"]
    assert ox.run("r").metrics["scalar"].last == 2
    assert active_store() is not None


def test_media_travel_in_a_bundle_and_into_another_store(recording, tmp_path):
    """A bundle has the bytes of media: they are read from it, and from a store that it was imported into."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS)}, step=3)
    ox.shutdown()
    ox.bundle(run.id, path=tmp_path / "x.oxb", store=tmp_path / "experiments.db")
    ox.import_store(tmp_path / "x.oxb", store=tmp_path / "other.db")

    for place in ("x.oxb", "other.db"):
        with ox.open_reader(tmp_path / place) as reader:
            assert reader.run("r").media["img"].at(3).read().tolist() == PIXELS.tolist()


def test_media_are_kept_where_nothing_is_written_to_disk(configure):
    """A store in memory has media, too."""
    configure(store="memory://")
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS)})
        run.flush()

    assert Reader(active_store()).run("r").media["img"].last.read().tolist() == PIXELS.tolist()


def test_a_sweep_leaves_media(recording, tmp_path):
    """Bytes of media are in use: `gc` does not remove them."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS)})
    ox.shutdown()
    arguments = ["gc", "--yes", "--store", str(tmp_path / "experiments.db")]
    assert CliRunner().invoke(root, arguments, prog_name="otel-experiments").exit_code == 0
    assert ox.run("r").media["img"].last.read().tolist() == PIXELS.tolist()


def test_workers_of_other_processes_keep_media(recording, tmp_path):
    """A process that joins the run by its environment logs media into it."""
    program = """
import otel_experiments as ox
with ox.join_run() as run:
    run.log({"said": ox.Text("from a worker")}, step=2)
"""
    with ox.start_run("r") as run:
        environment = {**os.environ, **run.environment()}
        subprocess.run([sys.executable, "-c", program], env=environment, cwd=tmp_path, check=True)

    assert ox.run("r").media["said"].at(2).read() == "from a worker"


def test_distributions_and_plots_are_drawn(recording):
    """A distribution, a confusion matrix and curves are figures; a picture is none, and says so."""
    with ox.start_run("r") as run:
        run.log(
            {
                "w": ox.Histogram([1, 2, 2]),
                "m": ox.confusion_matrix(["cat"], ["dog"]),
                "roc": ox.roc_curve([0, 1], [0.1, 0.9]),
                "pr": ox.pr_curve([0, 1], [0.1, 0.9]),
                "img": ox.Image(PIXELS),
            },
            step=1,
        )

    media = ox.run("r").media
    specs = {name: media[name].last.plot().spec for name in ("w", "m", "roc", "pr")}
    assert specs["w"].counts == media["w"].last.read().counts
    assert (specs["m"].rows, specs["m"].cells) == (("cat", "dog"), [[0, 1], [0, 0]])
    assert [line.label for line in specs["roc"].lines] == ["1 (1.000)"]
    assert specs["pr"].x.label == "recall"
    heat = media["w"].heatmap().plot().spec
    assert (heat.columns, [sum(row) for row in heat.cells]) == (("1",), media["w"].last.read().counts)
    with pytest.raises(MediaUnreadableError, match="neither a distribution nor a plot"):
        media["img"].last.plot()


def test_a_heat_map_of_many_steps_names_edges_between_them(recording):
    """Where each step has no room for a label, columns lie between edges half-way between the steps."""
    with ox.start_run("r") as run:
        for step in range(50):
            run.log({"w": ox.Histogram(np_histogram=([1], [0, 1]))}, step=2 * step)

    columns = ox.run("r").media["w"].heatmap().plot().spec.columns
    assert (len(columns), columns[:2], columns[-1]) == (51, (-1, 1), 99)


def test_a_store_without_its_folder_says_so(recording, tmp_path):
    """A store that was copied without the bytes knows its media, and says where the bytes are missing."""
    with ox.start_run("r") as run:
        run.log({"img": ox.Image(PIXELS)}, step=1)
    ox.shutdown()
    (tmp_path / "elsewhere").mkdir()
    shutil.copy(tmp_path / "experiments.db", tmp_path / "elsewhere" / "copy.db")
    with ox.open_reader(tmp_path / "elsewhere" / "copy.db") as reader:
        series = reader.run("r").media["img"]
        assert series.steps == [1]
        with pytest.raises(ArtifactMissingError, match="copy the folder of its artifacts"):
            series.last.read()
