"""Where a server listens when a name has several addresses, and when IPv4 and IPv6 share a port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from thriftserver.errors import BindError
from thriftserver.master.sockets import Listeners
from thriftserver.master.tcp import Spot, bind_all, look_up

V4, V6 = socket.AF_INET, socket.AF_INET6


@pytest.fixture
def listen() -> Iterator[Callable[..., Listeners]]:
    opened: list[Listeners] = []

    def open_them(*addresses: str, **more: Any) -> Listeners:
        opened.append(Listeners(addresses, 10, **more))
        return opened[-1]

    yield open_them
    for each in opened:
        each.close()


def reached(host: str, port: int) -> bool:
    with closing(socket.socket(V6 if ":" in host else V4)) as sock:
        sock.settimeout(10)
        return sock.connect_ex((host, port)) == 0


def ports(listeners: Listeners) -> set[int]:
    return {sock.getsockname()[1] for sock in listeners.sockets}


def free_port() -> int:
    with closing(socket.socket(V6)) as sock:
        sock.bind(("::", 0))
        return sock.getsockname()[1]  # type: ignore[no-any-return]


@pytest.mark.parametrize("written", [0, free_port])
def test_no_name_means_every_address_there_is_on_one_port(listen: Any, written: Any) -> None:
    listeners = listen(f":{written() if written else 0}")
    (port,) = ports(listeners)
    assert set(listeners.names()) == {f"[::]:{port}", f"0.0.0.0:{port}"}
    assert reached("127.0.0.1", port)
    assert reached("::1", port)


def test_a_name_means_every_address_it_has(listen: Any) -> None:
    """How many that are, the machine that runs this decides: one or two."""
    listeners = listen("localhost:0")
    (port,) = ports(listeners)
    known = dict.fromkeys(where[0] for *_, where in socket.getaddrinfo("localhost", 0, type=socket.SOCK_STREAM))
    assert listeners.names() == [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host in known]
    assert all(reached(host, port) for host in known)
    assert [spot.host for spot in look_up("localhost", 1)] == list(known)


def test_an_address_that_is_named_twice_is_bound_once(listen: Any) -> None:
    port = free_port()
    assert len(listen(f":{port}", f"0.0.0.0:{port}", f"[::]:{port}").sockets) == 2


def bound(*spots: Spot, some: bool = False) -> list[str | None]:
    sockets = bind_all(spots, (), some)
    hosts = [each and each.getsockname()[0] for each in sockets]
    assert len({each.getsockname()[1] for each in sockets if each}) <= 1
    for each in sockets:
        if each:
            each.close()
    return hosts


def test_addresses_that_the_machine_lacks_are_left_out() -> None:
    lacking, other = Spot(V4, ("192.0.2.1", 0)), Spot(V6, ("2001:db8::1", 0, 0, 0))
    assert bound(lacking, Spot(V4, ("127.0.0.4", 0)), other, Spot(V6, ("::1", 0, 0, 0))) == [
        None,
        "127.0.0.4",
        None,
        "::1",
    ]
    assert bound(lacking, some=True) == [None]
    with pytest.raises(OSError, match="Cannot assign requested address"):
        bound(lacking, other)
    with pytest.raises(BindError, match=r"cannot listen on 192\.0\.2\.1:0: Cannot assign requested address"):
        Listeners(["192.0.2.1:0"], 10)


def test_a_port_that_is_taken_at_one_of_them_is_told_and_nothing_stays_open(listen: Any) -> None:
    with closing(socket.socket(V4)) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(BindError, match=f"cannot listen on :{port}: the address is in use"):
            listen(f":{port}")
        assert not reached("::1", port)


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(BindError, match=r"cannot listen on unknown\.invalid:0: "):
        Listeners(["unknown.invalid:0"], 10)


@pytest.mark.parametrize(
    "addresses",
    [
        ("0.0.0.0:{}", "[::]:{}"),
        ("[::]:{}", "0.0.0.0:{}"),
        ("127.0.0.1:{}", "[::]:{}"),
        (":{}",),
        ("[::]:{}", "127.0.0.2:{}"),
    ],
    ids=" ".join,
)
def test_both_families_share_a_port(listen: Any, addresses: tuple[str, ...]) -> None:
    port = free_port()
    listeners = listen(*(address.format(port) for address in addresses))
    assert reached("::1", port)
    assert reached("127.0.0.2" if "127.0.0.2" in addresses[-1] else "127.0.0.1", port)
    only = [sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) for sock in listeners.sockets if sock.family == V6]
    assert only == [1]


def test_all_of_ipv6_alone_takes_ipv4_too(listen: Any) -> None:
    (port,) = ports(listen("[::]:0"))
    assert reached("127.0.0.1", port)
    assert reached("::1", port)


@pytest.mark.parametrize("written", [0, free_port])
def test_a_next_master_goes_on_with_all_of_them(listen: Any, written: Any) -> None:
    text = f":{written() if written else 0}"
    first = listen(text)
    descriptors = [each.descriptor for each in first.heirlooms()]
    assert len({each.asked for each in first.heirlooms()}) == 2, "a store keeps them by what was asked for"
    second = listen(text, inherited=first.heirlooms())
    assert [sock.fileno() for sock in second.sockets] == descriptors
    assert second.names() == first.names()
    assert second.unused() == []
    for sock in second.sockets:
        sock.detach()


@pytest.mark.parametrize("written", ["0.0.0.0:0", "[::]:0"])
def test_a_next_master_keeps_a_port_that_was_any(listen: Any, written: str) -> None:
    first = listen(written)
    second = listen(written, inherited=first.heirlooms())
    assert second.names() == first.names()
    second.sockets[0].detach()


def test_a_next_master_finds_one_and_opens_the_other_on_its_port(listen: Any) -> None:
    first = listen("0.0.0.0:0")
    (port,) = ports(first)
    second = listen(f":{port}", inherited=first.heirlooms())
    assert set(second.names()) == {f"0.0.0.0:{port}", f"[::]:{port}"}
    assert second.unused() == []
    next(sock for sock in second.sockets if sock.family == V4).detach()


def test_sockets_of_systemd_are_found_by_their_address(listen: Any) -> None:
    with closing(socket.socket(V4)) as passed:
        passed.bind(("0.0.0.0", 0))
        port = passed.getsockname()[1]
        listeners = listen(f":{port}", passed=[passed])
        assert passed in listeners.sockets
        assert reached("::1", port)
        assert {each.asked for each in listeners.heirlooms()} == {"", f"[::]:{port}"}
