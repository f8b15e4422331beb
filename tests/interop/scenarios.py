"""What a Python client, of whatever library, does with each sample service: every method, every kind of answer."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.interop.counterparts import refused
from thriftserver.wire import Application

UNICODE = "Zoë Žižek, 名前, עברית, 🦆\u200d, \U0010ffff"
CONTROLS = "".join(map(chr, range(32))) + "\x7f\x80\u2028"
I32 = (1 << 31) - 1


def calculator(client: Any, types: Any) -> None:
    assert client.add(2, 3) == 5
    assert client.add(I32, I32) == 2 * I32
    assert client.subtract(-I32 - 1, I32) == -2 * I32 - 1
    assert client.multiply(-I32 - 1, -I32 - 1) == 1 << 62
    assert client.divide(1, 3) == 1 / 3
    with pytest.raises(types.DivisionByZero) as zero:
        client.divide(7, 0)
    assert zero.value.dividend == 7.0

    operation = types.Operation
    assert client.calculate(types.Work(left=0.1, right=0.2)) == 0.1 + 0.2
    assert client.calculate(types.Work(left=2.5, right=-0.5, operation=operation.SUBTRACT)) == 3.0
    assert client.calculate(types.Work(left=1e308, right=10.0, operation=operation.MULTIPLY)) == math.inf
    assert client.calculate(types.Work(left=1.0, right=4.0, operation=operation.DIVIDE, comment=UNICODE)) == 0.25
    with pytest.raises(types.DivisionByZero) as zero:
        client.calculate(types.Work(left=5e-324, right=-0.0, operation=operation.DIVIDE))
    assert zero.value.dividend == 5e-324
    with pytest.raises(types.InvalidOperation) as invalid:
        client.calculate(types.Work(left=1.0, right=2.0, operation=operation.MODULO))
    assert invalid.value.operation == 77
    assert invalid.value.message == "there is no operation 77"

    assert client.note(UNICODE) is None
    assert client.add(1, 1) == 2
    assert client.note(CONTROLS) is None
    assert client.note("") is None
    with refused(types, Application.UNKNOWN_METHOD, "modulo", "Calculator"):
        client.modulo(7, 3)
    assert client.multiply(6, 7) == 42


def directory(client: Any, other: Any, types: Any, damaged: int) -> None:
    """``other`` is a second connection; ``damaged`` is a user whose profile cannot be read, behind all ids in use."""
    assert client.ping() is None
    about = client.about()
    assert about.name == "Directory"
    assert about.started > 1_700_000_000_000
    ada = _create(client, other, types)
    zoe = _create_full(client, other, types)
    _look(client, types, ada, zoe)
    _invalid(client, types, ada)
    zoe = _update(client, other, types, ada, zoe)

    assert client.seen(zoe.id) is None
    seen = client.get(zoe.id)
    assert seen.last_seen >= zoe.created
    assert seen.version == zoe.version
    assert client.seen(404) is None
    assert client.get(ada.id) == ada

    with refused(types, Application.INTERNAL_ERROR, "internal error, id "):
        client.get(damaged)
    with refused(types, Application.UNKNOWN_METHOD, "rename", "Directory"):
        client.rename(ada.id, "Eve")
    assert client.ping() is None

    assert client.remove(ada.id) is True
    assert client.remove(ada.id) is False
    assert other.get_many({ada.id, zoe.id}) == {zoe.id: seen}
    assert client.statistics().by_role == {types.Role.OWNER: 1, types.Role.GUEST: 1}


def _create(client: Any, other: Any, types: Any) -> Any:
    """As little as possible: what is not given is unset, or what the IDL has for it."""
    ada = client.create(types.Profile(login="ada", name="Ada"))
    profile = ada.profile
    assert (ada.version, ada.last_seen) == (1, None)
    assert (profile.login, profile.name, profile.role) == ("ada", "Ada", types.Role.MEMBER)
    assert (profile.contacts, profile.tags, profile.links) == ([], set(), {})
    assert (profile.about, profile.picture) == (None, None)
    assert other.get(ada.id) == ada
    with pytest.raises(types.AlreadyExists) as taken:
        other.create(types.Profile(login="ada", name="Another"))
    assert taken.value.login == "ada"
    return ada


def _create_full(client: Any, other: Any, types: Any) -> Any:
    """Everything there is, and one thing that only newer servers know."""
    contacts = [
        types.Contact(email="zoe@example.org"),
        types.Contact(phone=types.Phone(number="+49 30 123456", extension="7")),
        types.Contact(phone=types.Phone(number="110")),
        types.Contact(address=types.Address(lines=["Pumpe 7", ""], city="Łódź", country="PL")),
        types.Contact(address=types.Address(lines=[], city="Köln")),
    ]
    full = {
        "login": "zoe",
        "name": UNICODE,
        "role": types.Role.OWNER,
        "about": CONTROLS,
        "contacts": contacts,
        "tags": {"a", "日本", "b c"},
        "links": {"home": "https://example.org/?q=ü", "": ""},
        "picture": bytes(range(256)) * 4,
    }
    newer = types.Profile(**full, homes={"summer": [types.Address(lines=["x"], city="y")]})
    zoe = client.create(newer)
    assert zoe.profile == types.Profile(**full)
    assert type(zoe.profile.picture) is bytes
    assert zoe.profile.contacts[3].address.city == "Łódź"
    assert zoe.profile.contacts[3].email is None
    assert zoe.profile.contacts[4].address.country == "DE"
    assert other.find("zoe") == zoe
    return zoe


def _look(client: Any, types: Any, ada: Any, zoe: Any) -> None:
    with pytest.raises(types.NotFound) as missing:
        client.get(404)
    assert (missing.value.id, missing.value.login) == (404, None)
    with pytest.raises(types.NotFound) as missing:
        client.find(UNICODE)
    assert (missing.value.id, missing.value.login) == (None, UNICODE)

    assert client.get_many({ada.id, zoe.id, 404}) == {ada.id: ada, zoe.id: zoe}
    assert client.get_many(set()) == {}
    with pytest.raises(types.InvalidInput):
        client.get_many(set(range(501)))

    def search(limit: Any = None, after: Any = None, **query: Any) -> tuple[list[Any], Any]:
        page = client.search(types.Query(**query), after, limit)
        return page.users, page.next_after

    assert search() == ([ada, zoe], None)
    assert search(limit=1) == ([ada], ada.id)
    assert search(limit=1, after=ada.id) == ([zoe], None)
    assert search(after=zoe.id) == ([], None)
    assert search(text="žIŽ") == ([zoe], None)
    assert search(text="%") == ([], None)
    assert search(roles={types.Role.MEMBER, types.Role.EDITOR}) == ([ada], None)
    assert search(roles={1000}) == ([], None)
    assert search(tags={"a", "日本"}) == ([zoe], None)
    assert search(tags={"a", "z"}) == ([], None)
    with pytest.raises(types.InvalidInput) as invalid:
        search(limit=0)
    assert (invalid.value.field, invalid.value.problem) == ("limit", "0 is not in 1..500")

    statistics = client.statistics()
    assert statistics.users == 3
    assert statistics.by_role == {types.Role.MEMBER: 1, types.Role.OWNER: 1, types.Role.GUEST: 1}
    assert statistics.by_tag == {"a": 1, "日本": 1, "b c": 1}


def _invalid(client: Any, types: Any, ada: Any) -> None:
    good = {"login": "eve", "name": "Eve"}
    bad = [
        ("profile.login", {"login": "Eve"}),
        ("profile.login", {"login": "root"}),
        ("profile.name", {"name": " \n"}),
        ("profile.role", {"role": 77}),
        ("profile.contacts[1]", {"contacts": [types.Contact(email="e@x"), types.Contact(email="no address")]}),
        ("profile.contacts[0]", {"contacts": [types.Contact(phone=types.Phone(number="none"))]}),
        ("profile.contacts[0]", {"contacts": [types.Contact(fax="a kind of contact from the future")]}),
        ("profile", {"about": "x" * 32_000}),
    ]
    for field, change in bad:
        with pytest.raises(types.InvalidInput) as invalid:
            client.create(types.Profile(**good | change))
        assert invalid.value.field == field
        assert invalid.value.problem
        with pytest.raises(types.InvalidInput) as invalid:
            client.update(ada.id, ada.version, types.Profile(**good | change))
        assert invalid.value.field == field


def _update(client: Any, other: Any, types: Any, ada: Any, zoe: Any) -> Any:
    profile = types.Profile(login="zoe2", name="Zoe", role=types.Role.OWNER, tags={"b c"})
    newer = client.update(zoe.id, zoe.version, profile)
    assert (newer.version, newer.created, newer.profile) == (2, zoe.created, profile)
    with pytest.raises(types.Conflict) as conflict:
        other.update(zoe.id, zoe.version, profile)
    assert conflict.value.current == newer
    with pytest.raises(types.AlreadyExists) as taken:
        client.update(zoe.id, newer.version, types.Profile(login="ada", name="Zoe"))
    assert taken.value.login == "ada"
    with pytest.raises(types.NotFound) as missing:
        client.update(404, 1, profile)
    assert missing.value.id == 404
    assert client.statistics().by_tag == {"b c": 1}
    assert client.find("zoe2") == newer
    return newer
