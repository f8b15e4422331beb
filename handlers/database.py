"""An SQLite file that any number of processes may have open: its schema, made once, and transactions.

SQLite never waits for gevent, so a transaction runs from begin to commit without another call in between.
"""

import contextlib
import fcntl
import os
import sqlite3
from collections.abc import Iterator, Sequence

#: Seconds to wait for another process's transaction. Ours take milliseconds.
BUSY_TIMEOUT = 5.0


class Database:
    """One process's connection. Item n of ``schemas`` makes schema n + 1 from schema n: to change it, add an item."""

    def __init__(self, path: str, schemas: Sequence[Sequence[str]]) -> None:
        # Autocommit: transactions begin and end where callers say so, and nowhere else.
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None)
        self.execute, self.executemany = self._db.execute, self._db.executemany
        try:
            self.execute("PRAGMA foreign_keys = ON")
            self.execute("PRAGMA synchronous = NORMAL")  # of a WAL: a power cut may lose, but not damage
            self._prepare(path, schemas)
        except BaseException:
            self.close()
            raise

    def _prepare(self, path: str, schemas: Sequence[Sequence[str]]) -> None:
        """Make or upgrade the schema, once, however many workers start at this moment."""
        with _locked(os.path.dirname(path) or "."):
            self.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            (version,) = self.execute("PRAGMA user_version").fetchone()
            if version > len(schemas):
                raise RuntimeError(f"{path} has schema {version}; this program knows {len(schemas)} at most")
            for statements in schemas[version:]:
                for statement in statements:
                    self.execute(statement)
            self.execute(f"PRAGMA user_version = {len(schemas)}")

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """All or nothing. IMMEDIATE is for writers: what they read stays true until they have written."""
        self.execute(f"BEGIN {kind}")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # some errors, a full disk for one, have ended it already
                self.execute("ROLLBACK")
            raise


@contextlib.contextmanager
def _locked(directory: str) -> Iterator[None]:
    """One process at a time. The switch to WAL, alone of all that SQLite does, may fail instead of waiting."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # at once: gevent puts a close off until its loop comes round
        os.close(descriptor)
