"""Where a store is: an address means one place, however and wherever it is written down again."""

import os
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from otel_experiments.errors import StorePathError
from otel_experiments.model.store_location import StoreLocation

PIECES = st.sampled_from(
    ["memory", "none", "None", "sqlite", ":memory:", "~", "~root", "x.db", ".", "..", "/", "//", "://", ":", "file:", "sqlite://",
     "memory://", "postgres:", "%20", "?", "#", "localhost", "é", "\udcff", " ", "\n"]
)  # fmt: skip
ADDRESSES = st.one_of(st.text(max_size=30), st.lists(PIECES, max_size=6).map("".join))


def parse(address):
    """Return the location of an address; None where it is refused."""
    try:
        return StoreLocation.parse(address)
    except StorePathError:
        return None


@given(ADDRESSES)
@example("~\0")
@example("a\0b")
def test_what_a_location_is_written_as_means_the_same_place(address):
    """`parse(str(location))` is the location: it can be handed to other processes, and shown to be typed again."""
    location = parse(address)

    if location is not None:
        assert StoreLocation.parse(str(location)) == location
        if location.path is not None:
            assert StoreLocation.parse(location.path) == location
            assert StoreLocation.parse(location.absolute_path).path == location.absolute_path


@given(ADDRESSES)
def test_a_path_behind_a_scheme_is_the_path_alone(address):
    """`sqlite://PATH` and PATH are one place, or are refused both; so is `file:PATH` with its special signs escaped."""
    location = parse(address)
    if location is None or location.path is None or "://" in address or address[:5].lower() == "file:":
        return
    escaped = address.replace("%", "%25").replace("?", "%3F").replace("#", "%23")

    assert StoreLocation.parse(f"sqlite://{address}") == location
    if not address.startswith("//"):
        assert StoreLocation.parse(f"file:{escaped}") == location


@given(ADDRESSES)
@example(":memory:")
@example("a/:memory:")
def test_a_path_that_begins_with_a_dot_is_never_anything_else(address):
    """`./NAME` is a file here, whatever the name is: a word, a scheme, a home."""
    if not address.strip() or "\0" in address:
        return

    location = StoreLocation.parse(f"./{address}")

    assert location.kind == "file"
    if location.path is not None:
        assert location.absolute_path == Path(f"{os.getcwd()}/./{address}")  # noqa: PTH109 - a text is wanted
