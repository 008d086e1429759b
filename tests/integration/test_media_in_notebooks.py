"""What a notebook shows of media and artifacts that are large, hostile or gone."""

import random
import shutil

import pytest

import otel_experiments as ox

LONG = "\n".join(f"line {number}" for number in range(100))


@pytest.fixture
def view(tmp_path):
    """Return a recorded run with media of each kind and an artifact."""
    noise = bytes(range(256)) * 2
    ox.configure(store=tmp_path / "runs.db", quiet=True)
    try:
        with ox.start_run("job") as run:
            for step in range(10):
                run.log({"picture": ox.Image([[step, 255], [255, 0]], caption=f"<i>{step}</i>")}, step=step)
            noise_of_pixels = random.Random(0)
            rows = [list(noise_of_pixels.randbytes(700)) for _ in range(700)]
            run.log({"large": ox.Image(rows)}, step=0)
            run.log({"words": ox.Text(LONG), "page": ox.Html("<script>alert(1)</script>")}, step=0)
            run.log({"weights": ox.Histogram([1.0, 2.0, 2.0, 5.0])}, step=0)
            run.log({"counts": ox.confusion_matrix(["a", "b"], ["a", "a"])}, step=0)
            run.log_artifact(noise, name="model", type="model", metadata={"<b>": "<u>"})
        yield ox.run("job")
    finally:
        ox.shutdown()


def test_pictures_of_a_name_are_side_by_side(view):
    """The last eight, each with its step and its caption as text; one by itself is larger."""
    html = view.media["picture"]._repr_html_()

    assert html.count('src="data:image/png;base64,') == 8
    assert "step 9, &lt;i&gt;9&lt;/i&gt;" in html
    assert "step 1," not in html
    assert 'class="oxp-large"' in view.media["picture"].at(3)._repr_html_()


def test_a_large_picture_is_named(view):
    """A notebook does not grow by a picture of hundreds of kilobytes; the output says how to have it."""
    item = view.media["large"].last

    assert item.size_bytes > 300_000
    assert "<img" not in item._repr_html_()
    assert "download()" in item._repr_html_()


def test_texts_are_cut_and_pages_are_named(view):
    """Forty lines of a text, the others counted; HTML that was logged is never part of the output."""
    words = view.media["words"].last._repr_html_()

    assert "line 39" in words
    assert "line 40" not in words
    assert "and 60 more lines" in words
    assert "alert" not in view.media["page"].last._repr_html_()


def test_distributions_and_plots_are_drawn(view):
    """Bars of a histogram, cells of a confusion matrix with their classes."""
    assert view.media["weights"].last._repr_html_().count("<rect") >= 2
    assert ">a</text>" in view.media["counts"].last._repr_html_()


def test_an_artifact_shows_what_was_said_of_it(view):
    """Name, version, size and metadata, as text."""
    html = view.artifacts["model"]._repr_html_()

    for text in ("model", "v0", "latest", "512 B", "&lt;b&gt;", "&lt;u&gt;"):
        assert text in html
    assert "<u>" not in html


def test_a_run_without_its_bytes_is_shown(view, tmp_path):
    """Where the artifacts' folder was not copied with the store, the run is shown, and what is missing is said."""
    folder = tmp_path / "runs.db.artifacts"
    assert folder.is_dir()
    shutil.rmtree(folder)

    assert "picture" in view._repr_html_()
    assert "<img" not in view.media["picture"]._repr_html_()
    assert "oxp-c-warn" in view.media["words"].last._repr_html_()
