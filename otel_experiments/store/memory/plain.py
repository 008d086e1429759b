"""What a memory store is given, as a file would give it back: copied, of plain types."""

from __future__ import annotations

from dataclasses import replace

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value, load_attributes
from otel_experiments.model.run import Run
from otel_experiments.model.span import Attributes, Resource, Scope, Span


def plain(attributes: Attributes) -> Attributes:
    """Return the attributes as a file would give them back: copied, sequences as lists."""
    return load_attributes(dump_value(attributes))


def plain_resource(resource: Resource) -> Resource:
    """Return a resource as a file would give it back."""
    return replace(resource, attributes=plain(resource.attributes))


def plain_scope(scope: Scope) -> Scope:
    """Return a scope as a file would give it back."""
    return replace(scope, attributes=plain(scope.attributes))


def plain_run(run: Run) -> Run:
    """Return a run's record as a file would give it back."""
    return replace(run, name=clean_text(run.name), resource=load_attributes(dump_value(run.resource)))


def plain_span(span: Span) -> Span:
    """Return a span as a file would give it back."""
    return replace(
        span,
        attributes=plain(span.attributes),
        events=tuple(replace(event, attributes=plain(event.attributes)) for event in span.events),
        links=tuple(replace(link, attributes=plain(link.attributes)) for link in span.links),
        resource=plain_resource(span.resource),
        scope=plain_scope(span.scope),
    )
