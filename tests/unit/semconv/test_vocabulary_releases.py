"""What has been released stays."""

import json
from collections.abc import Callable
from pathlib import Path

import generate
import pytest
from releases import ReleaseError, check_release, make_release, newest_release
from vocabulary import load_vocabulary

MakeModel = Callable[..., Path]


def losses(make_model: MakeModel, tmp_path: Path, *change: tuple[str, str], more: str = "") -> list[str]:
    """What the small vocabulary, changed, has lost since its release."""
    released = tmp_path / "released"
    make_release(load_vocabulary(make_model()), released)
    baseline = newest_release(released)
    assert baseline is not None
    return [breach.why for breach in check_release(load_vocabulary(make_model(*change, more=more)), baseline)]


def test_an_unchanged_vocabulary_keeps_its_release(make_model: MakeModel, tmp_path: Path) -> None:
    """Right after a release nothing is lost."""
    assert losses(make_model, tmp_path) == []


def test_additions_and_new_words_keep_a_release(make_model: MakeModel, tmp_path: Path) -> None:
    """New names, new members and other briefs are allowed."""
    found = losses(
        make_model,
        tmp_path,
        ("brief: Name of the model.", "brief: How the model is called."),
        ("id: run, value: run, brief: A run., stability: development}", "id: run, value: run, brief: A run., stability: development}\n        - {id: walk, value: walk, brief: A walk., stability: development}"),
        more="events: [{name: ml.run.end, stability: development, brief: A run has ended.}]",
    )  # fmt: skip

    assert found == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("key: ml.model.name", "key: ml.model.title", "was released as attributes and is gone; deprecate it instead"),
        ("name: ml.run.duration", "name: ml.run.length", "was released as metrics and is gone; deprecate it instead"),
        ("name: ml.run.start", "name: ml.run.begin", "was released as events and is gone; deprecate it instead"),
        ("type: ml.run\n    kind", "type: ml.walk\n    kind", "was released as spans and is gone; deprecate it instead"),
        ("kind: internal", "kind: client", "had kind 'internal' and now has 'client'; make a new name"),
        ("unit: s", "unit: ms", "had unit 's' and now has 'ms'; make a new name"),
        ("instrument: histogram", "instrument: gauge", "had instrument 'histogram' and now has 'gauge'; make a new name"),
        ("type: string\n    stability: development\n    brief: Name", "type: int\n    stability: development\n    brief: Name", "had type 'string' and now has 'int'; make a new name"),
        ("id: run, value: run", "id: walk, value: walk", "had the member 'run', which is gone"),
        ("identity: [{ref: ml.run.id}]", "identity: [{ref: ml.model.name}]", "had identity ['ml.run.id'] and now has ['ml.model.name']; make a new name"),
    ],
)  # fmt: skip
def test_what_was_released_may_not_go_or_change(
    make_model: MakeModel, tmp_path: Path, old: str, new: str, why: str
) -> None:
    """A released name, type, member, unit, kind or identity that is gone or another is named."""
    assert losses(make_model, tmp_path, (old, new)) == [why]


def test_names_of_others_are_not_released(make_model: MakeModel, tmp_path: Path) -> None:
    """A name that another registry defines is no promise of ours."""
    model = make_model(
        more="""
        attributes:
          - key: error.type
            type: string
            stability: stable
            brief: Class of the error.
            examples: ["E"]
            annotations: {upstream: {schema_url: "https://example.org/1.0.0"}}
        """
    )

    path = make_release(load_vocabulary(model), tmp_path / "released")

    assert sorted(json.loads(path.read_text())["attributes"]) == [
        "ml.model.name",
        "ml.operation.name",
        "ml.run.id",
    ]


def test_a_version_is_released_once(make_model: MakeModel, tmp_path: Path) -> None:
    """A release is never overwritten."""
    vocabulary = load_vocabulary(make_model())
    make_release(vocabulary, tmp_path)

    with pytest.raises(ReleaseError, match=r"1\.2\.3 has been released"):
        make_release(vocabulary, tmp_path)


def test_the_newest_release_is_the_highest_version(tmp_path: Path) -> None:
    """Versions are compared as numbers, and other files are no releases."""
    for name in ("0.9.0", "0.10.0", "0.2.11", "notes"):
        (tmp_path / f"{name}.json").write_text(json.dumps({"schema": {"url": name}}))

    assert newest_release(tmp_path) == {"schema": {"url": "0.10.0"}}


def test_there_may_be_no_release(tmp_path: Path) -> None:
    """Before the first release there is nothing to keep."""
    assert newest_release(tmp_path / "none") is None


def test_the_generator_refuses_a_loss(
    make_model: MakeModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vocabulary that lost a released name is not generated."""
    folders = ["--root", str(tmp_path / "root"), "--released", str(tmp_path / "released")]
    assert generate.main(["--release", "--model", str(make_model()), *folders]) == 0
    before = {path: path.read_text() for path in (tmp_path / "root").rglob("*.py")}

    status = generate.main(
        ["--model", str(make_model(("name: ml.run.start", "name: ml.run.begin"))), *folders]
    )

    assert status == 1
    assert "ml.run.start: was released as events and is gone" in capsys.readouterr().err
    assert {path: path.read_text() for path in (tmp_path / "root").rglob("*.py")} == before
