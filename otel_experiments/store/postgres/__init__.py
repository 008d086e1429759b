"""The store in PostgreSQL: several hosts write one."""

from otel_experiments.store.postgres.store import PostgresStore, open_store

__all__ = ["PostgresStore", "open_store"]
