"""The users of the directory in an SQLite file that any number of processes may have open.

It knows tables and ids. What a profile means is known to its caller: here it is bytes beside the columns that are
searched.
"""

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterator
from typing import NamedTuple

from handlers.database import Database

SCHEMAS = (
    (
        """
        CREATE TABLE users (
            id INTEGER PRIMARY KEY AUTOINCREMENT,  -- the id of a removed user is not given again
            login TEXT NOT NULL UNIQUE,
            text TEXT NOT NULL,
            role INTEGER NOT NULL,
            version INTEGER NOT NULL,
            created INTEGER NOT NULL,
            last_seen INTEGER,
            profile BLOB NOT NULL
        )
        """,
        """
        CREATE TABLE tags (
            user INTEGER NOT NULL REFERENCES users ON DELETE CASCADE,
            tag TEXT NOT NULL,
            PRIMARY KEY (user, tag)
        ) WITHOUT ROWID
        """,
    ),
)

SELECT = "SELECT id, version, created, last_seen, profile FROM users"

SEARCH = f"""
    {SELECT}
    WHERE id > :after
    AND (:text = '' OR instr(text, :text))
    AND (:roles = '[]' OR role IN (SELECT value FROM json_each(:roles)))
    AND NOT EXISTS (SELECT 1 FROM json_each(:tags) WHERE value NOT IN (SELECT tag FROM tags WHERE user = users.id))
    ORDER BY id LIMIT :limit
"""


class NoSuchUser(Exception):
    """There is no user with this id or login."""


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
        self._db = Database(path, SCHEMAS)

    def close(self) -> None:
        self._db.close()

    def add(self, entry: Entry, created: int) -> Record:
        """Raises LoginTaken."""
        with self._db.transaction(), _unique_login():
            cursor = self._db.execute(
                "INSERT INTO users (login, text, role, profile, version, created) VALUES (?, ?, ?, ?, 1, ?)",
                (entry.login, entry.text, entry.role, entry.profile, created),
            )
            assert cursor.lastrowid is not None
            self._tag(cursor.lastrowid, entry.tags)
            return self.by_id(cursor.lastrowid)

    def by_id(self, id: int) -> Record:
        """Raises NoSuchUser."""
        return self._one(f"{SELECT} WHERE id = ?", id)

    def by_login(self, login: str) -> Record:
        """Raises NoSuchUser."""
        return self._one(f"{SELECT} WHERE login = ?", login)

    def by_ids(self, ids: Collection[int]) -> list[Record]:
        """Those that exist, in no order."""
        rows = self._db.execute(f"{SELECT} WHERE id IN (SELECT value FROM json_each(?))", [_array(ids)])
        return [Record(*row) for row in rows]

    def search(self, text: str, roles: Collection[int], tags: Collection[str], after: int, limit: int) -> list[Record]:
        """In the order of ids. An empty ``text``, ``roles`` or ``tags`` leaves none out."""
        values = {"text": text, "roles": _array(roles), "tags": _array(tags), "after": after, "limit": limit}
        return [Record(*row) for row in self._db.execute(SEARCH, values)]

    def replace(self, id: int, version: int, entry: Entry) -> tuple[bool, Record]:
        """Store ``entry`` if the user still has this version. Whether it had, and the user as it now is.

        Raises NoSuchUser and LoginTaken.
        """
        with self._db.transaction(), _unique_login():
            current = self.by_id(id)
            if current.version != version:
                return False, current
            self._db.execute(
                "UPDATE users SET login = ?, text = ?, role = ?, profile = ?, version = version + 1 WHERE id = ?",
                (entry.login, entry.text, entry.role, entry.profile, id),
            )
            self._db.execute("DELETE FROM tags WHERE user = ?", [id])
            self._tag(id, entry.tags)
            return True, self.by_id(id)

    def remove(self, id: int) -> bool:
        """Whether there was such a user."""
        return self._db.execute("DELETE FROM users WHERE id = ?", [id]).rowcount > 0

    def touch(self, id: int, seen: int) -> None:
        self._db.execute("UPDATE users SET last_seen = max(coalesce(last_seen, 0), ?) WHERE id = ?", [seen, id])

    def count(self) -> tuple[dict[int, int], dict[str, int]]:
        """How many users have each role, and each tag, at one moment."""
        with self._db.transaction("DEFERRED"):
            roles = dict(self._db.execute("SELECT role, count(*) FROM users GROUP BY role").fetchall())
            tags = dict(self._db.execute("SELECT tag, count(*) FROM tags GROUP BY tag").fetchall())
            return roles, tags

    def _one(self, statement: str, key: object) -> Record:
        row = self._db.execute(statement, [key]).fetchone()
        if row is None:
            raise NoSuchUser(key)
        return Record(*row)

    def _tag(self, id: int, tags: Collection[str]) -> None:
        self._db.executemany("INSERT INTO tags (user, tag) VALUES (?, ?)", [(id, tag) for tag in tags])


def _array(values: Collection[object]) -> str:
    """Any number of values for one ``?``."""
    return json.dumps(list(values))


@contextlib.contextmanager
def _unique_login() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError as error:
        if error.sqlite_errorcode == sqlite3.SQLITE_CONSTRAINT_UNIQUE:
            raise LoginTaken from None
        raise
