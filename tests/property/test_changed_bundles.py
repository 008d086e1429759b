"""A bundle with one changed byte is refused by the check, or says exactly what it said before."""

import contextlib
import random
from pathlib import Path

import pytest

import otel_experiments as ox
from otel_experiments._bundle import check_bundle_file
from otel_experiments.errors import OtelExperimentsError

CHANGES = 60
PAGE_BYTES = 4096


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Return the bytes of a bundle with points, params, tags, spans, an artifact, a folder and a picture."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "data").mkdir()
    (folder / "data" / "a.txt").write_text("first")
    ox.configure(store=folder / "runs.db", capture_environment=False)
    for number in range(2):
        with ox.start_run(f"run-{number}", experiment="digits", config={"lr": 0.1, "k": number}) as run:
            run.set_tags({"kind": "small"})
            with run.stage("train"):
                run.log({"loss": 0.5, "acc": 0.25}, step=1)
            run.log_artifact(b"weights" * 50, name="model", aliases=["best"])
            run.log_artifact(folder / "data", name="data")
            run.log({"note": ox.Text("said")}, step=1)
    ox.shutdown()
    return ox.bundle(None, folder / "runs.oxb", store=folder / "runs.db").path.read_bytes()


def contents(path):
    """Return all that a reader gives of a bundle, bytes of artifacts included."""
    with ox.open(path) as reader:
        return [
            (
                run.record,
                dict(run.params.flat),
                dict(run.tags),
                {one.name: one.points() for one in run.metrics.all()},
                [(span.name, span.attributes, span.start_ns) for span in run.spans],
                [record.body for record in run.log_records],
                [
                    (
                        one.ref,
                        one.digest,
                        one.aliases,
                        [file.path for file in one.files] if one.is_folder else one.read_bytes(),
                    )
                    for one in run.artifacts.all()
                ],
                [item.read() for name in run.media for item in run.media[name]],
            )
            for run in reader.runs()
        ]


def used_places(whole):
    """Return where the bytes are that are no zeros: most of a small bundle is empty pages."""
    return [place for place, byte in enumerate(whole) if byte]


@pytest.mark.parametrize("seed", range(4))
def test_one_changed_byte_is_found_or_changes_nothing(bundle, tmp_path, seed):
    """Whatever byte of a bundle is changed, `bundle --check` says so, or everything that is read is as before."""
    draw = random.Random(seed)
    path = tmp_path / "changed.oxb"
    path.write_bytes(bundle)
    before = repr(contents(path))
    used = used_places(bundle)

    for _ in range(CHANGES // 4):
        place, bit = draw.choice(used), 1 << draw.randrange(8)
        path.write_bytes(bundle[:place] + bytes([bundle[place] ^ bit]) + bundle[place + 1 :])
        try:
            damages = check_bundle_file(path)[1]
        except OtelExperimentsError:  # it is refused when it is opened
            continue
        if not damages:
            assert repr(contents(path)) == before, f"byte {place}, bit {bit}"


@pytest.mark.filterwarnings("ignore::otel_experiments.errors.IncompleteReadWarning")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_read_of_a_changed_bundle_no_foreign_error_comes(bundle, tmp_path, seed):
    """Reading a bundle that was changed without a check gives what is there, or an error of ours that says what to do."""
    draw = random.Random(100 + seed)
    path = tmp_path / "changed.oxb"
    used = used_places(bundle)

    for _ in range(CHANGES // 4):
        changed = bytearray(bundle)
        for _ in range(2):
            changed[draw.choice(used)] ^= 1 << draw.randrange(8)
        path.write_bytes(changed)
        with contextlib.suppress(OtelExperimentsError):
            contents(path)


def test_the_bundle_that_is_changed_is_whole(bundle, tmp_path):
    """The bundle of these tests passes the check as it is."""
    Path(tmp_path / "whole.oxb").write_bytes(bundle)

    assert check_bundle_file(tmp_path / "whole.oxb")[1] == []
