"""An export request: resources, in each its scopes, in each what was recorded under it.

The three signals number these fields alike. Source: opentelemetry-proto, trace.proto, logs.proto and metrics.proto.
"""

from __future__ import annotations

from typing import Final

from otel_experiments.codec.otlp.attributes import attribute_fields
from otel_experiments.codec.otlp.fields import Piece, delimited, delimited_pieces, text_field
from otel_experiments.model.span import Resource, Scope

RECORD_TAG: Final = b"\x12"
"""Of a span, a log record or a metric inside its scope."""


class Request:
    """The parts of a request. Each resource and scope is encoded once, however many records share it."""

    def __init__(self) -> None:
        self._scopes_of: dict[tuple[bytes, bytes], dict[tuple[bytes, bytes], list[Piece]]] = {}
        self._records: dict[tuple[int, int], list[Piece]] = {}
        self._kept: list[object] = []  # what is known by its identity has to live as long as this

    def records_of(self, resource: Resource, scope: Scope) -> list[Piece]:
        """Return the list to which encoded records of the resource and scope are added, each in any number of pieces."""
        identity = id(resource), id(scope)
        found = self._records.get(identity)
        if found is None:
            self._kept += (resource, scope)
            scopes = self._scopes_of.setdefault(_resource_parts(resource), {})
            found = self._records[identity] = scopes.setdefault(_scope_parts(scope), [])
        return found

    def to_bytes(self) -> bytes:
        """Return the request. It may have megabytes, so its pieces are copied once, at the end."""
        made: list[Piece] = []
        for (resource, resource_schema), scopes in self._scopes_of.items():
            inner: list[Piece] = [resource]
            for (scope, scope_schema), records in scopes.items():
                inner += delimited_pieces(b"\x12", [scope, *records, scope_schema])
            made += delimited_pieces(b"\x0a", [*inner, resource_schema])
        return b"".join(made)


def _resource_parts(resource: Resource) -> tuple[bytes, bytes]:
    content = attribute_fields(b"\x0a", resource.attributes)
    return delimited(b"\x0a", content), text_field(b"\x1a", resource.schema_url)


def _scope_parts(scope: Scope) -> tuple[bytes, bytes]:
    content = (
        text_field(b"\x0a", scope.name)
        + text_field(b"\x12", scope.version)
        + attribute_fields(b"\x1a", scope.attributes)
    )
    return delimited(b"\x0a", content), text_field(b"\x1a", scope.schema_url)
