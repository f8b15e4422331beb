"""Code that people write against a generated package: right, and wrong in each way that types can find."""

from __future__ import annotations

from textwrap import dedent

PRELUDE = """\
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, assert_type
from uuid import UUID

import directory
import kinds
from directory import Contact, Directory, NotFound, Page, Phone, Profile, Query, Role, Statistics, User, shared
from directory.shared import About, InvalidInput
from kinds import Kinds

_ = (Any, Mapping, Sequence, UUID, assert_type, directory, kinds, shared, About, Contact, Directory, InvalidInput)
__ = (Kinds, NotFound, Page, Phone, Profile, Query, Role, Statistics, User)
"""

#: What directory.thrift does not have.
KINDS = """
struct Leaf { 1: i32 n }
struct Kinds {
  1: required bool t, 2: required i8 small, 3: required double d, 4: required binary raw, 5: required uuid id,
  6: required list<set<i64>> nested, 7: required map<list<i32>, Leaf> by_list, 8: required set<set<string>> sets,
  9: optional Leaf leaf, 10: i32 count = 3, 11: optional string note = "x", 12: optional i32 from
}
const list<i32> PRIMES = [2, 3, 5]
const Leaf LEAF = {"n": 1}
service Base { i32 size() }
service Counted { string stats() }
service Store extends Base {
  binary load(1: binary key),
  set<string> keys(1: list<string> prefixes, 2: map<string, Leaf> more),
  oneway void drop(1: string key = "all"),
  Leaf import(1: i32 from)
}
"""

HANDLER = """\
class Impl:
    def ping(self) -> None: ...
    def about(self) -> About:
        return About("me", 1, 2)
    def create(self, profile: Profile) -> User:
        return User(1, 1, 0, profile=profile)
    def get(self, user_id: int) -> User:
        raise NotFound(id=user_id)
    def find(self, login: str) -> User:
        raise NotFound(login=login)
    def get_many(self, ids: set[int]) -> dict[int, User]:
        return {}
    def search(self, query: Query, after: int, limit: int) -> Page:
        return Page([], after)
    def update(self, id: int, version: int, profile: Profile) -> User:
        raise InvalidInput("id", "none")
    def remove(self, id: float) -> bool:
        return id > 0
    def statistics(self) -> Statistics:
        return Statistics(1, {Role.GUEST: 1}, {"a": 1})
    def seen(self, id: int) -> None: ...
"""


def derived(old: str, new: str = "") -> str:
    """The handler with a line, or the beginning of one, in another form."""
    assert HANDLER.count(old) == 1, old
    return HANDLER.replace(old, new)


RIGHT = {
    "a handler by its methods": HANDLER + "handler: Directory.Handler = Impl()\n",
    "a handler by its base": HANDLER.replace("Impl", "Impl(Directory.Handler)") + "Impl().ping()\n",
    "a handler where that of the base is wanted": HANDLER + "handler: shared.Base.Handler = Impl()\n",
    "an async handler": HANDLER.replace("def get(", "async def get(") + "handler: Directory.AsyncHandler = Impl()\n",
    "a plain handler as an async one": HANDLER + "handler: Directory.AsyncHandler = Impl()\n",
    "results that are no lists or dicts": """
        class Impl(kinds.Store.Handler):
            def size(self) -> int:
                return 1
            def load(self, key: bytes) -> bytearray:
                return bytearray(key)
            def keys(self, prefixes: Sequence[str], more: Mapping[str, kinds.Leaf]) -> frozenset[str]:
                return frozenset(more)
            def drop(self, key: str) -> None: ...
            def import_(self, from_: int) -> kinds.Leaf:
                return kinds.Leaf(from_)
        Impl()
    """,
    "a client": """
        with Directory.Client("localhost", 9090, timeout=5) as client:
            assert_type(client.get(1), User)
            assert_type(client.get_many({1, 2}), dict[int, User])
            assert_type(client.search(Query(), limit=3).next_after, int | None)
            assert_type(client.about().name, str)
            client.seen(id=3)
            client.close()
        Directory.Client(host="localhost", port=9090).ping()
        Directory.Client(["a:1", "b:2"], keepalive=3.5, dialect="header", service="Directory", max_frame=1).ping()
    """,
    "a pool": """
        with Directory.Pool(["a:1", "b:2"], timeout=5, size=8, wait=0.5, hedge=0.1, attempt_timeout=1) as pool:
            assert_type(pool.get(1), User)
            assert_type(pool.stats().servers[0].in_flight, int)
            pool.seen(id=3)
            pool.close()
        def ask(pool: Directory.Pool) -> str:
            return pool.get(1).profile.login
        Directory.Pool("dns://users:9090", retries=0, idle=3, max_age=60, eject_after=3, eject_for=2, refresh=5).ping()
        assert_type(kinds.Counted.Pool("x").stats(), str)
        assert_type(kinds.Counted.Pool("x").__stats__().calls, int)
    """,
    "asyncio": """
        async def ask(client: Directory.AsyncClient, pool: Directory.AsyncPool) -> str:
            return (await client.get(1)).profile.login + (await pool.about()).name
        async def main() -> None:
            async with Directory.AsyncClient("localhost", 9090, timeout=5, dialect="header") as client:
                assert_type(await client.get(1), User)
                assert_type(await client.get_many({1, 2}), dict[int, User])
                await client.seen(id=3)
                await client.aclose()
            async with Directory.AsyncPool(["a:1", "b:2"], timeout=5, size=8, wait=0.5, hedge=0.1) as pool:
                assert_type((await pool.search(Query(), limit=3)).next_after, int | None)
                assert_type(pool.stats().servers[0].in_flight, int)
                await ask(client, pool)
            assert_type(await kinds.Counted.AsyncPool("x").stats(), str)
            assert_type(kinds.Counted.AsyncPool("x").__stats__().calls, int)
    """,
    "a client as an annotation": """
        def ask(client: Directory.Client) -> str:
            return client.get(1).profile.login
    """,
    "what clients take": """
        with kinds.Store.Client("localhost:1") as client:
            client.load(bytearray(b"x"))
            client.load(memoryview(b"x"))
            assert_type(client.keys(("a", "b"), {}), set[str])
            assert_type(client.import_(from_=1), kinds.Leaf)
            client.drop()
            client.size()
    """,
    "structs": """
        profile = Profile("ann", "Ann", Role.OWNER, contacts=[Contact("a@b.c")], tags={"x"}, links={"a": "b"})
        assert_type(profile.role, Role)
        assert_type(profile.about, str | None)
        assert_type(profile.picture, bytes | None)
        assert_type(profile.contacts, list[Contact])
        profile.about = None
        user = User(1, 2, 3, profile=profile)
        assert_type(user.last_seen, int | None)
        assert_type(kinds.Leaf(1) == kinds.Leaf(2), bool)
    """,
    "every kind of value": """
        by_list: dict[tuple[int, ...], kinds.Leaf] = {(1, 2): kinds.Leaf()}
        value = Kinds(True, 1, 1, b"", UUID(int=1), [{1}], by_list, {frozenset({"a"})}, note="y", from_=1)
        assert_type(value.by_list, dict[tuple[int, ...], kinds.Leaf])
        assert_type(value.sets, set[frozenset[str]])
        assert_type(value.count, int)
        assert_type(value.note, str)
        assert_type(value.from_, int | None)
        assert_type(value.id, UUID)
    """,
    "included files": """
        import names
        from names.shared import Address
        assert_type(names.types.T2(1).x, int | None)
        assert_type(names.my_file_v2.V().x, int | None)
        assert_type(Address("x").t, names.types_.T | None)
        assert_type(names.Holder(names.bytes.Sequence([names.bytes.B(b"")])).raw, bytes | None)
        assert_type(names.Twice("x").street, str)
    """,
    "derived structs": """
        class Named(kinds.Leaf):
            @property
            def name(self) -> str:
                return str(self.n)
        assert_type(Named(3).name, str)
        class Loose(User, dict=True): ...
        Loose(id=1, version=2, created=3, profile=Profile("a", "b"))
    """,
    "unions": """
        contact = Contact(phone=Phone("1", "2"))
        Contact()
        Contact(email="a@b.c")
        Contact(phone=None)
        assert_type(contact.phone, Phone | None)
        match contact:
            case Contact(email=str(email)):
                assert_type(email, str)
            case _:
                pass
        if contact.__which__ == "address" and contact.address is not None:
            assert_type(contact.address.city, str)
    """,
    "enums": """
        assert_type(Role(1), Role)
        assert_type([role.name for role in Role], list[str])
        def weight(role: Role) -> int:
            match role:
                case Role.GUEST | Role.MEMBER:
                    return 1
                case Role.EDITOR | Role.OWNER:
                    return 2
    """,
    "exceptions": """
        try:
            raise NotFound(1)
        except NotFound as error:
            assert_type(error.id, int | None)
        except InvalidInput as error:
            assert_type(error.problem, str)
        class Gone(NotFound):
            def __init__(self, user: User) -> None:
                super().__init__(id=user.id)
                self.user = user
    """,
    "constants": """
        assert_type(directory.MAX_LIMIT, int)
        assert_type(directory.RESERVED, set[str])
        assert_type(kinds.PRIMES, list[int])
        assert_type(kinds.LEAF, kinds.Leaf)
    """,
}

#: The line that is refused ends in ``# wrong``.
WRONG = {
    "a method is missing": derived("    def ping(self) -> None: ...\n")
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "a method is missing in a derived handler": derived(
        "Impl:\n    def ping(self) -> None: ...", "Impl(Directory.Handler):"
    )
    + "Impl()  # wrong\n",
    "a method of the service that is extended is missing": derived("def about(", "def abuot(")
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "an argument of another type": derived("def find(self, login: str)", "def find(self, login: bytes)").replace(
        "login=login", "id=1"
    )
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "an argument of another type in a derived handler": """
        class Impl(shared.Base.Handler):
            def ping(self, loud: bool) -> None: ...  # wrong
    """,
    "an argument too few": derived("def seen(self, id: int)", "def seen(self)")
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "another result": derived(
        "def remove(self, id: float) -> bool:\n        return id > 0",
        "def remove(self, id: int) -> str:\n        return ''",
    )
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "a result that may be None": derived(
        "def find(self, login: str) -> User:", "def find(self, login: str) -> User | None:"
    )
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "a result of a void method": derived("def ping(self) -> None: ...", "def ping(self) -> int:\n        return 1")
    + "handler: Directory.Handler = Impl()  # wrong\n",
    "async def for a server": derived("def get(", "async def get(") + "handler: Directory.Handler = Impl()  # wrong\n",
    "an async result of another type": derived(
        "def find(self, login: str) -> User", "async def find(self, login: str) -> str"
    )
    + "handler: Directory.AsyncHandler = Impl()  # wrong\n",
    "a set for a list": """
        class Impl(kinds.Base.Handler): ...
        def keys() -> Sequence[str]:
            return {"a"}  # wrong
    """,
    "a list for a map": 'kinds.Store.Client("x").keys([], [1])  # wrong\n',
    "a method that is not there": 'Directory.Client("x").gte(1)  # wrong\n',
    "a call without an argument": 'Directory.Client("x").get()  # wrong\n',
    "a call with an argument too many": 'Directory.Client("x").ping(1)  # wrong\n',
    "a call with an argument of another type": 'Directory.Client("x").get("1")  # wrong\n',
    "a call with a misspelt argument": 'Directory.Client("x").search(Query(), limits=3)  # wrong\n',
    "a call with None": 'Directory.Client("x").find(None)  # wrong\n',
    "a result taken for another": 'name: str = Directory.Client("x").get(1)  # wrong\n',
    "a client with a misspelt option": 'Directory.Client("x", time_out=5)  # wrong\n',
    "a client with a size": 'Directory.Client("x", size=5)  # wrong\n',
    "a client without statistics": 'Directory.Client("x").stats()  # wrong\n',
    "a pool with a misspelt option": 'Directory.Pool("x", sise=5)  # wrong\n',
    "a pool without a method": 'Directory.Pool("x").gte(1)  # wrong\n',
    "a number of a pool that is not there": 'Directory.Pool("x").stats().cals  # wrong\n',
    "a pool for a client": 'client: Directory.Client = Directory.Pool("x")  # wrong\n',
    "a result of asyncio that is not awaited": """
        async def main() -> None:
            name: User = Directory.AsyncClient("x").get(1)  # wrong
    """,
    "a client of asyncio in a plain with": """
        async def main() -> None:
            with Directory.AsyncClient("x"): ...  # wrong
    """,
    "a client of asyncio for a plain one": 'client: Directory.Client = Directory.AsyncClient("x")  # wrong\n',
    "an argument of another type with asyncio": """
        async def main() -> None:
            await Directory.AsyncPool("x").get("1")  # wrong
    """,
    "an awaited call of a plain client": """
        async def main() -> None:
            await Directory.Client("x").get(1)  # wrong
    """,
    "a required field is missing": 'Profile("ann")  # wrong\n',
    "a required field behind an optional one is missing": "User(1, 2, 3)  # wrong\n",
    "a required field is None": 'Profile("ann", None)  # wrong\n',
    "a field of another type": 'Profile("ann", "Ann", about=3)  # wrong\n',
    "a field that is not there": 'Profile("ann", "Ann", abuot="me")  # wrong\n',
    "an attribute that is not there": 'Profile("ann", "Ann").abuot  # wrong\n',
    "an attribute set to another type": 'Profile("ann", "Ann").name = 3  # wrong\n',
    "an optional field used as if it were set": 'Profile("ann", "Ann").about.upper()  # wrong\n',
    "text for bytes": 'Profile("ann", "Ann", picture="x")  # wrong\n',
    "bytes for text": 'Profile(b"ann", "Ann")  # wrong\n',
    "members of another type": 'Profile("ann", "Ann", tags={1})  # wrong\n',
    "a list for a set": 'Profile("ann", "Ann", tags=["a"])  # wrong\n',
    "a number for an enum": 'Profile("ann", "Ann", role=1)  # wrong\n',
    "a member that is not there": "Role.ADMIN  # wrong\n",
    "a struct for another": 'User(1, 2, 3, profile=Phone("1"))  # wrong\n',
    "two members of a union": 'Contact(email="a@b.c", phone=Phone("1"))  # wrong\n',
    "a member of another type": "Contact(email=1)  # wrong\n",
    "a member of a union that is not there": 'Contact(mail="a@b.c")  # wrong\n',
    "a name for a member that is none": """
        if Contact().__which__ == "mail":  # wrong
            pass
    """,
    "an exception with a field that is not there": 'NotFound(name="ann")  # wrong\n',
    "an exception without its required field": 'InvalidInput("id")  # wrong\n',
    "an exception with a field of another type": 'NotFound(id="1")  # wrong\n',
    "a struct that is raised": 'raise Phone("1")  # wrong\n',
    "a constant taken for another": "name: str = directory.MAX_LIMIT  # wrong\n",
    "a constant that is not there": "directory.MIN_LIMIT  # wrong\n",
    "a name that cannot be imported": "from directory import Usr  # wrong\n",
    "a name of an included file that cannot be imported": "from directory.shared import User as Usr  # wrong\n",
    "a typedef of a number, which is nothing at run time": "directory.UserId  # wrong\n",
    "unhashable keys": "Kinds(True, 1, 1, b'', UUID(int=1), [], {1: kinds.Leaf()}, set())  # wrong\n",
    "a keyword's name": "kinds.Store.Client('x').import_(From=1)  # wrong\n",
}


def text(snippet: str) -> str:
    return f"{PRELUDE}\n{dedent(snippet)}"


def refused(snippet: str) -> int:
    """The number of the line that has to be refused."""
    (line,) = (number for number, line in enumerate(text(snippet).splitlines(), 1) if line.endswith("# wrong"))
    return line
