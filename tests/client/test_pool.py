"""A pool among servers that are well, gone, slow or broken: which calls are made again, and none but those."""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from struct import pack
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.client.shells import BOTH, ONLY_SYNC, either
from tests.harness import PATIENCE
from thriftserver.client.statistics import ServerStats
from thriftserver.discovery.addresses import Address
from thriftserver.discovery.resolvers import register
from thriftserver.errors import ApplicationError, EncodeError, TransportError
from thriftserver.wire import Application

IDL = """
service S {
  i32 ping(),
  i32 get() (thriftserver.idempotent),
  i32 put(1: string text),
  oneway void note(),
}
service Odd { i32 close(1: i32 n), i32 stats() }
"""
API: Any = either(thriftserver.load("/pool/s.thrift", files={"/pool/s.thrift": IDL}))
pytestmark = BOTH
SHORT = 0.3


@contextmanager
def pool(*peers: Peer | str, **options: Any) -> Iterator[Any]:
    names = [each if isinstance(each, str) else f"127.0.0.1:{each.port}" for each in peers]
    with API.S.Pool(names, **{"timeout": PATIENCE, **options}) as it:
        yield it


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens, and nobody will meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*sock.getsockname())


def error(name: str, seqid: int, type: int) -> bytes:
    """A frame that holds a TApplicationException."""
    body = b"\x80\x01\x00\x03" + pack(">i", len(name)) + name.encode() + pack(">i", seqid)
    body += b"\x08\x00\x02" + pack(">i", type) + b"\x00"
    return pack(">i", len(body)) + body


def shedding(sock: socket.socket) -> None:
    while True:
        sock.sendall(error(*take(sock), Application.LOADSHEDDING))


class Told:
    """Scripts that remember which methods were asked for."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def answering(self, sock: socket.socket) -> None:
        while True:
            name, seqid = take(sock)
            self.calls.append(name)
            if name != "note":
                sock.sendall(reply(name, seqid))

    def leaving(self, sock: socket.socket) -> None:
        """Takes a call and closes."""
        self.calls.append(take(sock)[0])

    def silent(self, sock: socket.socket) -> None:
        """Takes calls and says nothing, until the client leaves."""
        while True:
            self.calls.append(take(sock)[0])


def server(pool: Any, peer: Peer) -> ServerStats:
    """How this server of a pool does."""
    (found,) = (each for each in pool.stats().servers if each.address == f"127.0.0.1:{peer.port}")
    return found


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(work, range(count)))


def outcome(call: Callable[[], int]) -> int | tuple[str | int, bool]:
    """What a call gives, or the phase in which it has failed and whether it can have been executed."""
    try:
        return call()
    except TransportError as error:
        return error.phase, error.executed
    except ApplicationError as error:
        return error.type, False


def eventually(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def test_a_pool_has_the_methods_of_a_client() -> None:
    with Peer(Told().answering) as peer, pool(peer) as it:
        assert it.ping() == 7
        assert it.put(text="x") == 7
        it.note()
        with pytest.raises(TypeError, match="lacks text"):
            it.put()
        with pytest.raises(EncodeError):
            it.put(3)
        assert it.ping() == 7
        assert peer.connections == 1
        assert it.ping.__doc__ == "i32 ping()"
        assert repr(it) == f"<SPool of 127.0.0.1:{peer.port} (well)>"


def test_methods_of_the_idl_come_before_those_of_a_pool() -> None:
    with Peer(answer) as peer, API.Odd.Pool("127.0.0.1", peer.port) as it:
        assert it.close(1) == 7
        assert it.stats() == 7
        assert it.__stats__().calls == 2


def test_nothing_is_connected_before_the_first_call() -> None:
    with nobody() as dead, API.S.Pool(dead) as it:
        assert it.stats().opened == 0


@pytest.mark.parametrize(
    "options",
    [
        {"size": 0},
        {"wait": -1},
        {"idle": 0},
        {"max_age": 0},
        {"connect_timeout": 0},
        {"attempt_timeout": 0},
        {"retries": 2},
        {"hedge": 0},
        {"eject_after": 0},
        {"eject_for": 0},
        {"refresh": 0},
        {"timeout": 0},
        {"dialect": "grpc"},
        {"size": float("nan")},
    ],
)
def test_options_that_make_no_sense(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        API.S.Pool("127.0.0.1", 1, **options)


def test_threads_share_so_many_connections_and_wait_for_them() -> None:
    with Peer(answer) as peer, pool(peer, size=3) as it:
        assert together(12, lambda _: sum(it.ping() for _ in range(200))) == [1400] * 12
        assert peer.connections <= 3
        stats = it.stats()
        assert stats.calls == 2400
        assert stats.opened == peer.connections
        assert stats.servers[0].in_flight == 0


def test_two_equal_servers_share() -> None:
    one, other = Told(), Told()
    with Peer(one.answering) as a, Peer(other.answering) as b, pool(a, b) as it:
        for _ in range(100):
            it.ping()
        assert 40 <= len(one.calls) <= 60
        together(8, lambda _: [it.ping() for _ in range(100)])
        assert min(len(one.calls), len(other.calls)) > 250


def test_a_call_waits_for_a_connection_no_longer_than_it_may() -> None:
    told = Told()
    with ThreadPoolExecutor(1) as threads, Peer(told.silent) as peer, pool(peer, size=1, wait=0.05) as it:
        first = threads.submit(it.ping)
        eventually(lambda: told.calls == ["ping"])
        with pytest.raises(
            TransportError, match=r"no connection was free within 0\.05 s: 1 calls are under way"
        ) as late:
            it.ping()
        assert (late.value.phase, late.value.executed) == ("queueing", False)
        with (
            thriftserver.deadline(0.01),
            pytest.raises(TransportError, match=r"timed out after .* s while waiting for its turn") as late,
        ):
            it.ping()
        assert (late.value.phase, late.value.executed) == ("queueing", False)
        assert it.stats().queued == 2
        assert it.stats().servers[0].failed == 0
        it.close()
        peer.hang_up()
        with pytest.raises(TransportError):
            first.result()


@ONLY_SYNC
def test_who_waits_is_served_in_turn() -> None:
    """Far more threads than connections: none is left behind, and no seat is lost by those that give up."""
    with Peer(answer) as peer, pool(peer, size=2) as it, pool(peer, size=2, wait=0.0005) as hasty:
        assert together(24, lambda _: [it.ping() for _ in range(50)]) == [[7] * 50] * 24

        def often(_: int) -> None:
            for _ in range(50):
                assert outcome(hasty.ping) in (7, ("queueing", False))

        together(16, often)
        assert len(hasty.__shell__.seats.free) == 2
        assert not hasty.__shell__.seats.waiting
        assert hasty.ping() == 7


def test_a_pool_that_is_closed() -> None:
    told = Told()
    with ThreadPoolExecutor(2) as threads, Peer(told.silent) as peer:
        it = API.S.Pool("127.0.0.1", peer.port, timeout=PATIENCE, size=1)
        first = threads.submit(it.ping)
        eventually(lambda: told.calls == ["ping"])
        second = threads.submit(it.ping)
        eventually(lambda: it.stats().queued == 1)
        it.close()
        with pytest.raises(RuntimeError, match="the pool is closed"):
            second.result()
        with pytest.raises(RuntimeError, match="the pool is closed"):
            it.ping()
        peer.hang_up()
        with pytest.raises(TransportError):
            first.result()
        with pytest.raises(RuntimeError, match="the pool is closed"):
            it.ping()


def has_ended(sock: socket.socket) -> bool:
    """Wait for the end of a stream that an asyncio loop, in its thread, may see and close at any time."""
    try:
        return sock.fileno() < 0 or bool(select.select([sock], [], [], PATIENCE)[0])
    except OSError:
        return sock.fileno() < 0


def test_a_connection_that_the_server_has_closed_between_calls_is_replaced() -> None:
    def once(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))

    with Peer(once) as peer, pool(peer) as it:
        for number in range(1, 6):
            assert it.ping() == 7
            (held,) = it.__shell__.pooling.balance.endpoints[0].idle
            sock = held.channel._line.sock
            assert has_ended(sock), "the end has arrived"
            assert peer.connections == number
        assert it.stats().servers[0].failed == 0


def test_connections_are_not_kept_for_ever() -> None:
    with Peer(answer) as peer, pool(peer, max_age=0.05) as it:
        it.ping()
        time.sleep(0.06)
        it.ping()
        assert peer.connections == 2
    with Peer(answer) as peer, pool(peer, idle=0.05) as it:
        together(4, lambda _: [it.ping() for _ in range(20)])
        opened = it.stats().opened
        time.sleep(0.1)
        it.ping()
        assert it.stats().servers[0].idle == 1
        assert it.stats().opened <= opened + 1


def test_a_call_that_was_not_executed_is_made_elsewhere() -> None:
    told = Told()
    with nobody() as dead, nobody() as gone, Peer(told.answering) as peer, pool(dead, peer, gone) as it:
        for _ in range(50):
            assert it.ping() == 7
        assert told.calls == ["ping"] * 50
        stats = it.stats()
        assert stats.calls == 50
        assert 0 < stats.repeated <= 10
        assert [each.state for each in stats.servers].count("well") == 1


def test_without_any_server_the_last_error_says_how_many_were_tried() -> None:
    with nobody() as dead, nobody() as gone, pool(dead, gone) as it:
        with pytest.raises(TransportError, match=r"cannot connect to .*refused \(5 attempts\)") as caught:
            it.ping()
        assert not caught.value.executed
    with nobody() as dead, pool(dead, retries=0) as it:
        with pytest.raises(TransportError, match="refused"):
            it.ping()
        assert it.stats().repeated == 0


def test_what_may_have_been_executed_is_made_again_only_if_it_is_idempotent() -> None:
    one, other = Told(), Told()
    with Peer(one.leaving) as a, Peer(other.answering) as b, pool(a, b, eject_after=1000) as it:
        ends = [outcome(it.ping) for _ in range(20)]
        assert set(ends) == {7, ("waiting", True)}
        assert ends.count(7) == len(other.calls)
        assert len(one.calls) + len(other.calls) == 20
        assert [it.get() for _ in range(20)] == [7] * 20
        assert "get" in one.calls
        assert other.calls.count("get") == 20


def test_a_oneway_call_is_sent_once() -> None:
    told = Told()
    with nobody() as dead, Peer(told.answering) as peer, pool(dead, peer) as it:
        for _ in range(20):
            it.note()
        it.ping()
        eventually(lambda: told.calls.count("note") == 20)


def test_an_overloaded_server_is_left_for_another_one() -> None:
    told = Told()
    with Peer(shedding) as full, Peer(told.answering) as peer, pool(full, peer) as it:
        assert [it.ping() for _ in range(128)] == [7] * 128
        stats = it.stats()
        assert server(it, full).shed == stats.repeated > 0
        assert server(it, full).shed < 55, "it gets less to do"
        assert server(it, full).state == "well"
    with Peer(shedding) as full, pool(full) as it:
        with pytest.raises(ApplicationError) as caught:
            it.ping()
        assert caught.value.type == Application.LOADSHEDDING
        assert it.stats().repeated == 6


def test_repeats_are_a_share_of_the_calls() -> None:
    with Peer(shedding) as full, pool(full, retries=0.1) as it:
        begun = time.monotonic()
        with thriftserver.deadline(PATIENCE):
            together(16, lambda _: [outcome(it.ping) for _ in range(20)])
        stats = it.stats()
        assert stats.repeated < 100 + 0.1 * (320 + stats.repeated) + 10 * (time.monotonic() - begun) + 1
        assert stats.unpaid > 0
        assert stats.calls == 320


def test_all_attempts_have_the_time_of_one_call() -> None:
    told = Told()
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(told.silent)) for _ in range(3)]
        it = stack.enter_context(pool(*peers, timeout=SHORT, attempt_timeout=SHORT / 2))
        begun = time.monotonic()
        with pytest.raises(TransportError, match=r"timed out after .* \(2 attempts\)") as caught:
            it.get()
        assert SHORT * 0.9 <= time.monotonic() - begun < SHORT * 3
        assert caught.value.executed
        assert len(told.calls) == 2
        with pytest.raises(TransportError, match=r"timed out after 0\.3 s while waiting for the reply$"):
            it.ping()
        assert len(told.calls) == 3


def test_an_attempt_that_takes_too_long_leaves_time_for_another_one() -> None:
    told, well = Told(), Told()
    with Peer(told.silent) as a, Peer(well.answering) as b, pool(a, b, attempt_timeout=0.2) as it:
        assert [it.get() for _ in range(60)] == [7] * 60
        assert server(it, a).ejections == 1
        assert told.calls.count("get") == 5


def test_deadlines_that_are_over_say_nothing_of_servers() -> None:
    with Peer(answer) as a, Peer(answer) as b, pool(a, b) as it:
        it.ping()
        with thriftserver.deadline(0.01):
            time.sleep(0.02)
            for _ in range(20):
                with pytest.raises(TransportError) as caught:
                    it.ping()
                assert not caught.value.executed
        assert [each.state for each in it.stats().servers] == ["well", "well"]


class Switch:
    """A server that can be stalled: it takes calls, and answers none."""

    def __init__(self) -> None:
        self.stalled = False
        self.probes = 0
        self.calls = 0

    def __call__(self, sock: socket.socket) -> None:
        while True:
            name, seqid = take(sock)
            if self.stalled:
                continue
            if name == "__probe__":
                self.probes += 1
                sock.sendall(error(name, seqid, Application.UNKNOWN_METHOD))
            else:
                self.calls += 1
                sock.sendall(reply(name, seqid))


def test_a_server_that_stalls_is_ejected_and_taken_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "thriftserver.pool")
    switch = Switch()
    with Peer(switch) as a, Peer(answer) as b, pool(a, b, timeout=0.4, eject_for=0.2) as it:
        for _ in range(20):
            it.ping()
        assert switch.calls
        switch.stalled = True
        ends = []
        while server(it, a).state == "well":
            ends.append(outcome(it.ping))
        assert len(ends) - ends.count(7) == 5
        for _ in range(20):
            it.ping()
        switch.stalled = False
        switch.calls = 0
        eventually(lambda: it.ping() == 7 and switch.calls > 0)
        assert server(it, a).state == "well"
        assert server(it, a).ejections == 1
        assert switch.probes == 1
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2, lines
    where = f"127.0.0.1:{a.port}"
    assert lines[0].startswith(f"pool of S: {where} gets no calls for 0.")
    assert (
        f"5 calls in a row have failed, the last one: ping at {where}: timed out after 0.4 s while waiting" in lines[0]
    )
    assert lines[1] == f"pool of S: {where} answers, and gets calls again"


def test_no_call_is_lost_to_a_server_that_is_asked_whether_it_is_back() -> None:
    """It stays stalled: who asks again and again is a probe and never a call."""
    switch = Switch()
    switch.stalled = True
    with Peer(switch) as a, Peer(answer) as b, pool(a, b, timeout=0.3, eject_for=0.01) as it:
        ends = []
        while a.connections < 10:
            ends.append(outcome(it.ping))
        assert len(ends) - ends.count(7) == 5
        assert server(it, a).ejections == 1


def test_the_first_answer_of_two_counts() -> None:
    slow, fast = Told(), Told()
    with Peer(slow.silent) as a, Peer(fast.answering) as b, pool(a, b, hedge=0.02, eject_after=1000) as it:
        begun = time.monotonic()
        assert [it.get() for _ in range(10)] == [7] * 10
        assert time.monotonic() - begun < PATIENCE / 4
        stats = it.stats()
        assert stats.calls == 10
        assert stats.hedged == stats.hedges_won == slow.calls.count("get") > 0
        eventually(lambda: server(it, a).in_flight == 0)
        assert server(it, a).idle == 0, "a connection that owes an answer is closed"
    with Peer(slow.silent) as a, Peer(fast.answering) as b, pool(a, b, hedge=0.02, timeout=SHORT) as it:
        fast.calls.clear()
        ends: list[object] = []
        while ends.count(7) == len(ends):
            ends.append(outcome(it.ping))
        assert ends.count(7) == len(fast.calls)
        assert it.stats().hedged == 0


def test_a_server_that_is_outrun_again_and_again_is_ejected() -> None:
    told = Told()
    with Peer(told.silent) as a, Peer(answer) as b, pool(a, b, hedge=0.02) as it:
        while not server(it, a).ejections:
            assert it.get() == 7
        assert server(it, a).failed == it.stats().hedges_won == 5
        assert told.calls.count("get") >= 5, "and once more each time that the other one was late"


def test_the_first_attempt_may_still_win() -> None:
    def late(sock: socket.socket) -> None:
        while True:
            name, seqid = take(sock)
            time.sleep(0.06)
            sock.sendall(reply(name, seqid, value=1))

    told = Told()
    with Peer(late) as a, Peer(told.silent) as b, pool(a, b, hedge=0.02, eject_after=1000) as it:
        for _ in range(10):
            assert it.get() == 1
        eventually(lambda: sum(each.in_flight for each in it.stats().servers) == 0)
        stats = it.stats()
        assert stats.hedged > 0
        assert server(it, b).idle == 0
        assert stats.calls == 10


def test_races_in_threads_mix_no_answers() -> None:
    def uneven(sock: socket.socket) -> None:
        number = 0
        while True:
            name, seqid = take(sock)
            number += 1
            if number % 5 == 0:
                time.sleep(0.01)
            sock.sendall(reply(name, seqid))

    with Peer(uneven) as a, Peer(uneven) as b, pool(a, b, hedge=0.002, retries=1.0) as it:
        assert together(8, lambda _: {it.get() for _ in range(200)}) == [{7}] * 8
        stats = it.stats()
        assert stats.calls == 1600
        assert stats.hedged > 0
        assert sum(each.failed for each in stats.servers) == stats.hedges_won


class Names:
    """A resolver whose servers change."""

    def __init__(self, addresses: Sequence[Address]) -> None:
        self.found = addresses
        self.problem = ""
        self.asked = 0

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        self.asked += 1
        if self.problem:
            raise OSError(self.problem)
        return self.found


@pytest.fixture
def names() -> Names:
    made = Names([])
    register("names", lambda _: made)
    return made


def test_names_that_come_to_stand_for_other_servers(names: Names, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "thriftserver.pool")
    one, other = Told(), Told()
    with ExitStack() as stack:
        a, b = (stack.enter_context(Peer(told.answering)) for told in (one, other))
        with API.S.Pool("names://s", timeout=PATIENCE, refresh=0.02) as it:
            with pytest.raises(TransportError, match="there is no server to connect to") as caught:
                it.ping()
            assert (caught.value.phase, caught.value.executed) == ("resolving", False)
            names.problem = "the name server is away"
            with pytest.raises(TransportError, match="the name server is away"):
                it.ping()
            names.problem, names.found = "", [Address("127.0.0.1", a.port)]
            assert it.ping() == 7
            names.found = [Address("127.0.0.1", b.port)]
            eventually(lambda: it.ping() == 7 and "ping" in other.calls)
            assert [each.address for each in it.stats().servers] == [f"127.0.0.1:{b.port}"]
            before = len(one.calls)
            calls = it.stats().calls
            names.problem = "the name server is away"
            eventually(lambda: it.ping() == 7 and len(caplog.records) == 2)
            asked = names.asked
            eventually(lambda: it.ping() == 7 and names.asked > asked + 3)
            names.problem = ""
            eventually(lambda: it.ping() == 7 and len(caplog.records) == 3)
            assert len(one.calls) == before
            assert it.stats().calls > calls
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        f"pool of S: addresses have changed: 127.0.0.1:{b.port} added; 127.0.0.1:{a.port} gone",
        "pool of S: goes on with the addresses it has: the name server is away",
        "pool of S: its names are resolved again",
    ]


def test_a_server_that_has_moved_is_found_when_connecting_fails(names: Names) -> None:
    with nobody() as dead, Peer(answer) as peer, API.S.Pool("names://s", timeout=PATIENCE, refresh=1e6) as it:
        names.found = [Address("127.0.0.1", int(dead.rpartition(":")[2]))]
        with pytest.raises(TransportError, match="refused"):
            it.ping()
        names.found = [Address("127.0.0.1", peer.port)]

        eventually(lambda: outcome(it.ping) == 7)
        assert names.asked == 2


def test_each_address_of_a_host_is_a_server() -> None:
    with Peer(answer) as peer, API.S.Pool(f"dns://127.0.0.1:{peer.port}", timeout=PATIENCE) as it:
        assert it.ping() == 7
        assert [each.address for each in it.stats().servers] == [f"127.0.0.1:{peer.port}"]
    with API.S.Pool("dns://no-such-host.invalid", timeout=PATIENCE) as it:
        with pytest.raises(TransportError, match=r"cannot resolve no-such-host\.invalid") as caught:
            it.ping()
        assert caught.value.phase == "resolving"


@ONLY_SYNC
def test_a_forked_child_has_connections_and_seats_of_its_own() -> None:
    told = Told()

    def slow_first(sock: socket.socket) -> None:
        told.calls.append(take(sock)[0])
        told.silent(sock)

    with ThreadPoolExecutor(1) as threads, Peer(slow_first, answer) as peer, pool(peer, size=1) as it:
        call = threads.submit(it.ping)
        eventually(lambda: told.calls == ["ping"])
        child = os.fork()
        if not child:
            code = 1
            try:
                code = 0 if it.ping() == 7 and it.ping() == 7 else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert it.stats().servers[0].in_flight == 1
        peer.hang_up()
        with pytest.raises(TransportError):
            call.result()


@ONLY_SYNC
def test_interrupted_calls_leave_the_pool_in_order() -> None:
    class Interrupt(BaseException):
        pass

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        raise Interrupt

    def interrupting(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))
        take(sock)
        while not select.select([sock], [], [], 0.1)[0]:  # until the connection is closed
            signal.pthread_kill(main, signal.SIGUSR1)  # again, if it came just before the client began to wait

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        with Peer(interrupting, answer) as peer, pool(peer, size=1) as it:
            assert it.ping() == 7
            with pytest.raises(TypeError):
                it.ping(1)
            with pytest.raises(Interrupt):
                it.ping()
            assert it.stats().servers[0].idle == 0
            assert it.stats().servers[0].failed == 0
            assert it.ping() == 7
            assert it.stats().calls == 3
    finally:
        signal.signal(signal.SIGUSR1, before)
