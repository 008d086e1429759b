"""The YAML of `model/` as plain data: loaded, groups expanded, references resolved.

It judges nothing: `policies.py` does, on what `load_vocabulary` returns, so that a bad vocabulary can be loaded
and named. Only what cannot be read at all is refused here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml

Node = Mapping[str, object]
SignalKind = Literal["span", "metric", "event", "entity"]

FILE_FORMAT = "definition/2"
NO_REASON = "-"
"""Stands for the reason of a deprecation that gives none."""
_SIGNAL_FIELDS = frozenset({"brief", "note", "stability", "requirement_level", "annotations", "deprecated"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "attributes": frozenset(
        {"key", "type", "brief", "note", "stability", "examples", "annotations", "deprecated"}
    ),
    "attribute_groups": frozenset({"id", "visibility", "brief", "stability", "attributes"}),
    "entities": _SIGNAL_FIELDS - {"requirement_level"} | {"type", "identity", "description"},
    "events": _SIGNAL_FIELDS | {"name", "attributes", "entity_associations"},
    "metrics": _SIGNAL_FIELDS | {"name", "unit", "instrument", "attributes", "entity_associations"},
    "spans": _SIGNAL_FIELDS | {"type", "kind", "name", "attributes", "entity_associations"},
}
"""What an entry of each section may say. Source: weaver, schemas/semconv.schema.v2.json, which allows no more."""
_SECTIONS = frozenset({"file_format", *_FIELDS})
_SIGNAL_SECTIONS: Mapping[SignalKind, str] = {
    "span": "spans",
    "metric": "metrics",
    "event": "events",
    "entity": "entities",
}


class VocabularyError(Exception):
    """A file of the vocabulary cannot be read; the text names the file and the entry."""


@dataclass(frozen=True, slots=True)
class Member:
    """One value of an enum."""

    id: str
    value: str
    brief: str
    stability: str


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute as defined. `type` is `enum` where members are given; `upstream` a schema URL or empty.

    `golden_role` says what a golden comparison does with the attribute; empty where nothing is said.
    """

    key: str
    type: str
    brief: str
    note: str
    stability: str
    examples: tuple[object, ...]
    members: tuple[Member, ...]
    is_closed: bool
    is_unbounded: bool
    golden_role: str
    upstream: str
    deprecated: str
    file: str


@dataclass(frozen=True, slots=True)
class Use:
    """A reference to an attribute by a signal. `condition` says when, for levels that depend on something."""

    ref: str
    level: str
    condition: str = ""
    is_sampling_relevant: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A span, metric, event or entity definition; `name` is its type or its name.

    Spans fill `span_kind`, `name_pattern` and `match_*` (a span is one of the definition when its attribute
    `match_key` has one of `match_values`); metrics `unit` (UCUM), `instrument` and the `boundaries` of a histogram's
    buckets; entities `identity`, while their `uses` only describe. `is_unit_unset` says that a metric has no unit on purpose,
    `is_sent` that this package records the signal.
    """

    kind: SignalKind
    name: str
    brief: str
    note: str
    stability: str
    uses: tuple[Use, ...]
    upstream: str
    is_opt_in: bool
    deprecated: str
    file: str
    span_kind: str = ""
    name_pattern: str = ""
    match_key: str = ""
    match_values: tuple[str, ...] = ()
    unit: str = ""
    is_unit_unset: bool = False
    instrument: str = ""
    boundaries: tuple[object, ...] = ()
    is_sent: bool = True
    identity: tuple[Use, ...] = ()


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Everything that `model/` says, in the order of names."""

    schema_url: str
    attributes: tuple[Attribute, ...]
    signals: tuple[Signal, ...]
    missing_groups: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The last segment of the schema URL."""
        return self.schema_url.rpartition("/")[2]

    @property
    def by_key(self) -> dict[str, Attribute]:
        """Attributes by key; of two with one key the last."""
        return {attribute.key: attribute for attribute in self.attributes}

    def of_kind(self, kind: str) -> tuple[Signal, ...]:
        """The signals of one kind."""
        return tuple(signal for signal in self.signals if signal.kind == kind)


def load_vocabulary(model: Path) -> Vocabulary:
    """Return the vocabulary of a folder with a `manifest.yaml` and any number of definition files below it.

    Raises:
        VocabularyError: a file is no YAML mapping, has another format, an unknown section, or an entry
            without its name.
    """
    manifest = _read(model / "manifest.yaml")
    sections: dict[str, list[tuple[Node, str]]] = {name: [] for name in _SECTIONS}
    for path in sorted(model.rglob("*.yaml")):
        if path.name == "manifest.yaml":
            continue
        file = path.relative_to(model).as_posix()
        document = _read(path)
        if document.get("file_format") != FILE_FORMAT:
            raise VocabularyError(
                f"{file}: file_format is {document.get('file_format')!r}, not {FILE_FORMAT!r}"
            )
        if unknown := set(document) - _SECTIONS:
            raise VocabularyError(
                f"{file}: unknown sections {sorted(unknown)}; known are {sorted(_SECTIONS)}"
            )
        for name in sorted(_SECTIONS - {"file_format"}):
            for node in _nodes(document.get(name), f"{file}: {name}"):
                if unknown := set(node) - _FIELDS[name]:
                    raise VocabularyError(
                        f"{file}: an entry of {name} has {sorted(unknown)}; it may have {sorted(_FIELDS[name])}"
                    )
                sections[name].append((node, file))
    groups = {
        _name(node, "id", file): list(_nodes(node.get("attributes"), f"{file}: {node['id']}"))
        for node, file in sections["attribute_groups"]
    }
    reader = _SignalReader(groups)
    attributes = [_attribute(node, file) for node, file in sections["attributes"]]
    signals = [
        reader.read(kind, node, file)
        for kind, section in _SIGNAL_SECTIONS.items()
        for node, file in sections[section]
    ]
    return Vocabulary(
        schema_url=str(manifest.get("schema_url", "")),
        attributes=tuple(sorted(attributes, key=lambda attribute: attribute.key)),
        signals=tuple(sorted(signals, key=lambda signal: (signal.kind, signal.name))),
        missing_groups=tuple(reader.missing_groups),
    )


def _read(path: Path) -> Node:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise VocabularyError(f"{path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise VocabularyError(f"{path.name} holds {type(document).__name__}, not a mapping")
    return document


def _nodes(value: object, where: str) -> Iterator[Node]:
    if value is None:
        return
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise VocabularyError(f"{where} is not a list of mappings")
    yield from value


def _name(node: Node, key: str, file: str) -> str:
    name = node.get(key)
    if not isinstance(name, str) or not name:
        raise VocabularyError(f"{file}: an entry has no {key!r}: {dict(node)}")
    return name


def _text(node: Node, key: str) -> str:
    value = node.get(key)
    return "" if value is None else " ".join(str(value).split())


def _annotation(node: Node, key: str) -> object:
    annotations = node.get("annotations")
    return annotations.get(key) if isinstance(annotations, dict) else None


def _upstream(node: Node) -> str:
    upstream = _annotation(node, "upstream")
    return str(upstream.get("schema_url", "")) if isinstance(upstream, dict) else ""


def _deprecation(node: Node) -> str:
    """Return why the entry is deprecated; a lone dash where it is without saying why."""
    deprecated = node.get("deprecated")
    if deprecated is None:
        return ""
    return (_text(deprecated, "note") if isinstance(deprecated, dict) else "") or NO_REASON


def _attribute(node: Node, file: str) -> Attribute:
    key = _name(node, "key", file)
    kind = node.get("type")
    members: tuple[Member, ...] = ()
    if isinstance(kind, dict):
        members = tuple(
            Member(
                id=_text(member, "id"),
                # A bare `on` or `1` is no string in YAML; kept apart by its repr for the policy to name.
                value=value if isinstance(value := member.get("value"), str) else repr(value),
                brief=_text(member, "brief"),
                stability=_text(member, "stability"),
            )
            for member in _nodes(kind.get("members"), f"{file}: members of {key}")
        )
    examples = node.get("examples")
    return Attribute(
        key=key,
        type="enum" if isinstance(kind, dict) else str(kind or ""),
        brief=_text(node, "brief"),
        note=_text(node, "note"),
        stability=_text(node, "stability"),
        examples=tuple(examples) if isinstance(examples, list) else () if examples is None else (examples,),
        members=members,
        is_closed=_annotation(node, "closed") is True,
        is_unbounded=_annotation(node, "cardinality") == "unbounded",
        golden_role=str(_annotation(node, "golden") or ""),
        upstream=_upstream(node),
        deprecated=_deprecation(node),
        file=file,
    )


class _SignalReader:
    """Reads signals; knows the attribute groups and remembers which ones were asked for in vain."""

    def __init__(self, groups: Mapping[str, Sequence[Node]]) -> None:
        self._groups = groups
        self.missing_groups: list[str] = []

    def read(self, kind: SignalKind, node: Node, file: str) -> Signal:
        """Return the signal that the node defines."""
        name = _name(node, "type" if kind in {"span", "entity"} else "name", file)
        where = f"{file}: {name}"
        name_rule = node.get("name")
        match = _annotation(node, "match")
        match = match if isinstance(match, dict) else {}
        values = match.get("values")
        boundaries = _annotation(node, "boundaries")
        return Signal(
            kind=kind,
            name=name,
            brief=_text(node, "brief"),
            note=_text(node, "note"),
            stability=_text(node, "stability"),
            uses=tuple(self._uses(node.get("description" if kind == "entity" else "attributes"), where)),
            upstream=_upstream(node),
            is_opt_in=node.get("requirement_level") == "opt_in",
            deprecated=_deprecation(node),
            file=file,
            span_kind=_text(node, "kind"),
            name_pattern=_text(name_rule, "note") if isinstance(name_rule, dict) else "",
            match_key=_text(match, "attribute"),
            match_values=tuple(map(str, values)) if isinstance(values, list) else (),
            unit=_text(node, "unit"),
            is_unit_unset=_annotation(node, "unit") == "unset",
            instrument=_text(node, "instrument"),
            boundaries=tuple(boundaries) if isinstance(boundaries, list) else (),
            is_sent=_annotation(node, "sent") is not False,
            identity=tuple(self._uses(node.get("identity"), where)),
        )

    def _uses(self, value: object, where: str) -> Iterator[Use]:
        for node in _nodes(value, where):
            if isinstance(group := node.get("ref_group"), str):
                if group not in self._groups:
                    self.missing_groups.append(f"{where}: {group}")
                yield from self._uses(list(self._groups.get(group, ())), f"{where} > {group}")
                continue
            level: object = node.get("requirement_level", "recommended")
            condition: object = ""
            if isinstance(level, dict) and len(level) == 1:
                ((level, condition),) = level.items()
            yield Use(
                ref=_name(node, "ref", where),
                level=str(level),
                condition=str(condition),
                is_sampling_relevant=node.get("sampling_relevant") is True,
            )
