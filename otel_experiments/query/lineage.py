"""Which runs and artifacts something came from, and which came of it: a walk over what runs made and used."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from otel_experiments._short_repr import short
from otel_experiments.model.artifact import ArtifactLogged, ArtifactQuery, ArtifactUsed, StoredArtifact
from otel_experiments.query.artifact_source import ArtifactSource
from otel_experiments.query.artifact_view import ArtifactView, is_of

MOST_NODES: Final = 1000
"""So many runs and artifacts are visited unless another number is asked for."""
_SHORT_ID: Final = 8
_SHORT_DIGITS: Final = len("sha256:") + 12

Way = Literal["sources", "results"]
"""What a node came from, or what came of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LineageNode:
    """A run or an artifact.

    Attributes:
        kind: `run` or `artifact`.
        id: the run's id, or what names the artifact: its `ref`, or its digest.
        name: what it is called.
        experiment: the experiment that it belongs to.
        type: what kind of artifact it is.
        digest: the digest of an artifact.
        version: the number of an artifact's version.
    """

    kind: Literal["run", "artifact"]
    id: str
    name: str
    experiment: str = ""
    type: str = ""
    digest: str = ""
    version: int | None = None

    def __str__(self) -> str:
        if self.kind == "run":
            shown = f"run {self.name or self.id[:_SHORT_ID]}"
            return shown if not self.name else f"{shown} ({self.id[:_SHORT_ID]})"
        return f"{self.id[:_SHORT_DIGITS] if self.id == self.digest else self.id}{f' ({self.type})' if self.type else ''}"


@dataclass(frozen=True, slots=True)
class LineageLink:
    """A run made or used an artifact; both by their ids."""

    run_id: str
    action: Literal["made", "used"]
    artifact: str


@dataclass(frozen=True, slots=True)
class LineageStep:
    """A place in the tree: a node, and how deep. `is_repeated`: it is further up as well, with all that follows it."""

    depth: int
    node: LineageNode
    is_repeated: bool = False


@dataclass(slots=True, kw_only=True)
class Lineage:
    """What was found of one run or artifact. `str` draws it as a tree.

    Attributes:
        root: the run or artifact that was asked for.
        sources: by id, what a node came from: a run's used artifacts, an artifact's runs that made it.
        results: by id, what came of a node: artifacts that a run made, runs that used an artifact.
        nodes: all runs and artifacts, by id.
        left_out_count: how many more were not visited, at least, since there are too many.
    """

    root: LineageNode
    sources: dict[str, list[str]] = field(default_factory=dict)
    results: dict[str, list[str]] = field(default_factory=dict)
    nodes: dict[str, LineageNode] = field(default_factory=dict)
    left_out_count: int = 0

    @property
    def links(self) -> list[LineageLink]:
        """Which run made and used which artifact, each once."""
        found = {
            link: None
            for way in ("sources", "results")
            for start, ends in getattr(self, way).items()
            for end in ends
            if (link := self._link(way, start, end)) is not None
        }
        return list(found)

    def steps(self, way: Way) -> Iterator[LineageStep]:
        """Yield the tree of what the root came from, or what came of it, without the root, from the top down.

        Args:
            way: `sources` for what it came from, `results` for what came of it.
        """
        following = self.sources if way == "sources" else self.results
        seen = {self.root.id}
        waiting = [(1, key) for key in reversed(following.get(self.root.id, ()))]
        while waiting:
            depth, key = waiting.pop()
            is_repeated = key in seen
            yield LineageStep(depth, self.nodes[key], is_repeated)
            if not is_repeated:
                seen.add(key)
                waiting += [(depth + 1, one) for one in reversed(following.get(key, ()))]

    def lines(self) -> Iterator[str]:
        """Yield the lines of the drawn tree."""
        yield str(self.root)
        words = {
            ("sources", "run"): "made by",
            ("sources", "artifact"): "used",
            ("results", "run"): "used by",
            ("results", "artifact"): "made",
        }
        is_alone = True
        for way in ("sources", "results"):
            for step in self.steps(way):
                is_alone = False
                again = " (see above)" if step.is_repeated else ""
                yield f"{'  ' * step.depth}{words[way, step.node.kind]} {step.node}{again}"
        if is_alone:
            yield "  no run or artifact is known that it came from, or that came of it"
        if self.left_out_count:
            yield f"  ... and at least {self.left_out_count} more"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        from otel_experiments.query.shown.artifact_html import lineage_html  # noqa: PLC0415 - only notebooks ask

        return lineage_html(str(self.root), self.lines())

    def __repr__(self) -> str:
        return f"Lineage({short(str(self.root))}, {len(self.nodes)} runs and artifacts)"

    def _link(self, way: str, start: str, end: str) -> LineageLink | None:
        first, second = self.nodes[start], self.nodes[end]
        if first.kind == second.kind:
            return None
        run, artifact = (first, second) if first.kind == "run" else (second, first)
        is_use = (way == "sources") is (first.kind == "run")
        return LineageLink(run.id, "used" if is_use else "made", artifact.id)


def lineage_of_artifact(source: ArtifactSource, view: ArtifactView, *, most: int = MOST_NODES) -> Lineage:
    """Return what an artifact came from and what came of it."""
    walk = _Walk(source, most)
    return walk.of(walk.artifact(view.record, view.version))


def lineage_of_run(source: ArtifactSource, run_id: str, *, most: int = MOST_NODES) -> Lineage:
    """Return what a run used and made, and where that came from and went."""
    walk = _Walk(source, most)
    return walk.of(walk.run(run_id))


class _Walk:
    """Goes from run to artifact to run, each visited once; no chain is too long, and no circle without end."""

    def __init__(self, source: ArtifactSource, most: int) -> None:
        self._source = source
        self._most = most
        self._nodes: dict[str, LineageNode] = {}
        self._records: dict[str, ArtifactLogged] = {}

    def of(self, root: LineageNode) -> Lineage:
        found = Lineage(root=root, nodes=self._nodes)
        for way, following in (("sources", found.sources), ("results", found.results)):
            found.left_out_count += self._go(root, way, following)
        return found

    def run(self, run_id: str) -> LineageNode:
        known = self._nodes.get(run_id)
        if known is None:
            run = self._source.store.get_run(run_id)
            known = LineageNode(
                kind="run", id=run_id, name=run.name if run else "", experiment=run.experiment if run else ""
            )
            self._nodes[run_id] = known
        return known

    def artifact(self, record: ArtifactLogged, version: int | None) -> LineageNode:
        key = ArtifactView(StoredArtifact(record, version), self._source).ref
        known = self._nodes.get(key)
        if known is None:
            known = LineageNode(
                kind="artifact",
                id=key,
                name=record.name,
                experiment=record.experiment,
                type=record.type,
                digest=record.digest,
                version=version,
            )
            self._nodes[key], self._records[key] = known, record
        return known

    def _go(self, root: LineageNode, way: str, following: dict[str, list[str]]) -> int:
        waiting, visited, left_out = deque([root]), {root.id}, 0
        while waiting:
            node = waiting.popleft()
            if len(following) >= self._most:
                left_out += 1
                continue
            ends = list(dict.fromkeys(end.id for end in self._next(node, way)))
            following[node.id] = ends
            news = [end for end in ends if end not in visited]
            visited.update(news)
            waiting.extend(self._nodes[end] for end in news)
        return left_out

    def _next(self, node: LineageNode, way: str) -> Sequence[LineageNode]:
        store = self._source.store
        if node.kind == "run":
            if way == "sources":
                return [self._used(use) for use in store.artifact_uses(run_ids=[node.id])]
            made = store.artifacts(ArtifactQuery(run_ids=(node.id,)))
            return [self.artifact(one.logged, one.version) for one in made]
        record = self._records[node.id]
        if way == "sources":
            asked = ArtifactQuery(experiment=record.experiment, name=record.name, digest=record.digest)
            return [self.run(one.logged.run_id) for one in store.artifacts(asked)]
        uses = store.artifact_uses(digests=[record.digest])
        return [self.run(use.run_id) for use in uses if is_of(use, record)]

    def _used(self, use: ArtifactUsed) -> LineageNode:
        found = self._source.store.artifacts(ArtifactQuery(digest=use.digest))
        of_name = [one for one in found if is_of(use, one.logged)] or found
        if of_name:
            return self.artifact(of_name[-1].logged, of_name[-1].version)
        unknown = ArtifactLogged("", use.experiment, use.name, use.digest, use.time_ns, type="", file_count=0)
        return self.artifact(unknown, None)
