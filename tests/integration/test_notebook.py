"""A real notebook: cells run in a fresh kernel, and what each shows is what the notebook's file holds."""

import re

import nbformat
import pytest
from nbclient import NotebookClient

import otel_experiments as ox

RECORD = """
import math
import otel_experiments as ox

ox.configure(store="runs.db", quiet=True)
for lr in (0.1, 0.01):
    with ox.start_run(f"lr-{lr}", experiment="digits", config={"lr": lr}) as run:
        for step in range(100):
            run.log({"loss": math.exp(-step * lr)}, step=step)
        run.log({"picture": ox.Image([[0, 255], [255, 0]], caption="<b>two</b>"), "weights": ox.Histogram([1.0, 2.0, 2.0])}, step=3)
        run.log({"note": ox.Html("<script>alert(1)</script>"), "words": ox.Text("one <script>two</script>")}, step=3)
        run.log_artifact(b"weights", name="model", type="model", aliases=["best"])
"""
CELLS = {
    "runs": "ox.runs()",
    "run": "ox.run('lr-0.1')",
    "series": "ox.run('lr-0.1').metrics['loss']",
    "metrics": "ox.run('lr-0.1').metrics",
    "params": "ox.run('lr-0.1').params",
    "plot": "ox.run('lr-0.1').metrics.plot('loss', log=True)",
    "sql": "ox.sql('select name, state from runs')",
    "live": "live = ox.start_run('live', config={'lr': 1})\nlive",
    "artifacts": "ox.run('lr-0.1').artifacts",
    "artifact": "ox.run('lr-0.1').artifacts['model']",
    "media": "ox.run('lr-0.1').media",
    "pictures": "ox.run('lr-0.1').media['picture']",
    "picture": "ox.run('lr-0.1').media['picture'].at(3)",
    "distribution": "ox.run('lr-0.1').media['weights'].last",
    "page": "ox.run('lr-0.1').media['note'].last",
    "words": "ox.run('lr-0.1').media['words'].last",
    "flush": "live.flush()",
    "span": "ox.run('lr-0.1').spans[0]",
    "lists": "[ox.run('lr-0.1').spans[0], ox.run('lr-0.1').log_records[0], ox.run('lr-0.1').record]",
}


def test_what_cells_print_is_in_the_run(tmp_path, monkeypatch):
    """A cell shows what it prints as without us, and the run that is on has it."""
    monkeypatch.setenv("OTEL_EXPERIMENTS_CAPTURE_OUTPUT", "python")
    sources = (
        "import sys\nimport otel_experiments as ox\nox.configure(store='runs.db', quiet=True)\nrun = ox.start_run('a')",
        "print('epoch 1')\nprint('bad', file=sys.stderr)",
        "run.finish()\nprint('outside')",
    )
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])

    NotebookClient(
        made, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    shown = [[(output.name, output.text) for output in cell.outputs] for cell in made.cells]
    assert sorted(shown[1]) == [("stderr", "bad\n"), ("stdout", "epoch 1\n")]
    assert shown[2] == [("stdout", "outside\n")]
    found = ox.run("a", store=tmp_path / "runs.db").output
    assert (found.stdout, found.stderr) == ("epoch 1\n", "bad\n")


@pytest.fixture(scope="module")
def notebook(tmp_path_factory):
    """Return the notebook after its cells ran, by name of the cell."""
    folder = tmp_path_factory.mktemp("notebook")
    cells = [nbformat.v4.new_code_cell(source) for source in (RECORD, *CELLS.values(), "live.finish()")]
    made = nbformat.v4.new_notebook(cells=cells)
    # A kernel that does not answer is ended after two minutes, rather than waited for.
    NotebookClient(
        made, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    assert [
        output for cell in made.cells for output in cell.outputs if output.output_type != "execute_result"
    ] == []
    return {name: cell.outputs[0].data for name, cell in zip(CELLS, made.cells[1:], strict=False)}


@pytest.mark.parametrize("name", [name for name in CELLS if name not in {"span", "lists"}])
def test_an_output_is_html_that_needs_nothing(notebook, name):
    """Each cell shows a panel with its style in it, without script, image or address; beside it a short text."""
    html = notebook[name]["text/html"]

    assert html.startswith('<div class="oxp oxp-panel"><style>')
    assert (
        re.findall(
            r"<script|<img(?! alt=| class=.oxp-large. alt=)|https?:|url\(",
            html.replace("http://www.w3.org/2000/svg", ""),
        )
        == []
    )
    assert len(html) < 60_000
    assert len(notebook[name]["text/plain"]) < 200


def test_the_outputs_show_what_was_recorded(notebook):
    """Names, states, numbers and curves of the runs are in their cells."""
    assert notebook["runs"]["text/html"].count("succeeded") >= 2
    assert "lr-0.01" in notebook["runs"]["text/html"]
    assert "<polyline" in notebook["series"]["text/html"]
    assert "model" in notebook["artifacts"]["text/html"]
    assert "sha256:" in notebook["artifact"]["text/html"]
    assert "best" in notebook["artifact"]["text/html"]
    assert "log scale" in notebook["plot"]["text/html"]
    assert ">running</span>" in notebook["live"]["text/html"]
    assert ">stored</span>" in notebook["flush"]["text/html"]


def test_small_pictures_are_in_the_notebook(notebook):
    """A picture is part of the output, its caption text; HTML that was logged is named, never run; a distribution is drawn."""
    for name in ("run", "media", "pictures", "picture"):
        assert 'src="data:image/png;base64,' in notebook[name]["text/html"]
    assert "&lt;b&gt;two&lt;/b&gt;" in notebook["picture"]["text/html"]
    assert "<rect" in notebook["distribution"]["text/html"]
    assert "alert" not in notebook["page"]["text/html"]
    assert "&lt;script&gt;two" in notebook["words"]["text/html"]


def test_stored_values_are_short_in_a_notebook(notebook):
    """A span, a log record and a run's row, which hold all that was recorded, take a few lines each, in lists as well."""
    assert len(notebook["span"]["text/plain"]) < 1_000
    assert len(notebook["lists"]["text/plain"]) < 3_000
    assert notebook["span"]["text/plain"].startswith("Span(")
