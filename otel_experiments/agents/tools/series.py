"""`read_series`: the curve of one metric, thinned where it is long."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from otel_experiments.agents.tool import Answer, Argument, Tool
from otel_experiments.agents.tools.shapes import OBJECT, RUN, counted, plain_name
from otel_experiments.query.plain import plain_curve
from otel_experiments.query.shown.curves import label_of

if TYPE_CHECKING:
    from otel_experiments.agents.place import Place


def _series(place: Place, given: Mapping[str, Any]) -> Answer:  # arguments by name, each of its kind
    with place.open() as reader:
        run = reader.run(given["run"])
        metrics, phase = run.metrics, given["phase"]
        series = metrics[given["name"]] if phase is None else metrics[given["name"], phase]
        if given["rank"] is not None:
            series = series.of_rank(given["rank"])
        if given["x"] is not None:
            metrics[given["x"]]  # an error that names what there is
        is_short = series.count <= given["buckets"]
        curve = plain_curve(series, x=given["x"], buckets=None if is_short else given["buckets"])
    form = (
        "all of them"
        if is_short
        else f"thinned to {given['buckets']} parts with least, greatest and last value"
    )
    return Answer(
        f"{label_of(series)} of run {run.short_id}: {counted(series.count, 'point')}, {form}.",
        {"run": plain_name(run), "series": curve},
    )


READ_SERIES: Final = Tool(
    "read_series",
    "Read a metric's curve",
    "Read the points of one metric of a run. A long series is thinned to a band: of each part the first and last step, the "
    "least, greatest and last value and the count, so that no spike is lost. NaN and infinities are the texts NaN, "
    "Infinity and -Infinity. show_run with part=metrics lists the metrics.",
    (
        RUN,
        Argument("name", "text", "the metric.", is_required=True),
        Argument("phase", "text", "the series of this phase, such as train or validation."),
        Argument(
            "rank", "whole", "the series of this rank of the job; by default the lowest that has it.", least=0
        ),
        Argument("x", "text", "the metric over which it is read, such as epoch; by default the steps."),
        Argument(
            "buckets",
            "whole",
            "how many parts a longer series is thinned to.",
            default=100,
            least=2,
            most=300,
        ),
    ),
    {"run": OBJECT, "series": OBJECT},
    _series,
    rest="Ask for fewer buckets.",
)
