"""What a release of the vocabulary fixes for ever, and whether the present one still keeps it.

`released/<version>.json` is what `describe` made of the vocabulary at a release; nobody edits it afterwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from policies import Breach
from vocabulary import Signal, Vocabulary

Baseline = Mapping[str, Mapping[str, object]]


class ReleaseError(Exception):
    """A release cannot be made; the text says why."""


def check_release(vocabulary: Vocabulary, baseline: Baseline) -> list[Breach]:
    """Return what was released and now is gone or another: a name, a type, a member, a unit, a kind."""
    return list(_losses(vocabulary, baseline))


def _losses(vocabulary: Vocabulary, baseline: Baseline) -> Iterator[Breach]:
    now = describe(vocabulary)
    for section, released in baseline.items():
        if section == "schema":
            continue
        for name, before in released.items():
            after = now[section].get(name) if section in now else None
            if after is None:
                yield Breach(
                    "removed",
                    "released",
                    name,
                    f"was released as {section} and is gone; deprecate it instead",
                )
            elif isinstance(before, dict) and isinstance(after, dict):
                yield from _unchanged(name, before, after)


def _unchanged(name: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[Breach]:
    for field, old in before.items():
        new = after.get(field)
        if field == "members" and isinstance(old, list) and isinstance(new, list):
            for gone in sorted(set(old) - set(new)):
                yield Breach("removed", "released", name, f"had the member {gone!r}, which is gone")
        elif new != old:
            yield Breach(
                "changed", "released", name, f"had {field} {old!r} and now has {new!r}; make a new name"
            )


def describe(vocabulary: Vocabulary) -> dict[str, dict[str, object]]:
    """Return what a release fixes for ever, as JSON-able data: names, types, members, units, kinds.

    Names that other registries define are left out: they are not ours to keep.
    """

    def own(kind: str) -> Iterator[Signal]:
        return (signal for signal in vocabulary.of_kind(kind) if not signal.upstream)

    attributes: dict[str, object] = {}
    for attribute in vocabulary.attributes:
        if not attribute.upstream:
            attributes[attribute.key] = {"type": attribute.type} | (
                {"members": [member.value for member in attribute.members]} if attribute.members else {}
            )
    return {
        "schema": {"url": vocabulary.schema_url},
        "attributes": attributes,
        "spans": {span.name: {"kind": span.span_kind, "match_key": span.match_key} for span in own("span")},
        "metrics": {
            metric.name: {"unit": metric.unit, "instrument": metric.instrument} for metric in own("metric")
        },
        "events": {event.name: {} for event in own("event")},
        "entities": {
            entity.name: {"identity": [use.ref for use in entity.identity]} for entity in own("entity")
        },
    }


def newest_release(folder: Path) -> Baseline | None:
    """Return the newest `<version>.json` of the folder by version; None when there is none."""
    files = [path for path in folder.glob("*.json") if re.fullmatch(r"\d+\.\d+\.\d+", path.stem)]
    if not files:
        return None
    newest = max(files, key=lambda path: tuple(map(int, path.stem.split("."))))
    baseline: Baseline = json.loads(newest.read_text(encoding="utf-8"))
    return baseline


def make_release(vocabulary: Vocabulary, folder: Path) -> Path:
    """Write the description of the vocabulary's version and return its path.

    Raises:
        ReleaseError: the version has been released before.
    """
    path = folder / f"{vocabulary.version}.json"
    if path.exists():
        raise ReleaseError(
            f"{vocabulary.version} has been released: {path.name} exists. Raise the version in manifest.yaml."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(describe(vocabulary), indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return path
