"""What runs were told by key, of a store in SQLite: params, tags, summaries, and how metrics are to be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from otel_experiments.store.sqlite.reading import read

if TYPE_CHECKING:
    from otel_experiments.model.batch import MetricDefinition, ParamSet, SummarySet
    from otel_experiments.model.run import ParamValue
    from otel_experiments.store.sqlite.database import Database


class RunValues:
    """The part of a store that has the values of runs by key."""

    _database: Database

    def params(self, run_ids: Sequence[str]) -> dict[str, dict[str, ParamValue]]:
        """Return the flat params (dotted keys) of each run; runs without any map to an empty dict."""
        from otel_experiments.store.sqlite import read_values as _read_values  # noqa: PLC0415 - 2 ms that few need

        return read(self._database, _read_values.params, run_ids)

    def param_sets(self, run_id: str) -> list[ParamSet]:
        """Return every value that the run's params were given, by key and time."""
        from otel_experiments.store.sqlite import read_values as _read_values  # noqa: PLC0415 - as above

        return read(self._database, _read_values.param_sets, run_id)

    def summary_sets(self, run_id: str) -> list[SummarySet]:
        """Return what the program set in the summary of the run itself, by key."""
        from otel_experiments.store.sqlite import read_values as _read_values  # noqa: PLC0415 - as above

        return read(self._database, _read_values.summary_sets, run_id)

    def metric_definitions(self, run_id: str) -> list[MetricDefinition]:
        """Return how the run's metrics are to be read, by pattern."""
        from otel_experiments.store.sqlite import read_values as _read_values  # noqa: PLC0415 - as above

        return read(self._database, _read_values.metric_definitions, run_id)

    def tags(self, run_ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of each run."""
        from otel_experiments.store.sqlite import read_values as _read_values  # noqa: PLC0415 - as above

        return read(self._database, _read_values.tags, run_ids)
