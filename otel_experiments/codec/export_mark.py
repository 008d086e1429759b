"""The mark that an export puts on each resource: which run the telemetry is stored under. Pure.

Other attributes need not say it: what other libraries recorded in a run has resources of their own, and telemetry is
attached to a run without a change of its attributes. What has the mark is taken as it is, and nothing is derived from it:
that is for files that somebody imports, and never for what comes over the network.
"""

from __future__ import annotations

import re
from typing import Final

from otel_experiments.model.span import AttributeValue, Resource
from otel_experiments.semconv import attributes as attr

_KEYS: Final = frozenset({attr.ML_EXPORT_RUN_ID, attr.ML_EXPORT_GIVEN_TIME})
_INT64: Final = 2**63
_RUN_ID: Final = re.compile(r"[0-9a-f]{32}|")


def marked(resource: Resource, run_id: str | None, given_ns: int | None = None) -> Resource:
    """Return the resource with the mark; a run of None stands for no run, `given_ns` is as in `Span`."""
    marks: dict[str, AttributeValue] = {attr.ML_EXPORT_RUN_ID: run_id or ""}
    if given_ns is not None:
        marks[attr.ML_EXPORT_GIVEN_TIME] = given_ns
    return Resource({**unmarked(resource).attributes, **marks}, resource.schema_url)


def mark_of(resource: Resource) -> str | None:
    """Return the run id of the mark, empty where it is of no run; None where there is no mark, or one that no export has."""
    found = resource.attributes.get(attr.ML_EXPORT_RUN_ID)
    return found if isinstance(found, str) and _RUN_ID.fullmatch(found) else None


def given_of(resource: Resource) -> int | None:
    """Return when what has this mark was given to its run, as in `Span`; None where it came with the run."""
    found = resource.attributes.get(attr.ML_EXPORT_GIVEN_TIME)
    return found if isinstance(found, int) and 0 <= found < _INT64 else None


def unmarked(resource: Resource) -> Resource:
    """Return the resource as it was before it was marked."""
    attributes = {key: value for key, value in resource.attributes.items() if key not in _KEYS}
    return Resource(attributes, resource.schema_url)
