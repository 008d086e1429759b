"""How one span differs from another besides its children: status, scope, events, links, attributes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

from otel_experiments.golden.canonical.form import EventForm, LinkForm, Own, round_floats
from otel_experiments.golden.canonical.values import (
    Value,
    allows_absence,
    is_pattern,
    show_value,
    type_name,
    values_match,
)
from otel_experiments.golden.findings import Code
from otel_experiments.semconv import attributes as attr

STATUS_NAMES: Final = ("unset", "ok", "error")
_EXCEPTION: Final = "exception"


class OwnChange(NamedTuple):
    """One difference; `key` is the attribute concerned."""

    code: Code
    key: str
    golden: str
    candidate: str
    detail: str = ""


class OwnTolerance(NamedTuple):
    """How equal floats have to be, and whether int 1 is float 1.0."""

    rtol: float = 1e-9
    is_loose: bool = False


EXACT: Final = OwnTolerance()
"""Floats equal but for the last bits that arithmetic in another order costs."""


def diff_owns(golden: Own, candidate: Own, tolerance: OwnTolerance) -> list[OwnChange]:
    """Return how a candidate's span differs from the golden's."""
    changes: list[OwnChange] = []
    is_failure = golden.status != candidate.status
    if is_failure:
        changes.append(
            OwnChange(
                Code.STATUS,
                "",
                STATUS_NAMES[golden.status],
                STATUS_NAMES[candidate.status],
                _exception_of(candidate),
            )
        )
    if golden.scope != candidate.scope:
        changes.append(OwnChange(Code.SCOPE, "", golden.scope, candidate.scope))
    attributes = _diff_attributes(golden.attributes, candidate.attributes, tolerance)
    if is_failure:  # the kind of error is part of the status finding
        attributes = [
            change
            for change in attributes
            if change.key != attr.ERROR_TYPE or change.code not in {Code.ATTR_ADDED, Code.ATTR_REMOVED}
        ]
    changes += attributes
    changes += _diff_events(golden.events, candidate.events, tolerance, is_failure=is_failure)
    changes += _diff_links(golden.links, candidate.links)
    return changes


def number_alike(owns: Sequence[Own], tolerance: OwnTolerance) -> list[int]:
    """Return for each the position of the first that is equal to it within the tolerance."""
    alike: dict[Own, int] = {}
    first: list[int] = []
    for number, own in enumerate(owns):
        rough = round_floats(own)
        found = number if rough is None else alike.setdefault(rough, number)
        is_equal = found == number or not diff_owns(owns[found], own, tolerance)
        first.append(found if is_equal else number)
    return first


def _exception_of(own: Own) -> str:
    for event in own.events:
        if event.name == _EXCEPTION:
            return " ".join(str(value) for _, value in event.attributes if isinstance(value, str))
    return ""


def _diff_attributes(
    golden: Sequence[tuple[str, Value]], candidate: Sequence[tuple[str, Value]], tolerance: OwnTolerance
) -> list[OwnChange]:
    ours, theirs = dict(golden), dict(candidate)
    removed = [key for key in ours if key not in theirs and not allows_absence(ours[key])]
    added = [key for key in theirs if key not in ours]
    changes: list[OwnChange] = []
    for key in list(removed):
        twins = [
            other
            for other in added
            if not is_pattern(ours[key]) and values_match(ours[key], theirs[other], rtol=tolerance.rtol)
        ]
        rivals = [other for other in removed if ours[other] == ours[key]]
        if len(twins) == 1 == len(rivals):
            removed.remove(key)
            added.remove(twins[0])
            changes.append(OwnChange(Code.ATTR_RENAMED, key, key, twins[0], show_value(ours[key])))
    changes += (OwnChange(Code.ATTR_REMOVED, key, show_value(ours[key]), "") for key in removed)
    changes += (OwnChange(Code.ATTR_ADDED, key, "", show_value(theirs[key])) for key in added)
    for key, value in ours.items():
        if key not in theirs:
            continue
        other = theirs[key]
        if values_match(value, other, rtol=tolerance.rtol, is_loose=tolerance.is_loose):
            continue
        if type_name(value) != type_name(other) and not is_pattern(value):
            kinds = f"{type_name(value)} -> {type_name(other)}"
            changes.append(OwnChange(Code.ATTR_TYPE, key, show_value(value), show_value(other), kinds))
        else:
            changes.append(OwnChange(Code.ATTR, key, show_value(value), show_value(other)))
    return changes


def _diff_events(
    golden: Sequence[EventForm], candidate: Sequence[EventForm], tolerance: OwnTolerance, *, is_failure: bool
) -> list[OwnChange]:
    if golden == candidate:
        return []
    if is_failure:  # the exception is part of the status finding
        golden = [event for event in golden if event.name != _EXCEPTION]
        candidate = [event for event in candidate if event.name != _EXCEPTION]
    ours, theirs = [event.name for event in golden], [event.name for event in candidate]
    if ours != theirs:
        return [OwnChange(Code.EVENT, "", _names(ours), _names(theirs), _named_difference(ours, theirs))]
    changes = []
    for before, after in zip(golden, candidate, strict=True):
        for change in _diff_attributes(before.attributes, after.attributes, tolerance):
            detail = f"{before.name}: {change.key} {change.code.removeprefix('attr').lstrip('-')}".rstrip()
            changes.append(OwnChange(Code.EVENT, change.key, change.golden, change.candidate, detail))
    return changes


def _diff_links(golden: Sequence[LinkForm], candidate: Sequence[LinkForm]) -> list[OwnChange]:
    gone = Counter(golden) - Counter(candidate)
    new = Counter(candidate) - Counter(golden)
    if not gone and not new:
        return []
    ours = [link.target for link in gone.elements()]
    theirs = [link.target for link in new.elements()]
    detail = f"{len(golden)} -> {len(candidate)} links"
    return [OwnChange(Code.LINK, "", _names(ours), _names(theirs), detail)]


def _names(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return f"{shown}, ... ({len(names)})" if len(names) > 4 else shown or "none"


def _named_difference(ours: Sequence[str], theirs: Sequence[str]) -> str:
    gone, new = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    parts = [f"{name} gone" for name in gone] + [f"{name} new" for name in new]
    return ", ".join(parts) or "another order"
