"""A persistent cache of finished work: texts or bytes by key in one SQLite file.

Each `put_many` is one transaction, so a kill loses at most the current batch. Writers in other processes wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import AnyStr, Generic

KEYS_A_QUERY = 500  # SQLite allows at least 999 parameters a statement
LOCK_SECONDS = 60.0


class WorkCache(Generic[AnyStr]):
    """Texts, or bytes, by key.

    Args:
        folder: folder of the cache; created if missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file: Path = folder / "work.sqlite"
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS work (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def get_many(self, keys: Sequence[str]) -> dict[str, AnyStr]:
        """Values of those `keys` that the cache has."""
        values: dict[str, AnyStr] = {}
        with self._connection() as connection:
            for start in range(0, len(keys), KEYS_A_QUERY):
                part = keys[start : start + KEYS_A_QUERY]
                marks = ",".join("?" * len(part))
                values.update(connection.execute(f"SELECT key, value FROM work WHERE key IN ({marks})", part))
        return values

    def put_many(self, values: Mapping[str, AnyStr]) -> None:
        """Store all values, or none of them if the process is killed."""
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO work VALUES (?, ?)", values.items())

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: two writers that took their locks only at their first write could deadlock.
        connection = sqlite3.connect(self._file, timeout=LOCK_SECONDS, isolation_level="IMMEDIATE")
        with closing(connection), connection:
            yield connection
