"""What SQL may call that is Python: patterns, and values that are stored as JSON. None of it raises for what is stored."""

from __future__ import annotations

import sqlite3

from otel_experiments.store.semantics.attributes_json import json_attribute
from otel_experiments.store.semantics.run_facts import version_key
from otel_experiments.store.semantics.search import (
    json_attribute_is,
    json_list_contains,
    json_list_is,
    json_text,
    search_pattern,
)
from otel_experiments.store.semantics.snapshots import is_dirty, package_version


def register(connection: sqlite3.Connection) -> None:
    """Let a connection call these functions."""
    connection.create_function("regexp", 2, search_pattern, deterministic=True)
    connection.create_function("ox_list_contains", 2, json_list_contains, deterministic=True)
    connection.create_function("ox_version", 1, version_key, deterministic=True)
    connection.create_function("ox_list_is", 2, json_list_is, deterministic=True)
    connection.create_function("ox_text", 1, json_text, deterministic=True)
    connection.create_function("ox_package", 2, package_version, deterministic=True)
    connection.create_function("ox_dirty", 1, is_dirty, deterministic=True)
    connection.create_function("ox_attribute", 3, json_attribute, deterministic=True)
    connection.create_function("ox_attribute_is", 3, json_attribute_is, deterministic=True)
