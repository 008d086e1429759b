"""What is compared of single spans, interned: equal spans share a number.

One plan for each combination of name, kind, status, scope and attribute keys says which attributes are
compared; per span only the values are picked and looked up. Texts are normalised once for each distinct value.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from operator import itemgetter
from typing import Final

from otel_experiments.codec.redaction import redact_value
from otel_experiments.golden.canonical.chunks import splice_chunks
from otel_experiments.golden.canonical.environment import find_surroundings
from otel_experiments.golden.canonical.form import (
    BLANK,
    EventForm,
    LinkForm,
    Node,
    NodeType,
    Own,
    extend_path,
    round_floats,
)
from otel_experiments.golden.canonical.normalize import Token, identity_token, normalize_text
from otel_experiments.golden.canonical.roles import Role, Roles
from otel_experiments.golden.canonical.values import Value, encode_value
from otel_experiments.model.span import Attributes, Span
from otel_experiments.semconv import attributes as attr
from otel_experiments.semconv import values

_FRAME: Final = re.compile(r'File "[^"]*", line \d+, in (\S+)')
_OUTSIDE: Final = values.MlRunStartedFrom.ENVIRONMENT
"""Of a link: the run was started by a CI job, say, which is there on one machine and not on another."""
_EPHEMERAL_PORT: Final = 32_768
"""Ports from here on are handed out by the system. Source: Linux, ip_local_port_range."""
_HASHABLE: Final = (str, bool, int, float, bytes, type(None))


class _Plan:
    """How spans of one call site are read."""

    __slots__ = ("config", "identity", "is_hashable", "label", "number", "pick", "raws", "scope", "status")

    def __init__(
        self,
        span: Span,
        config: tuple[str, ...],
        identity: frozenset[str],
        *,
        number: int,
        label: int,
        is_hashable: bool,
    ) -> None:
        self.status = int(span.status)
        self.scope = span.scope.name
        self.config = config
        self.identity = identity
        self.number = number
        self.label = label
        self.is_hashable = is_hashable
        self.raws: dict[object, int] = {}
        self.pick: Callable[[Attributes], object] = itemgetter(*config) if config else _nothing


_NUMBERS: Final = frozenset({int, float, bool})


def _types_of(values: object) -> tuple[type, ...]:
    return tuple(map(type, values)) if type(values) is tuple else (type(values),)


def _nothing(_: Attributes) -> object:
    return ()


class OwnTable:
    """Columns over the spans of a run, read in one pass, and numbers for what the spans are.

    `labels` are (name, kind), `owns` the rest of what is compared. `raw` numbers tell spans apart before ids
    become labels; `own_of_raw` maps them to positions in `owns`.
    """

    def __init__(self, spans: list[Span], roles: Roles) -> None:
        self.spans = spans
        self.parent: list[int] = []
        self.roots = self.orphans = self.still_open = 0
        self.roles = roles
        self.labels: list[tuple[str, int]] = []
        self.label: list[int] = []
        self.plan: list[int] = []
        self.raw: list[int] = []
        self.lane: list[object] = []
        self.sequence: list[object] = []
        self.cpu_ns: list[object] = []
        self.start_ns: list[int] = []
        self.end_ns: list[int] = []
        self.index_keys: list[tuple[str, ...]] = []
        self.metric_keys: list[tuple[str, ...]] = []
        self.owns: list[Own] = [BLANK]
        self.own_of_raw: list[int] = []
        self.schemas: dict[str, str] = {}
        self.dropped: frozenset[int] = frozenset()
        self._label_numbers: dict[tuple[str, int], int] = {}
        self._own_numbers: dict[Own, int] = {BLANK: 0}
        self._tokens: dict[int, tuple[tuple[str, Token], ...]] = {}
        self._types: dict[int, tuple[type, ...]] = {}
        self._texts: dict[int, str] = {}
        self._digests: dict[int, bytes] = {}
        self._where: dict[tuple[str, str], int] | None = None
        self._paths: dict[int, str] = {}
        self._names: dict[str, str] = {}
        self._surroundings = find_surroundings(spans)

    def fill(self) -> bool:
        """Read all spans into the columns; return whether each id occurs once.

        One loop touches each span once: a million spans do not fit a cache, and a second look at each costs
        more than everything that is done with it.
        """
        plans: dict[tuple[object, ...], _Plan] = {}
        raw, plan_of, label = self.raw, self.plan, self.label
        lane, sequence, cpu_ns = self.lane, self.sequence, self.cpu_ns
        start_ns = self.start_ns
        end_ns: list[int | None] = []
        ids: list[str] = []
        parent_ids: list[str | None] = []
        special: list[tuple[int, _Plan]] = []
        chunks = False
        types = self._types  # equal values may be different ones: 1 equals 1.0 and True
        for span in self.spans:
            attributes = span.attributes
            key = span.name, span.kind, span.status, span.scope.name, tuple(attributes)
            plan = plans.get(key)
            if plan is None:
                plan = plans[key] = self._make_plan(span, len(plans))
                chunks = chunks or attr.ML_TRACE_CHUNK_INDEX in attributes
            plan_of.append(plan.number)
            label.append(plan.label)
            lane.append(attributes.get(attr.ML_SPAN_LANE))
            sequence.append(attributes.get(attr.ML_SPAN_SEQUENCE))
            cpu_ns.append(attributes.get(attr.ML_SPAN_CPU_TIME))
            ids.append(span.span_id)
            parent_ids.append(span.parent_span_id)
            start_ns.append(span.start_ns)
            end_ns.append(span.end_ns)
            if span.events or span.links or not plan.is_hashable:
                special.append((len(raw), plan))
                raw.append(-1)
                continue
            values = plan.pick(attributes)
            try:
                found = plan.raws.get(values)
            except TypeError:  # a list where the first span of this kind had none
                special.append((len(raw), plan))
                raw.append(-1)
                continue
            if found is None or (found in types and types[found] != _types_of(values)):
                found = self._read(span, plan)
                plan.raws[values] = found
            raw.append(found)
        is_unique = self._find_parents(ids, parent_ids)
        self.roots = parent_ids.count(None)
        self.orphans = self.parent.count(-1) - self.roots
        self.still_open = end_ns.count(None)
        self.end_ns = end_ns if not self.still_open else [end or 0 for end in end_ns]  # type: ignore[assignment] # all numbers where none is open
        if chunks:
            self.dropped = splice_chunks(self.spans, self.parent)
        for position, plan in special:  # their links name other spans, whose places are known only now
            raw[position] = self._read(self.spans[position], plan)
        return is_unique

    def _find_parents(self, ids: list[str], parent_ids: list[str | None]) -> bool:
        """Find the position of each span's parent, -1 for roots and for those whose parent is elsewhere.

        Returns:
            Whether each id occurs once.
        """
        where: dict[str | None, int] = dict(zip(ids, range(len(ids)), strict=True))
        if len(where) == len(ids):
            self.parent = [where.get(parent, -1) for parent in parent_ids]
            return True
        exact = {(span.trace_id, span.span_id): at for at, span in enumerate(self.spans)}
        self.parent = [exact.get((span.trace_id, span.parent_span_id or ""), -1) for span in self.spans]
        return len(exact) == len(ids)

    def name_of(self, span: Span) -> str:
        """Return the span's name with labels in place of ids, paths and secrets."""
        known = self._names.get(span.name)
        if known is None:
            known = self._names[span.name] = normalize_text(span.name, self._surroundings)[0]
        return known

    def _make_plan(self, span: Span, number: int) -> _Plan:
        config: list[str] = []
        index: list[str] = []
        metric: list[str] = []
        identity: set[str] = set()
        for key, value in span.attributes.items():
            role = self.roles.role_of(key, type(value))
            if role is Role.INDEX:
                index.append(key)
            elif role is Role.METRIC:
                metric.append(key)
            elif role is not Role.VOLATILE:
                config.append(key)
                if role is Role.IDENTITY:
                    identity.add(key)
        self.index_keys.append(tuple(index))
        self.metric_keys.append(tuple(metric))
        schema = span.scope.schema_url or span.resource.schema_url
        if schema:
            self.schemas.setdefault(span.scope.name, schema)
        named = self.name_of(span), int(span.kind)
        label = self._label_numbers.setdefault(named, len(self.labels))
        if label == len(self.labels):
            self.labels.append(named)
        return _Plan(
            span,
            tuple(sorted(config)),
            frozenset(identity),
            number=number,
            label=label,
            is_hashable=all(isinstance(span.attributes[key], _HASHABLE) for key in config),
        )

    def _read(self, span: Span, plan: _Plan) -> int:
        """Return a new raw number for a span, its own form interned."""
        tokens: list[tuple[str, Token]] = []
        own = Own(
            attributes=tuple(
                (key, self._value(key, span.attributes[key], plan.identity, tokens)) for key in plan.config
            ),
            status=plan.status,
            scope=plan.scope,
            events=tuple(
                EventForm(normalize_text(event.name, self._surroundings)[0], self._small(event.attributes))
                for event in span.events
            ),
            links=tuple(
                sorted(
                    (
                        LinkForm(self._target(link.trace_id, link.span_id), self._small(link.attributes))
                        for link in span.links
                        if link.attributes.get(attr.ML_RUN_STARTED_FROM) != _OUTSIDE
                    ),
                    key=repr,
                )
            ),
        )
        number = self._own_numbers.setdefault(own, len(self.owns))
        if number == len(self.owns):
            self.owns.append(own)
        self.own_of_raw.append(number)
        raw = len(self.own_of_raw) - 1
        types = tuple(type(span.attributes[key]) for key in plan.config)
        if not _NUMBERS.isdisjoint(types):
            self._types[raw] = types
        if tokens:
            self._tokens[raw] = tuple(tokens)
        return raw

    def _value(
        self, key: str, value: object, identity: frozenset[str], tokens: list[tuple[str, Token]]
    ) -> Value:
        if key in identity:
            token = identity_token(key, value)
            tokens.append((key, token))
            return f"<{token.kind}>"
        value = redact_value(key, value)
        if self.roles.is_declared_config(key):
            return encode_value(value)
        if isinstance(value, int) and value >= _EPHEMERAL_PORT and key.endswith((".port", "_port")):
            return "<port>"
        found: list[Token] = []
        encoded = encode_value(value, found, where=self._surroundings)
        tokens += ((key, token) for token in found)
        return encoded

    def _small(self, attributes: Attributes) -> tuple[tuple[str, Value], ...]:
        """Return the compared attributes of an event or a link: its numbers over an index are left out.

        Which ids are the same is not kept: a golden file numbers the ids of spans' own attributes only.
        """
        tokens: list[tuple[str, Token]] = []
        kept: list[tuple[str, Value]] = []
        for key in sorted(attributes):
            value = attributes[key]
            if key == attr.EXCEPTION_STACKTRACE and self.roles.rules.keep_stack:
                kept.append((key, ("list", *_FRAME.findall(str(value)))))
                continue
            role = self.roles.role_of(key, type(value))
            if role in {Role.CONFIG, Role.IDENTITY}:
                own = frozenset({key}) if role is Role.IDENTITY else frozenset()
                kept.append((key, self._value(key, value, own, tokens)))
        return tuple(kept)

    # --- paths of link targets ---------------------------------------------------------------------------------

    def _target(self, trace_id: str, span_id: str) -> str:
        if self._where is None:
            self._where = {(span.trace_id, span.span_id): at for at, span in enumerate(self.spans)}
        position = self._where.get((trace_id, span_id))
        return "<external>" if position is None else self.path(position)

    def path(self, position: int) -> str:
        """Return the canonical path of a span."""
        known = self._paths
        chain: list[int] = []
        seen: set[int] = set()
        at = position
        while at >= 0 and at not in known and at not in seen:
            chain.append(at)
            seen.add(at)
            at = self.parent[at]
        above = known.get(at, "")
        for here in reversed(chain):
            above = extend_path(above, self.name_of(self.spans[here]))
            known[here] = above
        return known[position]

    # --- digests and labels ------------------------------------------------------------------------------------

    def text(self, raw: int) -> str:
        """Return what a span is as a text, the same in every process."""
        number = self.own_of_raw[raw]
        known = self._texts.get(number)
        if known is None:
            known = self._texts[number] = repr(tuple(round_floats(self.owns[number]) or self.owns[number]))
        return known

    def digest(self, raw: int) -> bytes:
        """Return a digest of what a span is, the same in every process."""
        number = self.own_of_raw[raw]
        known = self._digests.get(number)
        if known is None:
            known = self._digests[number] = blake2b(self.text(raw).encode(), digest_size=12).digest()
        return known

    def number_labels(self, top: Node) -> None:
        """Number the ids that occur more than once, in canonical order, into the `labels` of the nodes."""
        if not self._tokens:
            return
        uses = Counter(
            token
            for raw, count in Counter(self.raw).items()
            for _, token in self._tokens.get(raw, ())
            for _ in range(min(count, 2))
        )
        numbers: dict[Token, int] = {}
        stack = list(reversed(top.children))
        while stack:
            node = stack.pop()
            stack.extend(reversed(node.children))
            if node.type is not NodeType.SPAN:
                continue
            for instance, position in enumerate(node.spans):
                found = self._tokens.get(self.raw[position])
                if not found:
                    continue
                by_key: dict[str, list[int]] = {}
                for key, token in found:
                    if uses[token] > 1 and token not in numbers:
                        numbers[token] = len(numbers) + 1
                    by_key.setdefault(key, []).append(numbers.get(token, 0))
                for key, labels in by_key.items():
                    if any(labels):
                        column = node.labels.setdefault(key, [()] * node.size)
                        column[instance] = tuple(labels)
