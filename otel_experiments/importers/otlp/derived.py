"""Series made of numbers that are no points of our own gauge: in spans, in span events, in gauges with a step."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from otel_experiments.importers.otlp.emitters import Identity
from otel_experiments.model.metric import PointBlock, SeriesKey


@dataclass(slots=True)
class _Columns:
    steps: array[float] = field(default_factory=lambda: array("d"))
    times_ns: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))


class DerivedSeries:
    """Gathers points, one by one, into blocks of one series each."""

    def __init__(self) -> None:
        self._series: dict[tuple[str, SeriesKey], _Columns] = {}

    def add(
        self, identity: Identity, name: str, step: float, time_ns: int, value: float, *, phase: str = ""
    ) -> None:
        """Add one point to a series of the identity's run."""
        key = (identity.run_id, SeriesKey(name, phase, identity.rank))
        columns = self._series.get(key)
        if columns is None:
            columns = self._series[key] = _Columns()
        columns.steps.append(step)
        columns.times_ns.append(time_ns)
        columns.values.append(value)

    def blocks(self) -> list[PointBlock]:
        """Return what was gathered."""
        return [
            PointBlock(run_id, (key,), one.steps, one.times_ns, (one.values,), is_received=True)
            for (run_id, key), one in self._series.items()
        ]
