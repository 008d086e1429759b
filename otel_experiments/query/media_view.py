"""The media of a run: what was logged that is no number, by key and step; bytes are read when they are asked for."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, overload

from otel_experiments._short_repr import fields_repr, short
from otel_experiments.codec.media.media import SOURCE
from otel_experiments.errors import MediaNotFoundError, MediaUnreadableError
from otel_experiments.model.artifact import ArtifactQuery
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.artifact_view import ArtifactView
from otel_experiments.query.closest import closest
from otel_experiments.query.counting import counting
from otel_experiments.query.natural import natural_key

if TYPE_CHECKING:
    from otel_experiments.figures import Figure
    from otel_experiments.model.past import Past

_SHOWN: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """Distributions by step, in common bins.

    Shape: steps [n], edges [bins + 1], counts [n][bins].

    Attributes:
        name: what was logged.
        steps: at which steps.
        edges: the edges of the bins.
        counts: for each step, how many values lie between two edges.
    """

    name: str
    steps: list[float]
    edges: list[float]
    counts: list[list[float]]

    def __repr__(self) -> str:
        return fields_repr(self)

    def plot(self) -> Figure:
        """Return it as a figure: steps from left to right, values upwards."""
        from otel_experiments.query.media_plot import heat_figure  # noqa: PLC0415 - few draw

        return heat_figure(self.name, self.steps, self.edges, self.counts)


class MediaItem(ArtifactView):
    """One value that was logged: a picture, a table, a sound."""

    @property
    def index(self) -> int:
        """The position in a list of media that was logged at once; 0 for one that was alone."""
        return self.record.index

    @property
    def caption(self) -> str:
        """The text that is shown with it."""
        return self.record.caption

    @property
    def phase(self) -> str:
        """The phase it was logged in; empty when none was given."""
        return self.record.phase

    @property
    def rank(self) -> int:
        """The number of the process that logged it, among those of its job; 0 for one that was alone."""
        return self.record.rank or 0

    def read(self) -> Any:
        """Return what was logged.

        A picture as the array or the image of Pillow that it was, a figure as the figure of plotly or as its picture, a table
        as the frame it was or as an `ox.Table`, a text as text, a distribution as an `ox.Histogram`, a plot as an `ox.Plot`,
        samples as an `ox.Audio`. Of a video, and a sound that was a file, the path of the local file that has its bytes
        (from a bundle a temporary one, which is gone when the process ends), or the bytes where they are at an URL.

        Raises:
            ArtifactMissingError: the bytes are not where they are kept.
            ArtifactDamagedError: the bytes are not those that were logged.
            MediaUnreadableError: the bytes are not of the media type that was said when they were logged.
            MissingPackageError: reading needs a package that is not installed.
        """
        from otel_experiments.codec.media.decode import (  # noqa: PLC0415 - few read media
            UnreadableMediaError,
            decode_media,
        )

        source = str(self.metadata.get(SOURCE, ""))
        if self.type == "video" or (self.type == "audio" and source == "file"):
            self.verify()
            return self.path() or self.read_bytes()
        try:
            return decode_media(
                self.read_bytes(), self.type, self.media_type, source=source, caption=self.caption
            )
        except UnreadableMediaError as error:
            raise MediaUnreadableError(name=self.name, type=self.media_type, found=str(error)) from error

    def plot(self) -> Figure:
        """Return a distribution, a confusion matrix or curves as a figure.

        Raises:
            ArtifactMissingError: the bytes are not where they are kept.
            MediaUnreadableError: it is something else: a picture, a table.
        """
        from otel_experiments.query.media_plot import histogram_figure, plot_figure  # noqa: PLC0415 - few draw

        figure = None
        if self.type == "histogram":
            figure = histogram_figure(self.name, self.read())
        elif self.type == "plot":
            figure = plot_figure(self.name, self.read())
        if figure is None:
            found = "it is neither a distribution nor a plot, and is shown as it is"
            raise MediaUnreadableError(name=self.name, type=self.type, found=found)
        return figure

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.media_html import item_html  # noqa: PLC0415 - only notebooks ask

        return item_html(self)

    def __repr__(self) -> str:
        step = "" if self.step is None else f", step={self.step:g}"
        return f"MediaItem({short(self.name)}, {self.type!r}{step}, {self.size_bytes} bytes)"


class MediaSeries(Sequence[MediaItem]):
    """What was logged under one name, by step, and by the position in a list where one was logged."""

    def __init__(self, run: str, items: Sequence[MediaItem]) -> None:
        self._run = run
        self._items = sorted(items, key=_place_of)

    @property
    def name(self) -> str:
        """The name it was logged under."""
        return self._items[0].name

    @property
    def type(self) -> str:
        """What they are: image, table, text; of several types the one that was logged last."""
        return self.last.type

    @property
    def steps(self) -> list[float]:
        """The steps, each once, rising."""
        return list(dict.fromkeys(item.step for item in self._items if item.step is not None))

    @property
    def last(self) -> MediaItem:
        """The item with the highest step; the first of a list that was logged there."""
        highest = self._items[-1].step
        return next(item for item in self._items if item.step == highest)

    def at(
        self, step: float, *, index: int | None = None, phase: str | None = None, rank: int | None = None
    ) -> MediaItem:
        """Return what was logged at exactly this step; where that was done more than once, what came last.

        Args:
            step: the step.
            index: the position in a list that was logged; without it the first.
            phase: only what was logged in this phase.
            rank: only what this process of a job logged.

        Raises:
            MediaNotFoundError: nothing was; the error names the nearest steps.
        """
        found = self.all_at(step, phase=phase, rank=rank)
        wanted = index if index is not None else min((item.index for item in found), default=0)
        same = [item for item in found if item.index == wanted]
        if not same:
            raise self._nothing_at(step, index, phase, rank, found)
        return max(same, key=lambda item: item.logged_ns)

    def all_at(self, step: float, *, phase: str | None = None, rank: int | None = None) -> list[MediaItem]:
        """Return all that was logged at exactly this step, in the order of lists; none where nothing was."""
        return [
            item
            for item in self._items
            if item.step == step and phase in {None, item.phase} and rank in {None, item.rank}
        ]

    def heatmap(self, *, bins: int | None = None) -> Heatmap:
        """Return the distributions by step, in common bins: a row for each step.

        Args:
            bins: how many bins; without it as many as the distribution with the most has.

        Raises:
            MediaUnreadableError: something else than a distribution is among them.
        """
        from otel_experiments.analysis.distributions import merge_distributions  # noqa: PLC0415 - few ask

        items = {item.step: item for item in self._items if item.step is not None}  # of one step the last
        others = sorted({item.type for item in items.values()} - {"histogram"})
        if others:
            raise MediaUnreadableError(
                name=self.name,
                type=others[0],
                found="a heat map is made of distributions: log ox.Histogram(values)",
            )
        read = [item.read() for item in items.values()]
        edges, counts = merge_distributions([(one.counts, one.edges) for one in read], bin_count=bins)
        return Heatmap(
            name=self.name, steps=[step for step in items if step is not None], edges=edges, counts=counts
        )

    @overload
    def __getitem__(self, place: int) -> MediaItem: ...
    @overload
    def __getitem__(self, place: slice) -> list[MediaItem]: ...
    def __getitem__(self, place: int | slice) -> MediaItem | list[MediaItem]:
        """Return the items at a place in the order of steps; `at` finds one by its step."""
        return self._items[place]

    def __len__(self) -> int:
        return len(self._items)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.media_html import items_html  # noqa: PLC0415 - only notebooks ask

        return items_html(self, self._items)

    def __repr__(self) -> str:
        steps = self.steps
        reach = f", steps {steps[0]:g} to {steps[-1]:g}" if steps else ""
        return f"MediaSeries({short(self.name)}, {self.type!r}, {len(self)} items{reach})"

    def _nothing_at(
        self, step: float, index: int | None, phase: str | None, rank: int | None, found: Sequence[MediaItem]
    ) -> MediaNotFoundError:
        asked = "".join(
            f", {name}={value!r}"
            for name, value in (("index", index), ("phase", phase), ("rank", rank))
            if value is not None
        )
        if found:
            known = f"there it has index {', '.join(str(item.index) for item in found[:_SHOWN])}"
        else:
            known = f"the nearest steps are {_nearest(self.steps, step)}"
        return MediaNotFoundError(
            run=self._run,
            wanted=f"{self.name!r} at step {step:g}{asked}",
            found=known,
            fix="Take one of them.",
        )


class MediaView(Mapping[str, MediaSeries]):
    """What a run logged that is no number, by name; where it was resumed or rewound, what counts of it."""

    def __init__(self, source: ArtifactSource, run_id: str, past: Past | None = None) -> None:
        self._run = run_id[:8]
        series: dict[str, list[MediaItem]] = {}
        for stored in source.store.artifacts(ArtifactQuery(role="media", run_ids=(run_id,))):
            series.setdefault(stored.logged.name, []).append(MediaItem(stored, source))
        self._series = {
            name: MediaSeries(self._run, items)
            for name in sorted(series, key=natural_key)
            if (items := series[name] if past is None else _counting(series[name], past))
        }

    def __getitem__(self, name: str) -> MediaSeries:
        """Return what was logged under a name.

        Raises:
            MediaNotFoundError: nothing was.
        """
        found = self._series.get(name)
        if found is None:
            known = [*self._series]
            nearest = closest(name, known)
            shown = f"it has {', '.join(map(repr, known[:_SHOWN]))}" if known else "it has none"
            fix = f"Did you mean {nearest!r}?" if nearest else 'Log one: run.log({"name": ox.Image(array)})'
            raise MediaNotFoundError(run=self._run, wanted=repr(name), found=shown, fix=fix)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._series

    def __iter__(self) -> Iterator[str]:
        return iter(self._series)

    def __len__(self) -> int:
        return len(self._series)

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.media_html import media_html  # noqa: PLC0415 - only notebooks ask

        return media_html(f"Media of run {self._run}", self._series)

    def __repr__(self) -> str:
        return f"MediaView({short([*self._series])})"


def _counting(items: Sequence[MediaItem], past: Past) -> list[MediaItem]:
    """Return the media of one name that count, as points of a metric do; those without a step all do."""
    kept = [item for item in items if item.step is None]
    curves: dict[tuple[str, int], list[MediaItem]] = {}
    for item in items:
        if item.step is not None:
            curves.setdefault((item.phase, item.rank), []).append(item)
    for curve in curves.values():
        steps = [item.step for item in curve if item.step is not None]
        keep = counting(steps, [past.attempt_at(item.logged_ns) for item in curve], past)
        kept += [item for item, is_kept in zip(curve, keep, strict=True) if is_kept]
    return kept


def _place_of(item: MediaItem) -> tuple[float, int, int]:
    return -math.inf if item.step is None else item.step, item.index, item.logged_ns


def _nearest(steps: Sequence[float], wanted: float) -> str:
    at = bisect_left(steps, wanted)
    around = [*steps[max(0, at - 2) : at], *steps[at : at + 2]]
    return ", ".join(f"{step:g}" for step in around) if around else "none"
