"""The users of the directory in an SQLite file that any number of processes may have open.

It knows tables and ids. What a profile means is known to its caller: here it is bytes beside the columns that are
searched. SQLite never waits for gevent, so a transaction runs from begin to commit without another call in between.
"""

import contextlib
import fcntl
import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import NamedTuple

#: Milliseconds to wait for another process's transaction. Ours take well under one.
BUSY_TIMEOUT = 5_000

#: Step n makes version n of the schema from version n - 1; to change the schema, add a step.
STEPS = (
    """
    CREATE TABLE users (
        id INTEGER PRIMARY KEY AUTOINCREMENT,  -- ids of removed users are not given again
        login TEXT NOT NULL UNIQUE,
        text TEXT NOT NULL,
        role INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created INTEGER NOT NULL,
        last_seen INTEGER,
        profile BLOB NOT NULL
    ) STRICT;
    CREATE TABLE tags (
        tag TEXT NOT NULL,
        user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
        PRIMARY KEY (tag, user)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX tags_by_user ON tags (user);
    """,
)

_COLUMNS = "id, version, created, last_seen, profile"


class LoginTaken(Exception):
    """Another user has this login."""


class Entry(NamedTuple):
    """What is searched of a profile, and the profile itself, serialized."""

    login: str
    text: str
    role: int
    tags: Collection[str]
    profile: bytes


class Record(NamedTuple):
    """A user as the database has it."""

    id: int
    version: int
    created: int
    last_seen: int | None
    profile: bytes


class Store:
    """One process's connection. Each method is one transaction, or one statement, which is the same."""

    def __init__(self, path: str) -> None:
        # Autocommit, so that transactions begin and end where this file says so and nowhere else.
        self._db = sqlite3.connect(path, timeout=BUSY_TIMEOUT / 1000, isolation_level=None)
        try:
            self._db.execute("PRAGMA foreign_keys = ON")
            self._db.execute("PRAGMA synchronous = NORMAL")
            self._prepare(path)
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: str) -> None:
        """Make or upgrade the schema, once, however many workers start at this moment."""
        with open(f"{path}-lock", "w") as lock:  # switching to WAL does not wait for other connections
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._db.execute("PRAGMA journal_mode = WAL")
            with self._transaction():
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                if version > len(STEPS):
                    raise RuntimeError(f"{path} has schema {version}; this program knows {len(STEPS)} at most")
                for number, step in enumerate(STEPS[version:], version + 1):
                    for statement in _statements(step):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA user_version = {number}")

    def close(self) -> None:
        self._db.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing. IMMEDIATE takes the write lock first, so that what is read stays true until it is written."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def add(self, entry: Entry, created: int) -> Record:
        """Raises LoginTaken."""
        with self._transaction():
            cursor = self._write(
                "INSERT INTO users (login, text, role, profile, version, created) VALUES (?, ?, ?, ?, 1, ?)",
                (entry.login, entry.text, entry.role, entry.profile, created),
            )
            assert cursor.lastrowid is not None
            self._write_tags(cursor.lastrowid, entry.tags)
            return self._one("id = ?", cursor.lastrowid)

    def by_id(self, id: int) -> Record:
        """Raises LookupError, as does ``by_login``."""
        return self._one("id = ?", id)

    def by_login(self, login: str) -> Record:
        return self._one("login = ?", login)

    def by_ids(self, ids: Collection[int]) -> list[Record]:
        """Those that exist, in no order."""
        with self._snapshot():
            return [record for id in ids for record in self._select("id = ?", id)]

    def search(self, text: str, roles: Collection[int], tags: Collection[str], after: int, limit: int) -> list[Record]:
        """In the order of ids. Empty ``text``, ``roles`` and ``tags`` leave none out."""
        where, values = ["id > ?"], [after]
        if text:
            where.append("instr(text, ?)")
            values.append(text)
        if roles:
            where.append(f"role IN ({_marks(roles)})")
            values += roles
        if tags:
            where.append(f"(SELECT count(*) FROM tags WHERE user = id AND tag IN ({_marks(tags)})) = ?")
            values += (*tags, len(tags))
        return self._select(f"{' AND '.join(where)} ORDER BY id LIMIT ?", *values, limit)

    def replace(self, id: int, version: int, entry: Entry) -> tuple[bool, Record]:
        """Store ``entry`` if the user still has ``version``; whether it had, and the user as it is now.

        Raises LookupError and LoginTaken.
        """
        with self._transaction():
            if self._one("id = ?", id).version != version:
                return False, self._one("id = ?", id)
            self._write(
                "UPDATE users SET login = ?, text = ?, role = ?, profile = ?, version = version + 1 WHERE id = ?",
                (entry.login, entry.text, entry.role, entry.profile, id),
            )
            self._db.execute("DELETE FROM tags WHERE user = ?", (id,))
            self._write_tags(id, entry.tags)
            return True, self._one("id = ?", id)

    def remove(self, id: int) -> bool:
        return self._db.execute("DELETE FROM users WHERE id = ?", (id,)).rowcount > 0

    def touch(self, id: int, seen: int) -> None:
        self._db.execute("UPDATE users SET last_seen = max(coalesce(last_seen, 0), ?) WHERE id = ?", (seen, id))

    def count(self) -> tuple[dict[int, int], list[tuple[str, int]]]:
        """Users by role, and every pair of tag and user, as of one moment."""
        with self._snapshot():
            roles = dict(self._db.execute("SELECT role, count(*) FROM users GROUP BY role"))
            return roles, self._db.execute("SELECT tag, user FROM tags").fetchall()

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Several reads that see the same state, whatever others write meanwhile."""
        self._db.execute("BEGIN")
        try:
            yield
        finally:
            self._db.execute("COMMIT")

    def _select(self, where: str, *values: object) -> list[Record]:
        return [Record(*row) for row in self._db.execute(f"SELECT {_COLUMNS} FROM users WHERE {where}", values)]

    def _one(self, where: str, *values: object) -> Record:
        for record in self._select(where, *values):
            return record
        raise LookupError(values)

    def _write(self, statement: str, values: tuple[object, ...]) -> sqlite3.Cursor:
        try:
            return self._db.execute(statement, values)
        except sqlite3.IntegrityError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
                raise LoginTaken from None
            raise

    def _write_tags(self, id: int, tags: Collection[str]) -> None:
        self._db.executemany("INSERT INTO tags (tag, user) VALUES (?, ?)", [(tag, id) for tag in tags])


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _statements(script: str) -> Iterator[str]:
    """``executescript`` would commit the transaction that it is called in."""
    statement = ""
    for part in script.split(";"):
        statement += part + ";"
        if sqlite3.complete_statement(statement):
            if statement.strip(" \n;"):
                yield statement
            statement = ""
