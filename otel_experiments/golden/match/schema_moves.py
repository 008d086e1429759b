"""Attributes that semantic conventions renamed: a golden made with an older schema is read as the newer one.

Only a candidate that names a newer schema URL is met this way; a key that changed under the same URL is a change
of the program. Source: OpenTelemetry schema files 1.0 to 1.38, section `all.changes.rename_attributes`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from otel_experiments.golden.canonical.form import Own

Version = tuple[int, ...]

_URL: Final = re.compile(r"^https?://opentelemetry\.io/schemas/(\d+(?:\.\d+)*)$")

RENAMES: Final[Sequence[tuple[Version, Mapping[str, str]]]] = (
    ((1, 8), {"db.cassandra.keyspace": "db.name", "db.hbase.namespace": "db.name"}),
    ((1, 13), {"net.peer.ip": "net.sock.peer.addr", "net.host.ip": "net.sock.host.addr"}),
    ((1, 15), {"http.retry_count": "http.resend_count"}),
    (
        (1, 19),
        {
            "faas.execution": "faas.invocation_id",
            "faas.id": "cloud.resource_id",
            "http.user_agent": "user_agent.original",
        },
    ),
    (
        (1, 20),
        {
            "net.app.protocol.name": "net.protocol.name",
            "net.app.protocol.version": "net.protocol.version",
        },
    ),
    (
        (1, 21),
        {
            "messaging.kafka.client_id": "messaging.client_id",
            "http.client_ip": "client.address",
            "http.method": "http.request.method",
            "http.status_code": "http.response.status_code",
            "http.scheme": "url.scheme",
            "http.url": "url.full",
            "http.request_content_length": "http.request.body.size",
            "http.response_content_length": "http.response.body.size",
            "net.protocol.name": "network.protocol.name",
            "net.protocol.version": "network.protocol.version",
            "net.peer.name": "server.address",
            "net.peer.port": "server.port",
            "net.host.name": "server.address",
            "net.host.port": "server.port",
            "net.sock.peer.addr": "network.peer.address",
            "net.sock.peer.port": "network.peer.port",
        },
    ),
    (
        (1, 25),
        {
            "db.name": "db.namespace",
            "db.statement": "db.query.text",
            "db.operation": "db.operation.name",
            "db.sql.table": "db.collection.name",
            "db.mongodb.collection": "db.collection.name",
        },
    ),
    ((1, 26), {"messaging.client_id": "messaging.client.id", "enduser.id": "user.id"}),
    (
        (1, 27),
        {"deployment.environment": "deployment.environment.name", "tls.client.server_name": "server.address"},
    ),
    ((1, 28), {"code.lineno": "code.line.number", "db.system": "db.system.name"}),
    (
        (1, 30),
        {
            "code.function": "code.function.name",
            "code.filepath": "code.file.path",
            "code.column": "code.column.number",
        },
    ),
)
"""Attribute moves by the version that made them, oldest first."""


def move_attributes(
    owns: Sequence[Own], golden: Mapping[str, str], candidate: Mapping[str, str], theirs: Sequence[Own]
) -> list[Own]:
    """Return a golden's spans as the candidate's newer schemas name their attributes.

    `golden` and `candidate` map scope names to schema URLs. A key that the candidate's spans (`theirs`) still
    have keeps its name: libraries name a newer schema before they follow it.
    """
    moves = {
        scope: found
        for scope, url in golden.items()
        if (found := renames_between(url, candidate.get(scope, url)))
    }
    if not moves:
        return list(owns)
    for own in theirs:
        for key, _ in own.attributes:
            moves.get(own.scope, {}).pop(key, None)
    return [_move(own, moves[own.scope]) if own.scope in moves else own for own in owns]


def renames_between(older: str, newer: str) -> dict[str, str]:
    """Return old name to new name over all versions after `older` up to `newer`."""
    start, end = _version(older), _version(newer)
    if start is None or end is None or start >= end:
        return {}
    found: dict[str, str] = {}
    for version, renames in RENAMES:
        if start < version <= end:
            for old, new in list(found.items()):
                found[old] = renames.get(new, new)
            found.update(renames)
    return found


def _version(url: str) -> Version | None:
    match = _URL.match(url)
    return tuple(map(int, match.group(1).split("."))) if match else None


def _move(own: Own, renames: Mapping[str, str]) -> Own:
    attributes = tuple(sorted((renames.get(key, key), value) for key, value in own.attributes))
    return own._replace(attributes=attributes)
