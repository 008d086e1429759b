"""Two runs compared: every difference, in the order in which they explain each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from otel_experiments.differences import weights
from otel_experiments.differences.artifacts import compare_artifacts
from otel_experiments.differences.code import compare_code
from otel_experiments.differences.curves import curves_of_both
from otel_experiments.differences.difference import Difference, in_order
from otel_experiments.differences.found import Differing, RunSide
from otel_experiments.differences.metrics import compare_metrics
from otel_experiments.differences.span_sides import PathTimes, read_side
from otel_experiments.differences.spans import compare_spans, uniform_factor
from otel_experiments.differences.surroundings import compare_surroundings, unknown_parts
from otel_experiments.differences.values import compare_mappings
from otel_experiments.query import RunView

if TYPE_CHECKING:
    from otel_experiments.query.json_values import Plain


@dataclass(frozen=True, slots=True, repr=False)
class RunDiff(Differing):
    """Why two runs differ: causes first, then what came of them.

    A notebook shows it; `print` prints the ten most telling differences.

    Attributes:
        a: the first run.
        b: the second run.
        differences: all of them, the likeliest cause first.
        notes: what was not compared, and what holds for all.
        same: how many params, packages, metrics and paths of spans are the same.
        paths_a: the times of each path of the first run's span tree.
        paths_b: those of the second run's.
        curves: the metrics that differ most, both runs in one figure each.
    """

    def text(self, *, is_all: bool = False, width: int = 100) -> str:
        """Return the report as text.

        Args:
            is_all: whether to show every difference, the uncommitted changes line by line, and the times of every path.
            width: how many columns wide; values are cut to fit, except with `is_all`.
        """
        from otel_experiments.differences.report.text import render_text  # noqa: PLC0415 - one report of four is made

        return render_text(self, is_all=is_all, width=width)

    def json(self) -> dict[str, Plain]:
        """Return everything as values that JSON can hold; keys are only ever added."""
        from otel_experiments.differences.report.json import render_json  # noqa: PLC0415 - as above

        return render_json(self)

    def markdown(self, *, is_all: bool = False) -> str:
        """Return the report in Markdown, for a comment or a notebook.

        Args:
            is_all: whether to show every difference.
        """
        from otel_experiments.differences.report.markdown import render_markdown  # noqa: PLC0415 - as above

        return render_markdown(self, is_all=is_all)

    def html(self) -> str:
        """Return everything as one page of HTML with its curves: light or dark, no script, nothing fetched."""
        from otel_experiments.differences.report.html import render_page  # noqa: PLC0415 - as above

        return render_page(self)

    def _repr_html_(self) -> str:
        from otel_experiments.differences.report.html import render_cell  # noqa: PLC0415 - as above

        return render_cell(self)

    def __str__(self) -> str:
        return self.text()

    def __repr__(self) -> str:
        counts = f"{len(self.causes)} causes, {len(self.symptoms)} symptoms"
        return f"RunDiff({self.a.short_id!r}, {self.b.short_id!r}, {counts})"


def diff_runs(a: RunView, b: RunView) -> RunDiff:
    """Return why two runs differ.

    Args:
        a: the first run, of any store.
        b: the second run, of the same or another store.
    """
    sides = read_side(a, "A"), read_side(b, "B")
    differences = in_order(
        (
            *_facts(a, b),
            *compare_code(a, b),
            *compare_mappings("params", a.params.flat, b.params.flat, weights.param_weight),
            *compare_surroundings(a, b),
            *compare_artifacts(a, b),
            *compare_metrics(a, b),
            *compare_spans(*sides),
            *_losses(a, b),
        )
    )
    notes = [*unknown_parts(a, b), *sides[0].notes, *sides[1].notes]
    lacking = [letter for letter, side in zip("AB", sides, strict=True) if side.form is None]
    if len(lacking) == 1:
        notes.append(f"spans: {lacking[0]} has none, so span trees were not compared")
    factor = uniform_factor(sides[0].paths, sides[1].paths)
    if factor is not None:
        notes.append(
            f"times: everything takes {factor:.3g} times as long in B: another or a busy machine, not one path"
        )
    notes += [f"{letter} is {run.state}: what it records from now on is not in this" for letter, run in (("A", a), ("B", b)) if run.state.is_live]  # fmt: skip
    return RunDiff(
        _side(a),
        _side(b),
        differences,
        notes=tuple(notes),
        same=_same(a, b, differences, (sides[0].paths, sides[1].paths)),
        paths_a=sides[0].paths,
        paths_b=sides[1].paths,
        curves=curves_of_both(a, b, [one.key for one in differences if one.section == "metrics"]),
    )


def _side(run: RunView) -> RunSide:
    return RunSide(
        id=run.id, name=run.name, experiment=run.experiment, state=str(run.state), duration_s=run.duration_s
    )


def _facts(a: RunView, b: RunView) -> Iterator[Difference]:
    if a.state != b.state or a.error_type != b.error_type:
        reasons = [": ".join(text for text in (run.error_type, run.reason) if text) for run in (a, b)]
        detail = ", ".join(
            f"{letter}: {reason}" for letter, reason in zip("AB", reasons, strict=True) if reason
        )
        yield Difference(
            "state", "state", a=str(a.state), b=str(b.state), weight=weights.STATE, detail=detail
        )
    for key in ("name", "experiment", "group", "condition", "hypothesis"):
        before, after = getattr(a, key), getattr(b, key)
        if before != after:
            yield Difference("labels", key, a=before or None, b=after or None, weight=weights.LABEL)
    yield from compare_mappings("labels", _tags(a), _tags(b), lambda *_: weights.LABEL)


def _tags(run: RunView) -> dict[str, object]:
    return {f"tag {key}": value for key, value in run.tags.items()}


def _losses(a: RunView, b: RunView) -> Iterator[Difference]:
    ours, theirs = ({f"{one.kind} {one.name}".strip(): one.count for one in run.losses} for run in (a, b))
    for one in compare_mappings("losses", ours, theirs, lambda *_: weights.LOSSES):
        yield Difference(
            one.section, one.key, a=one.a, b=one.b, weight=one.weight, detail="not recorded as it was given"
        )


def _same(
    a: RunView,
    b: RunView,
    differences: tuple[Difference, ...],
    paths: tuple[Mapping[str, PathTimes], Mapping[str, PathTimes]],
) -> dict[str, int]:
    """Return how much of what can be compared is the same."""
    differing = {(one.section, one.key) for one in differences}
    counts = {
        "params": sum(key in b.params.flat and ("params", key) not in differing for key in a.params.flat),
        "packages": sum(
            ("packages", key) not in differing for key in a.snapshot.packages if key in b.snapshot.packages
        ),
        "metrics": len({one for one in a.metrics if one in b.metrics and ("metrics", one) not in differing}),
        "paths of spans": sum(path in paths[1] for path in paths[0]),
    }
    return {name: count for name, count in counts.items() if count}
