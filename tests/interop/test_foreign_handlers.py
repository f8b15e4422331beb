"""Handlers written for other Thrift libraries work unchanged: they return those classes and raise those exceptions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import Server
from tests.interop.counterparts import compile_idl
from tests.support import ROOT
from thriftserver.wire import Application

IDL = ROOT / "tests" / "interop" / "foreign" / "shop.thrift"


@pytest.fixture(params=["thriftpy2", "apache"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    if request.param == "apache":
        compile_idl("py", IDL, tmp_path)
    handler = f"tests.interop.foreign.with_{request.param}:Shop"
    path = os.pathsep.join((str(ROOT), str(tmp_path)))
    with Server("--idl", str(IDL), "--handler", handler, env={"PYTHONPATH": path}) as server:
        yield server


def test_foreign_results_and_exceptions(server: Server) -> None:
    shop = thriftserver.load(IDL)
    with shop.Shop.Client(server.host, server.port, timeout=30) as client:
        pen, ink = shop.Item("pen", 2, 0.5), shop.Item("ink")
        order = client.order([pen, ink], shop.Payment(card="1234"))
        assert order == shop.Order(
            id=1 << 40,
            items=[pen, ink],
            labels={"new", "größer"},
            by_name={"pen": shop.Item("pen", 2), "ink": ink},
            state=shop.State.PAID,
            payment=shop.Payment(card="****"),
            receipt=b"\x00\xff",
        )
        assert client.order([], shop.Payment(cash=-1)).payment == shop.Payment(cash=-1)
        assert client.shelves() == {0: [], 7: [shop.Item("pen"), shop.Item("ink", 0, 0.0)]}
        assert client.count(shop.Order(items=[pen, ink])) == 3

        unicorn = shop.Item("unicorn")
        with pytest.raises(shop.OutOfStock) as out:
            client.order([pen, unicorn], shop.Payment(cash=5))
        assert (out.value.name, out.value.instead) == ("unicorn", [shop.Item("pony", price=9.5), unicorn])
        with pytest.raises(shop.Closed):
            client.order([], shop.Payment(cash=0))
        with pytest.raises(shop.Closed):
            client.explode("subclass")
        with pytest.raises(thriftserver.ApplicationError) as application:
            client.explode("application")
        assert (application.value.type, application.value.message) == (Application.PROTOCOL_ERROR, "said so")
        with pytest.raises(thriftserver.ApplicationError) as internal:
            client.explode("undeclared")
        assert internal.value.type == Application.INTERNAL_ERROR
        assert client.count(shop.Order(items=[])) == 0
    assert "OutOfStock" in server.wait("handler_failed", method="explode")["traceback"]
