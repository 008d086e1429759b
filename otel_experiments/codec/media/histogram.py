"""A distribution: of values, or as counts between edges. Read over steps it makes a heat map."""

from __future__ import annotations

import json
import math
import sys
from bisect import bisect_right
from collections.abc import Iterable
from itertools import pairwise
from typing import Any, ClassVar, Final, cast

from otel_experiments.codec.media.library import as_array, is_array, numpy
from otel_experiments.codec.media.media import SOURCE, Encoded, Media, Tell, described
from otel_experiments.codec.text import shown
from otel_experiments.errors import MediaRefusedError
from otel_experiments.process.interruption import is_interruption

JSON: Final = "application/json"
_BINS: Final = 64
_MAX_BINS: Final = 4096
_LARGEST: Final = sys.float_info.max


class Histogram(Media):
    """A distribution. `run.log({"weights": ox.Histogram(layer.weight)}, step=3)`.

    Attributes:
        counts: how many values lie between two edges.
        edges: one more than counts, rising; a value on an edge belongs to the bin above it, on the last to the last bin.
        not_finite: how many values were NaN or infinite, and are in no bin.
    """

    type: ClassVar[str] = "histogram"

    def __init__(
        self,
        sequence: Any = None,  # an array of any library, or numbers
        np_histogram: tuple[Any, Any] | None = None,
        num_bins: int = _BINS,
        *,
        caption: str | None = None,
    ) -> None:
        """Take values, or `np_histogram=(counts, edges)` as numpy's `histogram` returns them.

        Args:
            sequence: values; an array of any shape.
            np_histogram: counts and edges instead.
            num_bins: into how many bins of one width values are counted, 4096 at most.
            caption: a text that is shown with it.
        """
        super().__init__(caption, {})
        self._values, self._given, self._bins = sequence, np_histogram, num_bins
        self._found: tuple[list[float], list[float], int] | None = None

    @property
    def counts(self) -> list[float]:
        """How many values lie between two edges."""
        return self._counted()[0]

    @property
    def edges(self) -> list[float]:
        """The edges of the bins, one more than there are counts."""
        return self._counted()[1]

    @property
    def not_finite(self) -> int:
        """How many values were NaN or infinite, and are in no bin."""
        return self._counted()[2]

    def _described(self) -> str:
        if self._found is None:
            return described(self._values if self._given is None else self._given)
        counts, _, _ = self._found
        return f"{len(counts)} bins, {sum(counts):,.15g} values"

    def encode(self, tell: Tell) -> Encoded:
        """Return the distribution as it is stored."""
        counts, edges, bad = self._counted()
        if bad:
            tell(f"{bad} of its values are NaN or infinite: they are in no bin")
        facts = {
            SOURCE: "values" if self._given is None else "counts",
            "bins": len(counts),
            "count": sum(counts),
        }
        body = {"counts": counts, "edges": edges, "not_finite": bad}
        return Encoded(self.type, JSON, ".json", json.dumps(body).encode(), facts, self.caption)

    def _counted(self) -> tuple[list[float], list[float], int]:
        if self._found is None:
            if self._given is not None:
                self._found = _checked(self._given)
            elif is_array(self._values):
                self._found = _of_array(self._values, self._checked_bins())
            else:
                self._found = _of_numbers(self._values, self._checked_bins())
        return self._found

    def _checked_bins(self) -> int:
        if not isinstance(self._bins, int) or not 1 <= self._bins <= _MAX_BINS:
            raise MediaRefusedError(why=f"num_bins={shown(self._bins)} is not from 1 to {_MAX_BINS}")
        return self._bins


def histogram_of(data: bytes, caption: str = "") -> Histogram:
    """Return the distribution that these bytes are.

    Raises:
        MediaRefusedError: they are none.
    """
    body = json.loads(data)
    histogram = Histogram(np_histogram=(body["counts"], body["edges"]), caption=caption)
    counts, edges, _ = histogram._counted()  # noqa: SLF001 - its second constructor
    histogram._found = counts, edges, int(body.get("not_finite", 0))  # noqa: SLF001 - as above
    return histogram


def _checked(given: Any) -> tuple[list[float], list[float], int]:
    try:
        counts, edges = ([_plain(number) for number in _listed(part)] for part in given)
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(
            why=f"np_histogram is a pair of counts and edges, not {shown(given)}; pass numpy.histogram(values)"
        ) from error
    if len(edges) != len(counts) + 1 or not counts:
        raise MediaRefusedError(
            why=f"{len(counts)} counts need {len(counts) + 1} edges; {len(edges)} were given"
        )
    if len(counts) > _MAX_BINS:
        raise MediaRefusedError(why=f"{len(counts)} bins are more than {_MAX_BINS}; use fewer")
    if not all(map(math.isfinite, edges)) or any(low >= high for low, high in pairwise(edges)):
        raise MediaRefusedError(
            why="the edges do not rise: each must be greater than the one before it, and finite"
        )
    if not all(math.isfinite(count) and count >= 0 for count in counts):
        raise MediaRefusedError(why="a count is negative, NaN or infinite")
    return counts, edges, 0


def _listed(part: Any) -> Iterable[Any]:
    return cast("Iterable[Any]", as_array(part).ravel().tolist() if is_array(part) else part)


def _plain(number: Any) -> float:
    return number if type(number) is int else float(number)


def _of_array(values: Any, bins: int) -> tuple[list[float], list[float], int]:
    np = numpy()
    flat = as_array(values).ravel()
    if flat.dtype.kind != "f":
        flat = flat.astype(np.float64)
    is_finite = np.isfinite(flat)
    kept = flat[is_finite]
    if not kept.size:
        raise MediaRefusedError(why=f"none of its {flat.size} values is a finite number")
    edges = _edges(float(kept.min()), float(kept.max()), bins)
    # Float32 would put a value that lies on an edge to either side.
    counts, _ = np.histogram(kept.astype(np.float64), np.asarray(edges))
    return counts.tolist(), edges, int(flat.size - kept.size)


def _of_numbers(values: Any, bins: int) -> tuple[list[float], list[float], int]:
    try:
        numbers = [float(value) for value in values]
    except Exception as error:
        if is_interruption(error):
            raise
        raise MediaRefusedError(
            why=f"the values of a distribution are numbers or an array, not {shown(values)}, of type {type(values).__name__}"
        ) from error
    kept = [number for number in numbers if math.isfinite(number)]
    if not kept:
        raise MediaRefusedError(why=f"none of its {len(numbers)} values is a finite number")
    edges = _edges(min(kept), max(kept), bins)
    counts = [0] * (len(edges) - 1)
    for number in kept:
        counts[min(bisect_right(edges, number), len(counts)) - 1] += 1
    return [*counts], edges, len(numbers) - len(kept)


def _edges(low: float, high: float, bins: int) -> list[float]:
    """Return edges of bins of one width; values that are all one get a bin of width 1 around them, as numpy does."""
    if low == high:
        half = max(0.5, abs(low) * 1e-9)
        low, high = max(low - half, -_LARGEST), min(high + half, _LARGEST)
    # Between the two, never beyond them: the width of all bins together may be more than a float holds.
    edges = [low * (1 - place / bins) + high * (place / bins) for place in range(bins)] + [high]
    rising = [edges[0]]
    for edge in edges[1:]:
        if edge > rising[-1]:  # bins that are narrower than floats lie are joined
            rising.append(edge)
    return rising
