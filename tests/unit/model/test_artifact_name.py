"""What an artifact and its aliases may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_experiments.model.artifact import ArtifactRef
from otel_experiments.model.artifact_name import MAX_NAME_BYTES, name_of_file, why_no_alias, why_no_name

REFUSED = {
    "": "it is empty",
    "  ": "it is empty",
    "../up": "its parts are no names",
    "a/../b": "its parts are no names",
    "a/./b": "its parts are no names",
    "/etc/passwd": "its parts are no names",
    "a//b": "its parts are no names",
    "a/": "its parts are no names",
    "a\\b": "its parts are no names",
    "a\0b": "it holds a control character",
    "a\nb": "it holds a control character",
    "a\x7f": "it holds a control character",
    "x" * 10_000: "it has 10,000 bytes, and 1,000 at most are kept",
    "ü" * 501: "it has 1,002 bytes, and 1,000 at most are kept",
    "model:best": "`:` ends a name and begins an alias",
    "half \ud800": "it is no valid Unicode",
    "sha256-2cf24dba5fb0a30e26e83b2ac5b9e29e": "it reads as a digest",
    "2c" * 32: "it reads as a digest",
}


@pytest.mark.parametrize("name", REFUSED, ids=lambda name: ascii(name[:20]))
def test_a_name_that_would_lead_astray_is_refused_with_the_reason(name):
    """A name that leads out of a folder, or that no reference could hold, is refused before anything is written."""
    found = why_no_name(name)

    assert found is not None
    assert found[0] == REFUSED[name]
    assert found[1].endswith(".")


@pytest.mark.parametrize(
    "name",
    [
        "model",
        "best.pt",
        "plots/loss curve.png",
        "données",
        "x" * MAX_NAME_BYTES,
        "..a",
        "a b",
        "v3",
        "12",
        "0.5.pt",
    ],
)
def test_a_name_that_people_give_is_taken(name):
    """Spaces, dots, slashes between parts and letters of any language are part of names."""
    assert why_no_name(name) is None


@pytest.mark.parametrize("alias", ["best", "production", "2026-11-30", "vital", "v1.2"])
def test_an_alias_that_people_give_is_taken(alias):
    """Words and dates are aliases."""
    assert why_no_alias(alias) is None


@pytest.mark.parametrize(
    ("alias", "why"),
    [
        ("latest", "`latest` moves by itself"),
        ("v0", "`v` with a number is a version"),
        ("v12", "`v` with a number is a version"),
        ("a/b", "it holds `/`"),
        ("a:b", "`:` ends a name"),
        ("", "it is empty"),
    ],
)
def test_an_alias_that_means_something_else_is_refused(alias, why):
    """`latest` and version numbers are computed, so nobody can set them."""
    found = why_no_alias(alias)

    assert found is not None
    assert why in found[0]


@pytest.mark.parametrize(
    ("file_name", "name"),
    [("best.pt", "best.pt"), ("ckpt 12:00.pt", "ckpt 12_00.pt"), ("a\\b\n", "a_b_"), ("q?.txt", "q?.txt")],
)
def test_a_file_gives_its_name_to_the_artifact(file_name, name):
    """Without a name of its own an artifact is called as its file; signs that no name may hold become `_`."""
    assert name_of_file(file_name) == name


@given(st.text(min_size=1, max_size=40))
def test_a_name_that_is_taken_is_found_by_itself(name):
    """A reference to the latest version of any name that is taken has this name as its last part."""
    if why_no_name(name) is None:
        ref = ArtifactRef.parse(name)

        assert ref.digest is None
        assert "/".join(part for part in (ref.experiment, ref.name) if part is not None) == name
