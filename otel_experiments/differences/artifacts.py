"""Files of two runs, by name and digest: what they used is a cause, what they made a symptom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from otel_experiments.differences import weights
from otel_experiments.differences.difference import Difference, Section
from otel_experiments.query import RunView
from otel_experiments.query.artifact_view import ArtifactView


def compare_artifacts(a: RunView, b: RunView) -> Iterator[Difference]:
    """Yield which artifacts two runs used or made that are not the same bytes."""
    yield from _compare("data", a.used_artifacts, b.used_artifacts, weights.DATA)
    yield from _compare("artifacts", a.artifacts.all(), b.artifacts.all(), weights.ARTIFACT)


def _compare(
    section: Section, a: Sequence[ArtifactView], b: Sequence[ArtifactView], weight: float
) -> Iterator[Difference]:
    ours, theirs = _by_name(a), _by_name(b)
    for name in dict.fromkeys((*ours, *theirs)):
        before, after = ours.get(name), theirs.get(name)
        digests = [None if one is None else one.digest for one in (before, after)]
        if digests[0] == digests[1]:
            continue
        sizes = [one.size_bytes for one in (before, after) if one is not None]
        evidence = (
            {"size_bytes_a": float(sizes[0]), "size_bytes_b": float(sizes[1])} if len(sizes) > 1 else {}
        )
        yield Difference(
            section,
            name,
            a=None if before is None else _named(before),
            b=None if after is None else _named(after),
            weight=weight,
            detail="other bytes under one name" if before is not None and after is not None else "",
            evidence=evidence,
        )


def _by_name(artifacts: Sequence[ArtifactView]) -> dict[str, ArtifactView]:
    """Return the artifacts by name, the last of each."""
    return {one.name: one for one in artifacts}


def _named(artifact: ArtifactView) -> str:
    """Return the version, where there is one, and the beginning of the digest."""
    short = artifact.digest.partition(":")[2][:8] or artifact.digest[:8]
    return short if artifact.version is None else f"v{artifact.version} {short}"
