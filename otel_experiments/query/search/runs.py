"""What a search for runs can ask for."""

from __future__ import annotations

import ast
from typing import Final, get_args

from otel_experiments.model.search import (
    MetricField,
    MetricStat,
    ParamField,
    RunField,
    RunFieldName,
    SummaryField,
    TagField,
)
from otel_experiments.query.search.path import Path
from otel_experiments.query.search.source import Source
from otel_experiments.query.search.subject import Keyed, Subject, needs_name, suggest

RUN_FIELDS: Final[tuple[RunFieldName, ...]] = get_args(RunFieldName)
METRIC_STATS: Final[tuple[MetricStat, ...]] = get_args(MetricStat)


class _Metrics:
    """`metrics.loss.min`, `metrics["loss", "validation"]`."""

    def field(self, source: Source, path: Path) -> MetricField:
        """Return the number of a metric's summary that the path names."""
        if not path.parts:
            raise needs_name(source, "metrics", path.root)
        first, *rest = path.parts
        found = self.keyed(source, first.name, first.node)
        if not rest:
            return MetricField(found.name, phase=first.phase)
        for known in METRIC_STATS:
            if known == rest[0].name and rest[0].is_attribute and len(rest) == 1:
                return MetricField(found.name, known, first.phase)
        after = ".".join(part.plain(source) for part in rest)
        raise source.error(
            f"A metric has no {after!r}.",
            f"{suggest(after, METRIC_STATS)}There are: {', '.join(METRIC_STATS)}. "
            f'A name with a dot is quoted: metrics["{found.name}.{after}"]',
            rest[0].node,
        )

    def keyed(self, source: Source, key: str, node: ast.expr) -> MetricField:
        """Return the last value of the metric."""
        if not key:
            raise source.error("metrics needs a name that is not empty.", 'Write metrics["loss"]', node)
        return MetricField(key)


def _suggested(word: str) -> str:
    return f"Write params.{word}, metrics.{word} or tags.{word}"


RUNS: Final = Subject(
    noun="run",
    fields={name: RunField(name) for name in RUN_FIELDS},
    namespaces={
        "params": Keyed("params", ParamField),
        "metrics": _Metrics(),
        "tags": Keyed("tags", TagField),
        "summary": Keyed("summary", SummaryField),
    },
    aliases={"id": "run_id", "config": "params", "parent": "parent_run_id"},
    elsewhere={
        "param": "params", "parameters": "params", "hparams": "params", "hyperparameters": "params",
        "hyperparams": "params", "args": "params", "cfg": "params", "metric": "metrics", "history": "metrics",
        "tag": "tags", "status": "state", "time": "duration", "runtime": "duration", "start_time": "started",
        "end_time": "ended", "title": "name", "project": "experiment", "error": "error_type",
    },
    stats={"metrics": METRIC_STATS},
    suggests=_suggested,
)  # fmt: skip
