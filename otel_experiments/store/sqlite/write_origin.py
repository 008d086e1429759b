"""Writing resources and scopes into SQLite: each content once, found again without hashing it anew."""

from __future__ import annotations

import sqlite3

from otel_experiments.codec.text import clean_text
from otel_experiments.codec.values import dump_value
from otel_experiments.model.span import Resource, Scope
from otel_experiments.store.semantics.identity import IdentityCache, resource_hash, scope_hash


class OriginWriter:
    """Gives resources and scopes their row ids. One for each store; runs inside the caller's transaction."""

    def __init__(self) -> None:
        self._resources: IdentityCache[Resource] = IdentityCache()
        self._scopes: IdentityCache[Scope] = IdentityCache()

    def forget(self) -> None:
        """Forget the row ids, because a transaction was rolled back."""
        self._resources.clear()
        self._scopes.clear()

    def resource(self, connection: sqlite3.Connection, resource: Resource) -> tuple[int, str]:
        """Return the (row id, hash) of the resource, stored now where it was not."""
        known = self._resources.get(resource)
        if known is not None:
            return known
        content_hash = resource_hash(resource)
        row = connection.execute(
            "select resource_id from resources where hash = ?", (content_hash,)
        ).fetchone()
        row_id = row and row[0]
        if row_id is None:
            row_id = connection.execute(
                "insert into resources (hash, schema_url, attributes) values (?, ?, ?)",
                (content_hash, clean_text(resource.schema_url), dump_value(resource.attributes)),
            ).lastrowid
        self._resources.put(resource, row_id, content_hash)
        return row_id, content_hash

    def scope(self, connection: sqlite3.Connection, scope: Scope) -> tuple[int, str]:
        """Return the (row id, hash) of the scope, stored now where it was not."""
        known = self._scopes.get(scope)
        if known is not None:
            return known
        content_hash = scope_hash(scope)
        row = connection.execute("select scope_id from scopes where hash = ?", (content_hash,)).fetchone()
        row_id = row and row[0]
        if row_id is None:
            row_id = connection.execute(
                "insert into scopes (hash, name, version, schema_url, attributes) values (?, ?, ?, ?, ?)",
                (
                    content_hash,
                    clean_text(scope.name),
                    clean_text(scope.version),
                    clean_text(scope.schema_url),
                    dump_value(scope.attributes),
                ),
            ).lastrowid
        self._scopes.put(scope, row_id, content_hash)
        return row_id, content_hash
