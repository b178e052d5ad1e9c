"""Finished work that a killed stage must not lose: a table of texts by key in one SQLite file.

Each `put_many` is one transaction, so a kill loses at most the batch under way; writers in other processes wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

KEYS_A_QUERY = 500  # SQLite allows at least 999 parameters a statement
LOCK_SECONDS = 60.0


class WorkCache:
    """Texts by key.

    Args:
        folder: the folder of the cache, made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / "work.sqlite"
        with self._connection() as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("CREATE TABLE IF NOT EXISTS work (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID")

    def get_many(self, keys: Sequence[str]) -> dict[str, str]:
        """Values of the keys that are there."""
        found: dict[str, str] = {}
        with self._connection() as connection:
            for start in range(0, len(keys), KEYS_A_QUERY):
                some = keys[start : start + KEYS_A_QUERY]
                marks = ",".join("?" * len(some))
                found.update(connection.execute(f"SELECT key, value FROM work WHERE key IN ({marks})", some))
        return found

    def put_many(self, values: Mapping[str, str]) -> None:
        """Store all values, or, when killed, none of them."""
        with self._connection() as connection:
            connection.executemany("INSERT OR REPLACE INTO work VALUES (?, ?)", values.items())

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: a writer that took its lock only at its first write could deadlock with another one.
        connection = sqlite3.connect(self._file, timeout=LOCK_SECONDS, isolation_level="IMMEDIATE")
        with closing(connection), connection:
            yield connection
