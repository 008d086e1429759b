"""Secrets out of what a process records: `<redacted>` in their place, told once for each name.

What the program itself reads, such as `run.config.api_key`, stays as it is: only what is written down is changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from operator import is_
from typing import Any, Final

from opentelemetry.sdk.resources import Resource

from otel_experiments.codec.redaction import REDACTED, redact_mapping, redact_text, redact_value
from otel_experiments.model.span import Span
from otel_experiments.process.interruption import Swallowing
from otel_experiments.process.notice import tell
from otel_experiments.record.base.guard import logger

_MOST_TOLD: Final = 100
"""So many names have a line of their own in the log."""


class Redactor:
    """Takes secrets out of params, tags, events and resources, unless `redact_secrets` is switched off."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self._told: set[tuple[str, str]] = set()

    def mapping(self, values: Mapping[str, Any], kind: str) -> dict[str, Any]:
        """Return values by name without secrets; `kind` says in the log what they are: a param, a tag."""
        if not self.is_on:
            return dict(values)
        return redact_mapping(values, seen=lambda name: self._tell(kind, name))

    def value(self, name: str, value: Any, kind: str) -> Any:
        """Return one value without secrets."""
        return redact_value(name, value, seen=lambda inner: self._tell(kind, inner)) if self.is_on else value

    def quietly(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return values without secrets; nothing is told of what the user has not given."""
        return redact_mapping(values) if self.is_on else dict(values)

    def text(self, text: str) -> str:
        """Return a text without secrets; nothing is told of it."""
        return redact_text(text) if self.is_on else text

    def span(self, span: Span) -> Span:
        """Return a span without the secrets of its status and events: what exceptions say may hold some."""
        if not self.is_on:
            return span
        message = redact_text(span.status_message)
        events = tuple(
            replace(event, attributes=attributes)
            if (attributes := self.mapping(event.attributes, "event attribute")) != event.attributes
            else event
            for event in span.events
        )
        is_same = message == span.status_message and all(map(is_, events, span.events))
        return span if is_same else replace(span, status_message=message, events=events)

    def resource(self, resource: Resource) -> Resource:
        """Return a resource whose attributes hold no secrets: they may come from environment and command line."""
        attributes = self.mapping(resource.attributes, "resource attribute")
        if attributes == dict(resource.attributes):
            return resource
        return Resource(attributes, resource.schema_url)

    def _tell(self, kind: str, name: str) -> None:
        if (kind, name) in self._told or len(self._told) >= _MOST_TOLD:
            return
        self._told.add((kind, name))
        with Swallowing(Exception):  # a handler of the application's may raise
            tell(
                logger,
                "The %s%s looks like a secret: %s is recorded in its place. Another name keeps it, or "
                "redact_secrets=False (OTEL_EXPERIMENTS_REDACT_SECRETS=false) keeps all.",
                kind,
                f" {name[:200]!r}" if name else "",
                REDACTED,
            )
