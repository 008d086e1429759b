"""Ten bugs, one or two lines each, in two real training scripts: the report's first ten lines name each of them.

Each bug is built into a copy of the script, which is then run; docs/how-to/golden-ten-bugs.md shows the same bugs.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Bug:
    """What is changed in the script, and what the report says: codes that fail, and a line that names the bug."""

    changes: tuple
    codes: frozenset
    line: str


CURVES = frozenset({"curve-diverged"})

NUMPY = {
    "learning rate": Bug(
        (("LEARNING_RATE, MOMENTUM = 0.05,", "LEARNING_RATE, MOMENTUM = 0.5,"),),
        {"attr"} | CURVES,
        r"FAIL +attr +run sensors +ml\.hyperparameter\.lr: 0\.05 -> 0\.5$",
    ),
    "skipped evaluation": Bug(
        (("        evaluate(run", "        if epoch != 1:\n            evaluate(run"),),
        {"count"},
        r"FAIL +count +run sensors/epoch/evaluate held-out +5 -> 4 +\(1 missing at epoch=1\)$",
    ),
    "serialised loading": Bug(
        (("pool.map(load,", "map(load,"),),
        {"serialised"},
        r"FAIL +serialised +run sensors/stage load data .*4 lanes -> the caller's lane +\(load,",
    ),
    "extra retry": Bug(
        (("for shard in range(SHARDS):", "for shard in range(1, SHARDS):"),),
        {"retry"},
        r"FAIL +retry +run sensors/load/read +1 try -> 2 tries +\(after an error\) +first at shard=0",
    ),
    "dropped shuffle": Bug(
        (("order = shuffle(rng, len(inputs))", "order = np.arange(len(inputs))"),),
        {"removed"} | CURVES,
        r"FAIL +removed +run sensors/epoch/shuffle +x5 +x5 -> nothing +first at epoch=0$",
    ),
    "NaN": Bug(
        (("np.maximum(tones.std(axis=0), 1e-6)", "tones.std(axis=0)"),),
        {"nonfinite"} | CURVES,
        r"FAIL +nonfinite +run sensors ~loss +x50 +\[0\] 1\.0\d+ -> nan",
    ),
    "renamed stage": Bug(
        (('run.stage("prepare")', 'run.stage("preprocess")'),),
        {"renamed"},
        r"FAIL +renamed +run sensors/stage prepare +stage prepare -> stage preprocess$",
    ),
    "changed dtype": Bug(
        ((" / spread).astype(np.float32)", " / spread)"),),
        {"attr"},
        r'FAIL +attr +run sensors/stage prepare +dtype: "float32" -> "float64"$',
    ),
    "missing checkpoint": Bug(
        (("if epoch % 2 == 0:", "if epoch % 2 == 0 and epoch < EPOCHS - 1:"),),
        {"count"},
        r"FAIL +count +run sensors/epoch/save_checkpoint +3 -> 2 +\(1 missing at epoch=4",
    ),
}
SKLEARN = {
    "learning rate": Bug(
        (("LEARNING_RATE = 0.01", "LEARNING_RATE = 0.1"),),
        {"attr"} | CURVES,
        r"FAIL +attr +run digits +ml\.hyperparameter\.lr: 0\.01 -> 0\.1$",
    ),
    "skipped evaluation": Bug(
        (("        evaluate(run", "        if epoch == EPOCHS - 1:\n            evaluate(run"),),
        {"count"},
        r"FAIL +count +run digits/epoch/evaluate +x3 +4 -> 1 +\(3 missing at epoch=0\)$",
    ),
    "serialised loading": Bug(
        (("n_jobs=PARTS,", "n_jobs=1,"),),
        {"serialised"},
        r"FAIL +serialised +run digits +4 lanes -> the caller's lane +\(read part\)$",
    ),
    "extra retry": Bug(
        (("for part in range(PARTS):", "for part in range(PARTS - 1):"),),
        {"retry"},
        r"FAIL +retry +run digits/read part +1 try -> 2 tries +\(after an error\)",
    ),
    "dropped shuffle": Bug(
        (("order = rng.permutation(len(labels))", "order = np.arange(len(labels))"),),
        {"attr"} | CURVES,
        r"FAIL +attr +run digits/epoch/batch +x24 +first: \[\d+, \d+, \d+\], .* -> \[0, 1, 2\], .*epoch=0 batch=0$",
    ),
    "NaN": Bug(
        (("np.log(odds + 1e-9)", "np.log(odds)"),),
        {"nonfinite"},
        r"FAIL +nonfinite +run digits ~entropy@test +x4 +\[0\] 0\.2\d+ -> nan",
    ),
    "renamed stage": Bug(
        (('run.stage("features")', 'run.stage("strokes")'),),
        {"renamed"},
        r"FAIL +renamed +run digits/stage features +stage features -> stage strokes$",
    ),
    "changed dtype": Bug(
        (("images = images / 16", "images = (images / 16).astype(np.float32)"),),
        {"attr"},
        r'FAIL +attr +run digits/stage features +dtype: "float64" -> "float32"$',
    ),
    "missing checkpoint": Bug(
        (("if epoch % 2 == 1:", "if epoch % 2 == 1 and epoch < EPOCHS - 1:"),),
        {"count"},
        r"FAIL +count +run digits/epoch/save_checkpoint +2 -> 1 +\(1 missing at epoch=3",
    ),
}
BUGS = [
    pytest.param(name, bug, id=f"{name}-{title.replace(' ', '-')}")
    for name, bugs in (("train_numpy", NUMPY), ("train_sklearn", SKLEARN))
    for title, bug in bugs.items()
]
SLOWER = [
    pytest.param(
        "train_numpy",
        [("tones.std(axis=0)", "np.stack([loudness(wave) for wave in waves]).std(axis=0)")],
        r"run sensors/stage prepare/features +wall .*cpu [12]\.\d\dx",
        id="train_numpy",
    ),
    pytest.param(
        "train_sklearn",
        [
            (f"np.stack([strokes(image) for image in images[{rows}]])",
             f"np.stack([strokes(image) for image in images])[{rows}]")
            for rows in ("rest", "held")
        ],
        r"run digits/stage features +wall .*cpu [12]\.\d\dx",
        id="train_sklearn",
    ),
]  # fmt: skip


def first_lines(report):
    """Return the first ten lines of a report."""
    return report.splitlines()[:10]


@pytest.mark.parametrize(("name", "bug"), BUGS)
def test_the_report_names_the_bug(training, name, bug):
    """The run fails with the codes of the bug and no others, and the first ten lines say where and what it is."""
    script = training(name)

    comparison, report = script.compare(script.record(script.with_changes(*bug.changes)))

    assert comparison.verdict == "fail", report
    assert {finding.code for finding in comparison.failures} - CURVES == bug.codes - CURVES, report
    assert [line for line in first_lines(report) if re.search(bug.line, line)], report


@pytest.mark.parametrize(("name", "changes", "line"), SLOWER)
def test_the_report_names_a_stage_that_does_its_work_twice(training, tmp_path, name, changes, line):
    """A stage that does twice the work fails and is named, and no other stage is; the same work passes."""
    script = training(name)

    (comparison, report), (same, same_report) = script.compare_work(
        tmp_path / "here.otg", script.with_changes(*changes), script.script
    )

    assert [text for text in first_lines(report) if re.search(f"FAIL +slower +{line}", text)], report
    assert [finding.code for finding in comparison.failures] == ["slower"], report
    assert same.verdict == "pass", same_report


def test_both_scripts_have_all_ten_bugs():
    """Nothing is left out for either: nine bugs of behaviour, and the slower stage."""
    assert list(NUMPY) == list(SKLEARN)
    assert [len(bugs) + 1 for bugs in (NUMPY, SKLEARN)] == [10, 10]
    assert len(SLOWER) == 2


def test_the_page_shows_the_script(training):
    """docs/how-to/golden-ten-bugs.md shows the script as it is, and has a section for each bug."""
    page = Path(__file__).parents[2] / "docs/how-to/golden-ten-bugs.md"
    text = page.read_text(encoding="utf-8")
    shown = text.partition("```python file=train_numpy.py\n")[2].partition("```")[0]

    assert shown == training("train_numpy").script.read_text(encoding="utf-8")
    assert text.count("$ diff -U0 train_numpy.py bug.py") == len(NUMPY) + 1
