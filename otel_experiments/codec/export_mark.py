"""The mark that an export puts on each resource: which run the telemetry is stored under. Pure.

Other attributes need not say it: what other libraries recorded in a run has resources of their own, and telemetry is
attached to a run without a change of its attributes. What has the mark is taken as it is, and nothing is derived from it.
"""

from __future__ import annotations

from otel_experiments.model.span import Resource
from otel_experiments.semconv import attributes as attr


def marked(resource: Resource, run_id: str | None) -> Resource:
    """Return the resource with the mark; None stands for no run."""
    return Resource({**resource.attributes, attr.ML_EXPORT_RUN_ID: run_id or ""}, resource.schema_url)


def mark_of(resource: Resource) -> str | None:
    """Return the run id of the mark, empty where it is of no run; None where there is no mark."""
    found = resource.attributes.get(attr.ML_EXPORT_RUN_ID)
    return found if isinstance(found, str) else None


def unmarked(resource: Resource) -> Resource:
    """Return the resource as it was before it was marked."""
    attributes = {key: value for key, value in resource.attributes.items() if key != attr.ML_EXPORT_RUN_ID}
    return Resource(attributes, resource.schema_url)
