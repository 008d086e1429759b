"""The store in SQLite: the only package that imports sqlite3."""
