"""Artifacts and their lineage as HTML for the cell of a notebook. Bytes are not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

from otel_experiments.figures import panel as html
from otel_experiments.figures.quantity import size, step
from otel_experiments.model.run import ParamValue
from otel_experiments.query.shown.html import MAX_ROWS, counted, value_text, when

_DIGEST_CHARS: Final = 19
"""`sha256:` and the first 12 digits, which look an artifact up."""
_MAX_LINES: Final = 60


class ShownArtifact(Protocol):
    """What is needed of an artifact."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def version(self) -> int | None:
        """Its number among those of the name."""
        ...

    @property
    def aliases(self) -> Sequence[str]:
        """The aliases that point at it."""
        ...

    @property
    def type(self) -> str:
        """What the user says it is."""
        ...

    @property
    def digest(self) -> str:
        """The digest of its bytes."""
        ...

    @property
    def size_bytes(self) -> int:
        """How large it is."""
        ...

    @property
    def file_count(self) -> int:
        """How many files it has."""
        ...

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        ...

    @property
    def step(self) -> float | None:
        """The step at which it was logged."""
        ...

    @property
    def metadata(self) -> Mapping[str, ParamValue]:
        """What was said of it."""
        ...

    @property
    def run_id(self) -> str:
        """The run that logged it."""
        ...

    @property
    def logged_ns(self) -> int:
        """When it was logged."""
        ...


def artifacts_table(artifacts: Sequence[ShownArtifact]) -> html.Markup:
    """Return artifacts, a row each."""
    columns: list[html.Column | str] = [
        "artifact",
        "version",
        "type",
        html.Column("size", is_number=True),
        "digest",
    ]
    rows = [
        (
            html.code(one.name or "-"),
            html.Markup("".join([html.escaped(_version(one)), *map(html.badge, one.aliases[:3])])),
            one.type,
            _size(one),
            html.code(one.digest[:_DIGEST_CHARS]),
        )
        for one in artifacts[:MAX_ROWS]
    ]
    return html.table(columns, rows, left_out=len(artifacts) - len(rows))


def artifact_html(artifact: ShownArtifact) -> str:
    """Return one artifact: name, version, where it is from, and what was said of it."""
    facts = [
        artifact.type,
        _size(artifact),
        html.code(artifact.digest),
        f"logged {when(artifact.logged_ns)} by run {artifact.run_id[:8]}",
        *([f"step {step(artifact.step)}"] if artifact.step is not None else []),
    ]
    badges = [html.badge(_version(artifact), "0"), *map(html.badge, artifact.aliases[:8])]
    parts = [html.head(artifact.name or artifact.digest, badges=badges, facts=facts)]
    if artifact.metadata:
        shown = {key: value_text(value) for key, value in islice(artifact.metadata.items(), MAX_ROWS)}
        parts += [html.heading("metadata"), html.pairs(shown, left_out=len(artifact.metadata) - len(shown))]
    return html.panel(*parts)


def artifacts_html(title: str, artifacts: Sequence[ShownArtifact]) -> str:
    """Return the artifacts of a run."""
    head = html.head(title, facts=[counted(len(artifacts), "artifact")])
    return html.panel(head, *([artifacts_table(artifacts)] if artifacts else []))


def lineage_html(root: str, lines: Iterable[str]) -> str:
    """Return where something came from, and what came of it, as the tree that a terminal prints."""
    shown = list(islice(lines, _MAX_LINES + 1))
    more = [html.line("...")] if len(shown) > _MAX_LINES else []
    return html.panel(html.head(f"Lineage of {root}"), html.block(shown[:_MAX_LINES]), *more)


def _version(artifact: ShownArtifact) -> str:
    return "" if artifact.version is None else f"v{artifact.version}"


def _size(artifact: ShownArtifact) -> str:
    files = f"{counted(artifact.file_count, 'file')}, " if artifact.is_folder else ""
    return f"{files}{size(artifact.size_bytes)}"
