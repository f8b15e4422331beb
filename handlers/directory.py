"""The user directory of idl/directory.thrift, kept in the SQLite file that ``DIRECTORY_DB`` names (directory.db).

It checks what callers send and says what is wrong in the IDL's own exceptions; ``handlers.store`` keeps the users.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import thriftserver
from handlers.shared import Base, now
from handlers.store import Entry, LoginTaken, NoSuchUser, Record, Store

api = thriftserver.load(Path(__file__).parent.parent / "idl" / "directory.thrift")


class Directory(Base):
    """One instance answers all calls of a worker.

    ``setup`` and ``teardown`` run in the worker, so each has a connection to the database of its own.
    """

    def setup(self) -> None:
        self._store = Store(os.environ.get("DIRECTORY_DB") or "directory.db")

    def teardown(self) -> None:
        self._store.close()

    def create(self, profile: Any) -> Any:
        entry = _entry(profile)
        try:
            return _user(self._store.add(entry, now()))
        except LoginTaken:
            raise api.AlreadyExists(profile.login) from None

    def get(self, id: int) -> Any:
        try:
            return _user(self._store.by_id(id))
        except NoSuchUser:
            raise api.NotFound(id=id) from None

    def find(self, login: str) -> Any:
        try:
            return _user(self._store.by_login(login))
        except NoSuchUser:
            raise api.NotFound(login=login) from None

    def get_many(self, ids: set[int]) -> dict[int, Any]:
        if len(ids) > api.MAX_LIMIT:
            raise _invalid("ids", f"has {len(ids)} members; {api.MAX_LIMIT} is the limit")
        return {record.id: _user(record) for record in self._store.by_ids(ids)}

    def search(self, query: Any, after: int, limit: int) -> Any:
        if not 1 <= limit <= api.MAX_LIMIT:
            raise _invalid("limit", f"{limit} is not in 1..{api.MAX_LIMIT}")
        query = query or api.Query()
        # One more than asked for tells whether there is another page.
        found = self._store.search(_searchable(query.text or ""), query.roles, query.tags, after, limit + 1)
        users = [_user(record) for record in found[:limit]]
        return api.Page(users, next_after=users[-1].id if len(found) > limit else None)

    def update(self, id: int, version: int, profile: Any) -> Any:
        entry = _entry(profile)
        try:
            done, record = self._store.replace(id, version, entry)
        except NoSuchUser:
            raise api.NotFound(id=id) from None
        except LoginTaken:
            raise api.AlreadyExists(profile.login) from None
        if not done:
            raise api.Conflict(current=_user(record))
        return _user(record)

    def remove(self, id: int) -> bool:
        return self._store.remove(id)

    def statistics(self) -> Any:
        by_role, by_tag = self._store.count()
        return api.Statistics(sum(by_role.values()), by_role, by_tag)

    def seen(self, id: int) -> None:
        self._store.touch(id, now())


def _user(record: Record) -> Any:
    profile = thriftserver.deserialize(api.Profile, record.profile)
    return api.User(record.id, record.version, record.created, record.last_seen, profile)


def _entry(profile: Any) -> Entry:
    """A checked profile as the store keeps it. Raises InvalidInput."""
    if profile is None:
        raise _invalid("profile", "is not set")
    for field, problem in _problems(profile):
        raise _invalid(f"profile.{field}", problem)
    data = thriftserver.serialize(profile)
    if len(data) > api.MAX_PROFILE:
        raise _invalid("profile", f"has {len(data)} bytes; {api.MAX_PROFILE} is the limit")
    return Entry(profile.login, _searchable(f"{profile.login}\n{profile.name}"), profile.role, profile.tags, data)


def _searchable(text: str) -> str:
    """Text without what a search should not depend on: case, and how accents are encoded."""
    return unicodedata.normalize("NFKC", text).casefold()


def _invalid(field: str, problem: str) -> Exception:
    error: Exception = api.shared.InvalidInput(field, problem)
    return error


def _problems(profile: Any) -> Iterator[tuple[str, str]]:
    """Everything that the IDL's types cannot say about a profile."""
    if not re.fullmatch(r"[a-z][a-z0-9._-]{0,31}", profile.login):
        yield "login", "must be 1 to 32 of a-z 0-9 . _ - and begin with a letter"
    if profile.login in api.RESERVED:
        yield "login", f"{profile.login!r} is reserved"
    if not profile.name.strip():
        yield "name", "is empty"
    if not isinstance(profile.role, api.Role):
        yield "role", f"there is no role {profile.role}"
    for tag in profile.tags:
        if not tag.strip():
            yield "tags", "has an empty tag"
    for index, contact in enumerate(profile.contacts):
        for problem in _contact_problems(contact):
            yield f"contacts[{index}]", problem


def _contact_problems(contact: Any) -> Iterator[str]:
    match contact:
        case api.Contact(email=str(email)):
            if not re.fullmatch(r"\S+@\S+", email):
                yield f"{email!r} is no e-mail address"
        case api.Contact(phone=api.Phone(number=number)):
            if not re.fullmatch(r"\+?[0-9 ()/-]{2,24}", number):
                yield f"{number!r} is no phone number"
        case api.Contact(address=api.Address(city=city)):
            if not city.strip():
                yield "an address needs a city"
        case _:
            yield "is empty, or of a kind that this server does not know"
