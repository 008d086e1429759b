"""What a search for runs can ask for."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING, Final, get_args

from otel_experiments.model.search import (
    ArtifactField,
    ArtifactPart,
    DirtyField,
    EventCountField,
    FactField,
    FactName,
    LogTextField,
    MetricField,
    MetricStat,
    PackageField,
    ParamField,
    RunField,
    RunFieldName,
    SpanStat,
    SpanStatField,
    SummaryField,
    TagField,
)
from otel_experiments.query.search.subject import Keyed, Subject, needs_name, suggest

if TYPE_CHECKING:
    from otel_experiments.model.search import SearchField
    from otel_experiments.query.search.path import Path
    from otel_experiments.query.search.source import Source

RUN_FIELDS: Final[tuple[RunFieldName, ...]] = get_args(RunFieldName)
FACTS: Final[tuple[FactName, ...]] = get_args(FactName)
ARTIFACT_PARTS: Final[tuple[ArtifactPart, ...]] = get_args(ArtifactPart)
METRIC_STATS: Final[tuple[MetricStat, ...]] = get_args(MetricStat)


SPAN_STATS: Final[tuple[SpanStat, ...]] = get_args(SpanStat)


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


class _Artifacts:
    """`artifacts["model"].size`, `artifacts.count`, `exists(artifacts["model"])`."""

    def field(self, source: Source, path: Path) -> SearchField:
        """Return the part of an artifact that the path names, its digest where it names none."""
        *names, last = path.parts
        if not names and last.is_attribute and last.name == "count":
            return RunField("artifacts")
        for part in ARTIFACT_PARTS:
            if names and last.is_attribute and last.name == part:
                name = ".".join(one.plain(source) for one in names)
                return replace(self.keyed(source, name, path.root), part=part)
        if names and last.is_attribute and not names[-1].is_attribute:
            raise source.error(
                f"An artifact has no {last.name!r}.",
                f"{suggest(last.name, ARTIFACT_PARTS)}There are: {', '.join(ARTIFACT_PARTS)}.",
                last.node,
            )
        return self.keyed(source, ".".join(one.plain(source) for one in path.parts), path.root)

    def keyed(self, source: Source, key: str, node: ast.expr) -> ArtifactField:
        """Return the digest of the artifact."""
        if not key:
            raise source.error("artifacts needs a name that is not empty.", 'Write artifacts["model"]', node)
        return ArtifactField(key)


class _Facts:
    """`git.commit`, `environment.python`."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._facts = {fact.partition(".")[2]: fact for fact in FACTS if fact.startswith(f"{name}.")}
        more = {"git": "git.dirty", "environment": 'environment.packages["torch"]'}
        self._there = [*self._facts.values(), more[name]]

    def field(self, source: Source, path: Path) -> SearchField:
        """Return what the path names."""
        if self._name == "environment" and path.parts and path.parts[0].name == "packages":
            name = ".".join(part.plain(source) for part in path.parts[1:])
            if not name:
                raise source.error("packages needs a name.", 'Write environment.packages["torch"]', path.root)
            return PackageField(name)
        if len(path.parts) != 1:
            there = " or ".join(self._there)
            raise source.error(f"{self._name} needs one name after it.", f"Write {there}.", path.root)
        return self.keyed(source, path.parts[0].plain(source), path.parts[0].node)

    def keyed(self, source: Source, key: str, node: ast.expr) -> SearchField:
        """Return the fact of this name."""
        if self._name == "git" and key == "dirty":
            return DirtyField()
        if key not in self._facts:
            there = ", ".join(self._there)
            hint = suggest(key, [one.partition(".")[2] for one in self._there])
            raise source.error(f"{self._name} has no {key!r}.", f"{hint}There are: {there}.", node)
        return FactField(self._facts[key])


class _Spans:
    """`spans["checkpoint"].p95`, `spans.checkpoint.errors`."""

    def field(self, source: Source, path: Path) -> SpanStatField:
        """Return the number of a run's spans that the path names."""
        if not path.parts:
            raise needs_name(source, "spans", path.root)
        first, *rest = path.parts
        found = self.keyed(source, first.plain(source), first.node)
        if not rest:
            return found
        for known in SPAN_STATS:
            if known == rest[0].name and rest[0].is_attribute and len(rest) == 1:
                return SpanStatField(found.name, known)
        after = ".".join(part.plain(source) for part in rest)
        raise source.error(
            f"Spans have no {after!r}.",
            f"{suggest(after, SPAN_STATS)}There are: {', '.join(SPAN_STATS)}. "
            f'A name with a dot is quoted: spans["{found.name}.{after}"]',
            rest[0].node,
        )

    def keyed(self, source: Source, key: str, node: ast.expr) -> SpanStatField:
        """Return how many spans of that name there are."""
        if not key:
            raise source.error("spans needs a name that is not empty.", 'Write spans["checkpoint"]', node)
        return SpanStatField(key)


class _Events:
    """`events["lib.event"].count`."""

    def field(self, source: Source, path: Path) -> EventCountField:
        """Return the number of a run's events that the path names."""
        if not path.parts:
            raise needs_name(source, "events", path.root)
        parts = path.parts
        if len(parts) > 1 and parts[-1].is_attribute and parts[-1].name == "count":
            parts = parts[:-1]
        return self.keyed(source, ".".join(part.plain(source) for part in parts), path.root)

    def keyed(self, source: Source, key: str, node: ast.expr) -> EventCountField:
        """Return how many events of that name there are."""
        if not key:
            raise source.error("events needs a name that is not empty.", 'Write events["x"].count', node)
        return EventCountField(key)


def _suggested(word: str) -> str:
    return f"Write params.{word}, metrics.{word} or tags.{word}"


RUNS: Final = Subject(
    noun="run",
    fields={
        **{name: RunField(name) for name in RUN_FIELDS},
        **{fact: FactField(fact) for fact in FACTS if "." not in fact},
        "logs": LogTextField(),
    },
    namespaces={
        "params": Keyed("params", ParamField),
        "metrics": _Metrics(),
        "tags": Keyed("tags", TagField),
        "git": _Facts("git"),
        "environment": _Facts("environment"),
        "artifacts": _Artifacts(),
        "summary": Keyed("summary", SummaryField),
        "spans": _Spans(),
        "events": _Events(),
    },
    aliases={"id": "run_id", "config": "params", "parent": "parent_run_id", "time": "created"},
    elsewhere={
        "param": "params", "parameters": "params", "hparams": "params", "hyperparameters": "params",
        "hyperparams": "params", "args": "params", "cfg": "params", "metric": "metrics", "history": "metrics",
        "tag": "tags", "status": "state", "runtime": "duration", "start_time": "started",
        "end_time": "ended", "title": "name", "project": "experiment", "error": "error_type",
        "span": "spans", "event": "events", "log": "logs", "output": "logs", "stdout": "logs", "stderr": "logs",
    },
    stats={"metrics": METRIC_STATS, "spans": SPAN_STATS, "events": ("count",)},
    suggests=_suggested,
)  # fmt: skip
