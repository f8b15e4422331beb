"""The samples' handlers are plain classes: what they do needs no server to be tested."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from handlers.calculator import Calculator
from handlers.calculator import api as calculator_api
from handlers.directory import Directory, api
from handlers.hbase import Hbase
from handlers.scribe import scribe
from handlers.spans import Spans
from handlers.store import SCHEMAS, Store
from tests.support import ROOT
from thriftserver.rpc.binding import Bound, fit
from thriftserver.wire import MAX_FRAME


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Directory]:
    monkeypatch.setenv("DIRECTORY_DB", str(tmp_path / "directory.db"))
    handler = Directory()
    handler.setup()
    yield handler
    handler.teardown()


@pytest.mark.parametrize(
    ("name", "handler"),
    [("calculator", Calculator), ("directory", Directory), ("hbase", Hbase), ("scribe", scribe), ("spans", Spans)],
)
def test_the_samples_fit_their_idl_without_a_warning(name: str, handler: type) -> None:
    service = getattr(thriftserver.load(ROOT / "idl" / f"{name}.thrift"), handler.__name__).__thrift__
    assert fit(Bound(service, handler(), f"handlers.{name}:{handler.__name__}")) == []


def test_calculator() -> None:
    calculator = Calculator()
    assert calculator.add(1, 2) == 3
    assert calculator.calculate(calculator_api.Work(1.0, 2.0)) == 3.0
    with pytest.raises(calculator_api.DivisionByZero):
        calculator.divide(1, 0)


def test_ids_of_removed_users_are_not_given_again(directory: Directory) -> None:
    first = directory.create(api.Profile("a", "A"))
    assert directory.remove(first.id)
    assert directory.create(api.Profile("a", "A")).id > first.id


def test_time_does_not_run_backwards_for_a_user(directory: Directory) -> None:
    user = directory.create(api.Profile("a", "A"))
    directory._store.touch(user.id, 2_000)
    directory._store.touch(user.id, 1_000)
    assert directory.get(user.id).last_seen == 2_000


def test_removing_a_user_removes_the_tags(directory: Directory) -> None:
    user = directory.create(api.Profile("a", "A", tags={"x", "y"}))
    assert directory.statistics().by_tag == {"x": 1, "y": 1}
    directory.remove(user.id)
    assert directory.statistics() == api.Statistics(0, {}, {})


def test_a_change_that_fails_changes_nothing(directory: Directory) -> None:
    directory.create(api.Profile("a", "A", tags={"x"}))
    user = directory.create(api.Profile("b", "B", tags={"y"}))
    with pytest.raises(api.AlreadyExists):
        directory.update(user.id, user.version, api.Profile("a", "B", tags={"z"}))
    assert directory.get(user.id) == user
    assert directory.statistics().by_tag == {"x": 1, "y": 1}


@pytest.mark.parametrize("text", ["STRASSE", "straße", "\uff33\uff34\uff32", "e\u0301", "É"])
def test_a_search_sees_through_case_and_encoding(directory: Directory, text: str) -> None:
    user = directory.create(api.Profile("a", "Straße des André"))
    directory.create(api.Profile("b", "Weg"))
    assert directory.search(api.Query(text=text), 0, 10).users == [user]


def test_more_values_than_sqlite_takes_parameters(directory: Directory) -> None:
    user = directory.create(api.Profile("a", "A", tags={"t1", "t2"}))
    assert [record.id for record in directory._store.by_ids(range(300_000))] == [user.id]
    assert directory.search(api.Query(roles=set(range(300_000))), 0, 1).users == [user]
    assert directory.search(api.Query(tags={f"t{n}" for n in range(300_000)}), 0, 1).users == []


def test_the_largest_page_fits_a_frame(directory: Directory) -> None:
    """The limits of the IDL are such that no search can end in a reply that is too large."""
    login = "u{:031}".format
    size = api.MAX_PROFILE - len(thriftserver.serialize(api.Profile(login(0), "N", picture=b"")))
    profile: Any = api.Profile(login(0), "N", picture=bytes(size))
    with pytest.raises(api.shared.InvalidInput, match="profile"):
        directory.create(api.Profile(login(0), "N", picture=bytes(size + 1)))
    user = directory.create(profile)
    directory.seen(user.id)
    page = api.Page([directory.get(user.id)] * api.MAX_LIMIT, next_after=user.id)
    assert len(thriftserver.serialize(page)) + 100 < MAX_FRAME


def test_as_many_users_as_fit_a_page(directory: Directory) -> None:
    assert directory.get_many(set(range(api.MAX_LIMIT))) == {}
    with pytest.raises(api.shared.InvalidInput) as invalid:
        directory.get_many(set(range(api.MAX_LIMIT + 1)))
    assert invalid.value.field == "ids"


def test_a_database_of_a_newer_program_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "directory.db")
    Store(path).close()
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {len(SCHEMAS) + 1}")
    db.close()
    with pytest.raises(RuntimeError, match=f"has schema {len(SCHEMAS) + 1}; this program knows {len(SCHEMAS)} at most"):
        Store(path)
