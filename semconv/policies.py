"""The rules that every name of the vocabulary keeps; `check_policies` names each place that breaks one.

The rules are OpenTelemetry's for names and units, and two of ours: nothing that takes unboundedly many values
is an attribute of a metric, and a span definition says how its spans are told. What a release fixes for ever
is checked by `releases.py`.

Source: OpenTelemetry semantic conventions, naming and metrics requirements; weaver's default policies.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from vocabulary import NO_REASON, Attribute, Member, Signal, Vocabulary

NAME = re.compile(r"^[a-z][a-z0-9]*([._][a-z0-9]+)*$")
SCHEMA_URL = re.compile(r"^https?://[^/]+(/[^/]+)*/[0-9]+\.[0-9]+\.[0-9]+$")
STABILITIES = frozenset({"development", "alpha", "beta", "release_candidate", "stable"})
LEVELS = frozenset({"required", "conditionally_required", "recommended", "opt_in"})
INSTRUMENTS = frozenset({"counter", "updowncounter", "gauge", "histogram"})
SPAN_KINDS = frozenset({"internal", "client", "server", "producer", "consumer"})
_PRIMITIVES = ("string", "int", "double", "boolean")
_ATTRIBUTE_TYPES = frozenset({"enum", "any", *_PRIMITIVES, *(f"{name}[]" for name in _PRIMITIVES)})
_TEMPLATE = re.compile(r"^template\[(.+)\]$")
# What we may measure in, of all of UCUM: one unit or annotation, or one over another.
_UNIT = re.compile(r"^(?P<top>1|s|ms|us|ns|By|bit|J|W|Hz|Cel|%|\{[a-z_]+\})(/(s|By|\{[a-z_]+\}))?$")
# Last segments of our names that identify or count; such values have no end.
_UNBOUNDED_ENDS = frozenset({"id", "index", "seed", "step", "sequence", "uri", "path", "url", "hash"})
_EXAMPLE_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "int": (int,),
    "double": (int, float),
    "boolean": (bool,),
}
GOLDEN_ROLES = frozenset({"config", "identity", "index", "metric", "volatile"})
_NUMBER_ROLES = frozenset({"index", "metric"})
_OUR_ROOT = "ml"
OPERATION_KEY = "ml.operation.name"
"""The enum whose every member has to tell a span."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A place that breaks a policy: the policy's code, the file and name, and what is wrong."""

    code: str
    file: str
    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}: {self.name}: {self.why} [{self.code}]"


def check_policies(vocabulary: Vocabulary) -> list[Breach]:
    """Return every breach, in the order of the rules; empty when the vocabulary is good."""
    return [breach for rule in RULES for breach in rule(vocabulary)]


def _manifest_is_complete(vocabulary: Vocabulary) -> Iterator[Breach]:
    if not SCHEMA_URL.match(vocabulary.schema_url):
        yield Breach(
            "schema_url",
            "manifest.yaml",
            vocabulary.schema_url or "(none)",
            "is no schema URL that ends in a version: https://host/path/1.2.3",
        )


def _names_are_well_formed(vocabulary: Vocabulary) -> Iterator[Breach]:
    for name, item in _all_definitions(vocabulary):
        if not NAME.match(name):
            yield Breach("invalid_name", item.file, name, f"does not match {NAME.pattern}")
        elif "." not in name:
            yield Breach("no_namespace", item.file, name, "has no namespace; prefix it")


def _own_names_have_our_root(vocabulary: Vocabulary) -> Iterator[Breach]:
    for name, item in _all_definitions(vocabulary):
        is_ours = name.split(".")[0] == _OUR_ROOT
        if is_ours and item.upstream:
            yield Breach(
                "root", item.file, name, f"is in our namespace but says that {item.upstream} defines it"
            )
        if not is_ours and not item.upstream:
            yield Breach("root", item.file, name, f"is not in {_OUR_ROOT}. and names no upstream schema")


def _names_are_unique(vocabulary: Vocabulary) -> Iterator[Breach]:
    keys = Counter(attribute.key for attribute in vocabulary.attributes)
    signals = Counter((signal.kind, signal.name) for signal in vocabulary.signals)
    constants = Counter(attribute.key.replace(".", "_") for attribute in vocabulary.attributes)
    for attribute in vocabulary.attributes:
        if keys[attribute.key] > 1:
            yield Breach("duplicate", attribute.file, attribute.key, "is defined more than once")
        elif constants[attribute.key.replace(".", "_")] > 1:
            yield Breach(
                "duplicate", attribute.file, attribute.key, "makes the same constant as another attribute"
            )
    for signal in vocabulary.signals:
        if signals[signal.kind, signal.name] > 1:
            yield Breach("duplicate", signal.file, signal.name, f"is a {signal.kind} more than once")


def _no_attribute_is_a_namespace(vocabulary: Vocabulary) -> Iterator[Breach]:
    keys = {attribute.key for attribute in vocabulary.attributes}
    for attribute in vocabulary.attributes:
        parts = attribute.key.split(".")
        for length in range(1, len(parts)):
            if (prefix := ".".join(parts[:length])) in keys:
                yield Breach(
                    "illegal_namespace",
                    attribute.file,
                    attribute.key,
                    f"uses the attribute {prefix} as a namespace",
                )


def _definitions_are_complete(vocabulary: Vocabulary) -> Iterator[Breach]:
    for name, item in _all_definitions(vocabulary):
        if not item.brief:
            yield Breach("no_brief", item.file, name, "has no brief")
        elif not item.brief.endswith("."):
            yield Breach(
                "no_brief", item.file, name, "has a brief that is no sentence; end it with a full stop"
            )
        if item.deprecated == NO_REASON:
            yield Breach(
                "no_reason", item.file, name, "is deprecated without a note that says what to use instead"
            )
        if item.stability not in STABILITIES:
            yield Breach(
                "no_stability",
                item.file,
                name,
                f"has stability {item.stability!r}, not one of {sorted(STABILITIES)}",
            )


def _attribute_types_are_known(vocabulary: Vocabulary) -> Iterator[Breach]:
    for attribute in vocabulary.attributes:
        inner = _TEMPLATE.match(attribute.type)
        kind = inner[1] if inner else attribute.type
        if kind not in _ATTRIBUTE_TYPES or (inner and kind == "enum"):
            yield Breach(
                "unknown_type", attribute.file, attribute.key, f"has the unknown type {attribute.type!r}"
            )


def _examples_are_given_and_fit(vocabulary: Vocabulary) -> Iterator[Breach]:
    for attribute in vocabulary.attributes:
        inner = _TEMPLATE.match(attribute.type)
        kind = inner[1] if inner else attribute.type
        if not attribute.examples and kind not in {"enum", "boolean"}:
            yield Breach("no_examples", attribute.file, attribute.key, "has no examples")
        for value in attribute.examples:
            if not _fits(kind, value):
                yield Breach(
                    "bad_example", attribute.file, attribute.key, f"has the example {value!r}, no {kind}"
                )


def _fits(kind: str, value: object) -> bool:
    if kind.endswith("[]"):
        return isinstance(value, list) and all(_fits(kind[:-2], entry) for entry in value)
    if kind not in _EXAMPLE_TYPES:
        return kind == "any"
    return isinstance(value, _EXAMPLE_TYPES[kind]) and isinstance(value, bool) == (kind == "boolean")


def _golden_roles_are_given(vocabulary: Vocabulary) -> Iterator[Breach]:
    for attribute in vocabulary.attributes:
        role = attribute.golden_role
        if not role:
            why = "does not say what a golden comparison does with it; annotate it with golden: config if it is compared"
        elif role not in GOLDEN_ROLES:
            why = f"has the golden role {role!r}, not one of {sorted(GOLDEN_ROLES)}"
        elif role in _NUMBER_ROLES and attribute.type not in {"int", "double"}:
            why = f"has the golden role {role!r} but is no number"
        else:
            continue
        yield Breach("golden_role", attribute.file, attribute.key, why)


def _enums_are_well_formed(vocabulary: Vocabulary) -> Iterator[Breach]:
    for attribute in vocabulary.attributes:
        if attribute.type == "enum" and not attribute.members:
            yield Breach("bad_enum", attribute.file, attribute.key, "has no members")
        if attribute.type != "enum" and attribute.is_closed:
            yield Breach("bad_enum", attribute.file, attribute.key, "is closed but no enum")
        ids = Counter(member.id for member in attribute.members)
        values = Counter(member.value for member in attribute.members)
        for member in attribute.members:
            if ids[member.id] > 1 or values[member.value] > 1:
                why = "is there twice"
            else:
                why = _fault_of_member(member)
            if why:
                yield Breach(
                    "bad_enum", attribute.file, attribute.key, f"member {member.id or member.value!r} {why}"
                )


def _fault_of_member(member: Member) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]*", member.id):
        return "has an id that is no lower-case word"
    if not re.fullmatch(r"[a-z][a-z0-9_.]*", member.value):
        return "has a value that is no lower-case word in quotes"
    if not member.brief:
        return "has no brief"
    return "" if member.stability in STABILITIES else f"has the stability {member.stability!r}"


def _references_resolve(vocabulary: Vocabulary) -> Iterator[Breach]:
    keys = {attribute.key for attribute in vocabulary.attributes}
    for missing in vocabulary.missing_groups:
        where, _, group = missing.rpartition(": ")
        yield Breach("unresolved_ref", where, group, "is a ref_group that does not exist")
    for signal in vocabulary.signals:
        refs = Counter(use.ref for use in (*signal.identity, *signal.uses))
        for ref, count in refs.items():
            if ref not in keys:
                yield Breach(
                    "unresolved_ref", signal.file, signal.name, f"refers to {ref}, which is not defined"
                )
            if count > 1:
                yield Breach("duplicate_ref", signal.file, signal.name, f"refers to {ref} {count} times")
        for use in signal.uses:
            if use.level not in LEVELS:
                yield Breach("bad_level", signal.file, signal.name, f"{use.ref} has the level {use.level!r}")
            if use.level == "conditionally_required" and not use.condition:
                yield Breach("bad_level", signal.file, signal.name, f"{use.ref} is required on no condition")


def _metrics_are_well_formed(vocabulary: Vocabulary) -> Iterator[Breach]:
    for metric in vocabulary.of_kind("metric"):
        if metric.is_unit_unset and (metric.unit or metric.instrument != "gauge"):
            yield Breach(
                "bad_unit",
                metric.file,
                metric.name,
                "says that its unit is unset, but has one or is no gauge",
            )
        elif not metric.is_unit_unset and not _UNIT.match(metric.unit):
            yield Breach(
                "bad_unit", metric.file, metric.name, f"has the unit {metric.unit!r}, not one we know in UCUM"
            )
        if metric.instrument not in INSTRUMENTS:
            yield Breach(
                "bad_instrument", metric.file, metric.name, f"has the instrument {metric.instrument!r}"
            )
        if metric.name.endswith(("_total", ".total")):
            yield Breach("total", metric.file, metric.name, "ends in total; name what is counted")
        if metric.name.endswith(".duration") and (metric.unit, metric.instrument) != ("s", "histogram"):
            yield Breach("bad_unit", metric.file, metric.name, "is a duration but no histogram in s")
        yield from _boundaries_are_given(metric)


def _boundaries_are_given(metric: Signal) -> Iterator[Breach]:
    numbers = [value for value in metric.boundaries if isinstance(value, (int, float))]
    if metric.instrument != "histogram":
        why = "has boundaries of buckets but is no histogram" if metric.boundaries else ""
    elif not metric.boundaries:
        why = (
            "" if metric.upstream else "is a histogram without boundaries; annotate it with boundaries: [...]"
        )
    elif len(numbers) < len(metric.boundaries) or numbers != sorted(set(numbers)):
        why = "has boundaries that are no rising numbers"
    else:
        why = ""
    if why:
        yield Breach("bad_boundaries", metric.file, metric.name, why)


def _metrics_stay_small(vocabulary: Vocabulary) -> Iterator[Breach]:
    by_key = vocabulary.by_key
    for metric in vocabulary.of_kind("metric"):
        for use in metric.uses:
            attribute = by_key.get(use.ref)
            if attribute is None:
                continue
            if attribute.is_unbounded or _must_be_unbounded(attribute):
                yield Breach(
                    "cardinality",
                    metric.file,
                    metric.name,
                    f"carries {use.ref}, which takes unboundedly many values; put it on a span, an event or the Resource",
                )
    for attribute in vocabulary.attributes:
        if _must_be_unbounded(attribute) and not attribute.is_unbounded:
            yield Breach(
                "cardinality",
                attribute.file,
                attribute.key,
                "identifies or counts; annotate it with cardinality: unbounded",
            )


def _must_be_unbounded(attribute: Attribute) -> bool:
    parts = attribute.key.split(".")
    return parts[0] == _OUR_ROOT and (parts[-1] in _UNBOUNDED_ENDS or attribute.type.startswith("template["))


def _spans_can_be_told(vocabulary: Vocabulary) -> Iterator[Breach]:
    by_key = vocabulary.by_key
    told: dict[tuple[str, str], str] = {}
    for span in vocabulary.of_kind("span"):
        required = {use.ref for use in span.uses if use.level == "required"}
        if not span.match_values or span.match_key not in required:
            yield Breach(
                "no_match", span.file, span.name, "does not say which values of a required attribute tell it"
            )
        known = by_key.get(span.match_key)
        members = {member.value for member in known.members} if known else set()
        for value in span.match_values:
            if value not in members:
                yield Breach(
                    "no_match", span.file, span.name, f"is told by {value!r}, no member of {span.match_key}"
                )
            other = told.setdefault((span.match_key, value), span.name)
            if other != span.name:
                yield Breach("no_match", span.file, span.name, f"is told by {value!r}, as {other} is")
    for attribute in vocabulary.attributes:
        for member in attribute.members if attribute.key == OPERATION_KEY else ():
            if (attribute.key, member.value) not in told:
                yield Breach("no_match", attribute.file, attribute.key, f"{member.value!r} tells no span")


def _span_shapes_are_known(vocabulary: Vocabulary) -> Iterator[Breach]:
    for span in vocabulary.of_kind("span"):
        if span.span_kind not in SPAN_KINDS:
            yield Breach("bad_kind", span.file, span.name, f"has the kind {span.span_kind!r}")
        yield from _span_name_is_a_pattern(span, vocabulary)


def _span_name_is_a_pattern(span: Signal, vocabulary: Vocabulary) -> Iterator[Breach]:
    if not span.name_pattern:
        yield Breach("bad_span_name", span.file, span.name, "has no name pattern")
    by_key = vocabulary.by_key
    identity = {
        use.ref for entity in vocabulary.of_kind("entity") for use in (*entity.identity, *entity.uses)
    }
    known = {use.ref for use in span.uses} | identity
    for placeholder in re.findall(r"\{([^}]*)\}", span.name_pattern):
        attribute = by_key.get(placeholder)
        if attribute is None or placeholder not in known:
            yield Breach(
                "bad_span_name",
                span.file,
                span.name,
                f"has {{{placeholder}}} in its name, no attribute of it",
            )
        elif attribute.is_unbounded:
            yield Breach(
                "bad_span_name",
                span.file,
                span.name,
                f"has the unbounded attribute {placeholder} in its name",
            )


def _all_definitions(vocabulary: Vocabulary) -> Iterator[tuple[str, Attribute | Signal]]:
    yield from ((attribute.key, attribute) for attribute in vocabulary.attributes)
    yield from ((signal.name, signal) for signal in vocabulary.signals)


RULES: tuple[Callable[[Vocabulary], Iterator[Breach]], ...] = (
    _manifest_is_complete,
    _names_are_well_formed,
    _own_names_have_our_root,
    _names_are_unique,
    _no_attribute_is_a_namespace,
    _definitions_are_complete,
    _attribute_types_are_known,
    _examples_are_given_and_fit,
    _golden_roles_are_given,
    _enums_are_well_formed,
    _references_resolve,
    _metrics_are_well_formed,
    _metrics_stay_small,
    _spans_can_be_told,
    _span_shapes_are_known,
)
"""The policies, in the order in which their breaches are named."""
