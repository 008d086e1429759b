"""Series made of numbers that are no points of our own gauge: in spans, in span events, in gauges with a step."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Final

from otel_experiments.codec.values import dump_canonical
from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.model.metric import PointBlock, SeriesKey
from otel_experiments.model.span import Attributes, AttributeValue
from otel_experiments.semconv import attributes as attr

_IDENTIFYING: Final = frozenset(
    {attr.ML_METRIC_NAME, attr.ML_PHASE, attr.ML_RUN_ID, attr.ML_DISTRIBUTED_RANK}
)
"""Attributes that are said of a series otherwise than by its name."""


def series_key(name: str, attributes: Attributes, steps: frozenset[str], rank: int) -> SeriesKey:
    """Return the series of points with these attributes; those that no other part of the key says join the name.

    `steps` are attributes that are steps.
    """
    phase = attributes.get(attr.ML_PHASE)
    others = {key: value for key, value in attributes.items() if key not in steps and key not in _IDENTIFYING}
    if others:
        name = f"{name}{{{', '.join(f'{key}={_text(value)}' for key, value in sorted(others.items()))}}}"
    return SeriesKey(name, phase if isinstance(phase, str) else "", rank)


def _text(value: AttributeValue) -> str:
    return value if isinstance(value, str) else dump_canonical(value)


@dataclass(slots=True)
class _Columns:
    steps: array[float] = field(default_factory=lambda: array("d"))
    times_ns: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


class DerivedSeries:
    """Gathers points, one by one, into blocks of one series each."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, SeriesKey, bool], _Columns] = {}

    def add(
        self, identity: Identity, name: str, step: float, time_ns: int, value: float, *, phase: str = ""
    ) -> None:
        """Add one point to a series of the identity's run."""
        self.add_to(identity.run_id, SeriesKey(name, phase, identity.rank), step, time_ns, value)

    def add_to(
        self,
        run_id: str,
        key: SeriesKey,
        step: float,
        time_ns: int,
        value: float,
        *,
        is_repeating: bool = False,
    ) -> None:
        """Add one point to a series of a run; `is_repeating` as of `PointBlock`."""
        place = (run_id, key, is_repeating)
        columns = self._series.get(place)
        if columns is None:
            columns = self._series[place] = _Columns()
        columns.steps.append(step)
        columns.times_ns.append(time_ns)
        columns.values.append(value)

    def blocks(self) -> list[PointBlock]:
        """Return what was gathered."""
        return [
            PointBlock(
                run_id,
                (key,),
                one.steps,
                one.times_ns,
                (one.values,),
                is_received=True,
                is_repeating=is_repeating,
            )
            for (run_id, key, is_repeating), one in self._series.items()
        ]
