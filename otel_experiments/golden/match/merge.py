"""Runs that do the same merged into one form: the numbers of each, and patterns where their attributes differ.

The form accepts each of the runs that it was made of. Where children are parallel and nothing tells them apart, any
of them may have what one of them has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from otel_experiments.golden.canonical.form import EventForm, Form, Node, NodeType, Own
from otel_experiments.golden.canonical.values import Value
from otel_experiments.golden.findings import Code, Finding
from otel_experiments.golden.match.ledger import Ledger
from otel_experiments.golden.match.matcher import is_ambiguous, match_forms
from otel_experiments.golden.match.pattern import Seen, is_open, pattern_of, varies, widened
from otel_experiments.golden.match.state import Pair

_MAX_ROUNDS = 3
_WIDENED = frozenset({Code.ATTR, Code.ATTR_TYPE, Code.ATTR_ADDED, Code.ATTR_REMOVED, Code.ATTR_RENAMED})
_OF_BEHAVIOUR = frozenset({Code.STATUS, Code.KIND, Code.EVENT, Code.LINK, Code.SCOPE})

_Attributes = tuple[tuple[str, Value], ...]
_Place = tuple[Node, int]


def behaviour_findings(golden: Form, candidate: Form) -> list[Finding]:
    """Return how two runs differ in what they do: in all but the values of attributes and metrics."""
    ledger = Ledger()
    match_forms(golden, candidate, ledger)
    return [
        finding
        for finding in ledger.findings()
        if finding.group == "structure" or (finding.code in _OF_BEHAVIOUR and not finding.key)
    ]


def merge_forms(forms: Sequence[Form]) -> Form:
    """Return one form with the numbers of all, and with what varies between them as patterns."""
    first = forms[0]
    if len(forms) == 1:
        return first
    merged = replace(
        first,
        top=_copied(first.top),
        owns=list(first.owns),
        own_numbers={own: number for number, own in enumerate(first.owns)},
        series=tuple(form.series[0] for form in forms),
        _above={},
    )
    matched = [match_forms(merged, form, Ledger()).pairs for form in forms[1:]]
    seen: dict[_Place, list[Own]] = {}
    for run, (form, pairs) in enumerate(zip(forms[1:], matched, strict=True), 1):
        for pair in pairs:
            _merge_metrics(pair, run, len(forms))
            _note_owns(seen, pair, first.owns, form.owns, run)
    _generalise(merged, seen)
    for pair in (pair for pairs in matched for pair in pairs):
        _open_indices(merged, pair)
    for _, node in merged.walk():
        for columns in node.metrics.values():
            columns += [[None] * node.size for _ in range(len(forms) - len(columns))]
    _widen_until_all_pass(merged, forms)
    return merged


def _copied(top: Node) -> Node:
    """Return a tree of its own, so that patterns do not get into the run's."""
    copies: dict[Node, Node] = {}
    stack = [top]
    while stack:
        node = stack.pop()
        copies[node] = replace(
            node,
            own=list(node.own),
            index={key: list(column) for key, column in node.index.items()},
            metrics={key: [list(column) for column in columns] for key, columns in node.metrics.items()},
            labels={key: list(column) for key, column in node.labels.items()},
        )
        stack += node.children
    for node, copy in copies.items():
        copy.children = [copies[child] for child in node.children]
    return copies[top]


def _merge_metrics(pair: Pair, run: int, runs: int) -> None:
    """Add a run's metrics to those of the first run, instance by instance."""
    ours = pair.golden
    for key, (column, *_) in pair.candidate.metrics.items():
        columns = ours.metrics.setdefault(key, [])
        columns += [[None] * ours.size for _ in range(runs - len(columns))]
        for old, new in zip(pair.golden_at, pair.candidate_at, strict=True):
            columns[run][old] = column[new]


def _note_owns(
    seen: dict[_Place, list[Own]], pair: Pair, ours: Sequence[Own], theirs: Sequence[Own], run: int
) -> None:
    """Note what a run has where some run differs from the first."""
    for old, new in zip(pair.golden_at, pair.candidate_at, strict=True):
        before, after = ours[pair.golden.own[old]], theirs[pair.candidate.own[new]]
        place = pair.golden, old
        if place in seen:
            seen[place].append(after)
        elif before is not after and before != after:
            seen[place] = [*[before] * run, after]


def _open_indices(merged: Form, pair: Pair) -> None:
    """Make an index optional that only some runs have: it is no longer an index then, but an attribute."""
    ours, theirs = pair.golden, pair.candidate
    for key in {*ours.index} ^ {*theirs.index}:
        ours.index.pop(key, None)
        _set_everywhere(merged, [ours], key, widened(None, is_optional=True))


def _generalise(merged: Form, seen: Mapping[_Place, Sequence[Own]]) -> None:
    """Put patterns in place of the attributes that differ between the runs."""
    paths: dict[Node, str] = {node: path for path, node in merged.walk()}
    by_path: dict[str, list[_Place]] = {}
    for place in seen:
        by_path.setdefault(paths[place[0]], []).append(place)
    nodes: dict[str, list[Node]] = {}
    for node, path in paths.items():
        if path in by_path and node.type is NodeType.SPAN:
            nodes.setdefault(path, []).append(node)
    for path, places in by_path.items():
        found = _varying(seen[place] for place in places)
        open_keys = {key for key, own in found.items() if is_open(own)}
        for place in places:
            _replace_own(merged, place, _merged_own(seen[place], open_keys))
        ambiguous = [node for node in nodes[path] if is_ambiguous(merged, node)]
        for key, own in found.items() if ambiguous else ():
            everything = [one for values in own for one in values]
            everything += (_value(merged, node, at, key) for node in ambiguous for at in range(node.size))
            pattern = pattern_of(everything, open_to_all=key in open_keys)
            if pattern is not None:
                _set_everywhere(merged, ambiguous, key, pattern)
        if any(own.events != seen[place][0].events for place in places for own in seen[place]):
            _pool_events(merged, ambiguous)


def _pool_events(merged: Form, nodes: Iterable[Node]) -> None:
    """Let each of some spans have in its events what one of them has."""
    places: dict[tuple[str, ...], list[_Place]] = {}
    for node in nodes:
        for instance, number in enumerate(node.own):
            names = tuple(event.name for event in merged.owns[number].events)
            places.setdefault(names, []).append((node, instance))
    for group in places.values():
        owns = [merged.owns[node.own[instance]] for node, instance in group]
        events = _merged_events(owns)
        for place, own in zip(group, owns, strict=True):
            _replace_own(merged, place, own._replace(events=events))


def _varying(places: Iterable[Sequence[Own]]) -> dict[str, list[Seen]]:
    """Return what the runs have under each key, for the places where they differ in it."""
    found: dict[str, list[Seen]] = {}
    for owns in places:
        maps = [dict(own.attributes) for own in owns]
        for key in {key for one in maps for key in one}:
            values = [one.get(key) for one in maps]
            if varies(values):
                found.setdefault(key, []).append(values)
    return found


def _merged_own(owns: Sequence[Own], open_keys: set[str]) -> Own:
    first = owns[0]
    return first._replace(
        attributes=_merged_attributes([own.attributes for own in owns], open_keys),
        events=_merged_events(owns),
    )


def _merged_attributes(all_attributes: Sequence[_Attributes], open_keys: set[str] | None) -> _Attributes:
    """Return attributes with patterns for those that differ; without `open_keys` each key tells for itself."""
    maps = [dict(attributes) for attributes in all_attributes]
    merged: list[tuple[str, Value]] = []
    for key in sorted({key for one in maps for key in one}):
        values = [one.get(key) for one in maps]
        if not varies(values):
            merged.append((key, maps[0][key]))
            continue
        is_any = is_open([values]) if open_keys is None else key in open_keys
        pattern = pattern_of(values, open_to_all=is_any)
        if pattern is not None:
            merged.append((key, pattern))
    return tuple(merged)


def _merged_events(owns: Sequence[Own]) -> tuple[EventForm, ...]:
    """Return the events with patterns for what differs in them; those of the first run where others have other ones."""
    first = owns[0].events
    names = [event.name for event in first]
    if any([event.name for event in own.events] != names for own in owns):
        return first
    return tuple(
        EventForm(name, _merged_attributes([own.events[at].attributes for own in owns], None))
        for at, name in enumerate(names)
    )


def _widen_until_all_pass(merged: Form, forms: Sequence[Form]) -> None:
    """Open the attributes in which a run still differs, such as ids that are the same in one run only."""
    nodes: dict[str, list[Node]] = {}
    for path, node in merged.walk():
        if node.type is NodeType.SPAN:
            nodes.setdefault(path, []).append(node)
    for _ in range(_MAX_ROUNDS):
        ledger = Ledger()
        for form in forms:
            match_forms(merged, form, ledger)
        found = [one for one in ledger.findings() if one.code in _WIDENED and one.path in nodes]
        if not found:
            return
        for finding in found:
            is_optional = finding.code not in {Code.ATTR, Code.ATTR_TYPE}
            names = (
                [finding.golden, finding.candidate] if finding.code == Code.ATTR_RENAMED else [finding.key]
            )
            for name in names:
                for node in nodes[finding.path]:
                    node.index.pop(name, None)
                    for instance in range(node.size):
                        before = _value(merged, node, instance, name)
                        _set(merged, (node, instance), name, widened(before, is_optional=is_optional))


def _value(form: Form, node: Node, instance: int, key: str) -> Value | None:
    return dict(form.owns[node.own[instance]].attributes).get(key)


def _set_everywhere(form: Form, nodes: Iterable[Node], key: str, value: Value) -> None:
    for node in nodes:
        for instance in range(node.size):
            _set(form, (node, instance), key, value)


def _set(form: Form, place: _Place, key: str, value: Value) -> None:
    own = form.owns[place[0].own[place[1]]]
    attributes = {**dict(own.attributes), key: value}
    _replace_own(form, place, own._replace(attributes=tuple(sorted(attributes.items()))))


def _replace_own(form: Form, place: _Place, own: Own) -> None:
    node, instance = place
    number = form.own_numbers.setdefault(own, len(form.owns))
    if number == len(form.owns):
        form.owns.append(own)
    node.own[instance] = number
