"""``systemctl restart`` and ``stop``: what the store carries over, and what happens when nobody takes it."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.harness import PATIENCE
from tests.load import Load, Newcomers
from tests.server.raw import REPLY, Peer, add, field, message, text
from tests.server.services import COUNTING, HANDLER, executed
from tests.systemd.service import CONFIG, Service
from tests.tls.pki import Pki

Make = Callable[..., Service]


def ask_add(peer: Peer) -> int:
    answer = peer.ask(message("add", add(20, 22)))
    assert answer is not None, "the connection was dropped"
    assert answer.kind == REPLY
    result: int = struct.unpack_from(">i", answer.body, 3)[0]
    return result


@pytest.mark.timeout(300)
def test_restarts_under_load_refuse_drop_and_lose_nothing(service: Make) -> None:
    it = service()
    it.systemctl("start")
    with Newcomers(it) as newcomers:
        with Load(it, 16) as load:
            for _ in range(5):
                before, calls = it.pid, load.calls
                it.systemctl("restart")
                assert it.pid != before
                it.eventually(lambda calls=calls: load.calls > calls + 100, "calls")  # type: ignore[misc]
        assert load.clean(), load
    assert not newcomers.failures
    assert newcomers.served > 5
    kept = [each["connections"] for each in it.found("connections_kept")]
    assert len(kept) == 5
    assert min(kept) >= 16
    assert [each["connections"] for each in it.found("connections_inherited")] == kept
    assert it.show("NFileDescriptorStore") == "1", "the listener alone"
    assert not it.found("connections_not_kept")


def test_what_a_client_has_sent_of_its_next_call_is_carried_over(service: Make) -> None:
    it = service()
    it.systemctl("start")
    with Peer(it) as idle, Peer(it) as half, Peer(it) as large, Peer(it) as busy:
        point = field(11, 2, text("x" * 300_000)) + b"\0"
        small, big = message("add", add(20, 22)), message("echo", field(12, 1, point) + b"\0")
        assert [ask_add(each) for each in (idle, half, large, busy)] == [42] * 4
        half.send(small[:9])
        large.send(big[:200_000])
        busy.send(message("nap", field(4, 1, struct.pack(">d", 0.5)) + b"\0", seqid=1) + small)
        it.eventually(lambda: "napping" in [each["event"] for each in it.journal()], "nap")
        it.systemctl("restart")
        half.send(small[9:])
        large.send(big[200_000:])
        assert ask_add(idle) == 42
        for peer in (half, large):
            answer = peer.answer()
            assert answer is not None
            assert answer.seqid == 7
        first, second = busy.answer(), busy.answer()
        assert first is not None
        assert second is not None
        assert (first.seqid, second.seqid) == (1, 7)


def test_a_stop_answers_what_was_executed_and_says_good_bye(service: Make) -> None:
    it = service(HANDLER + COUNTING)
    it.systemctl("start")
    with Load(it, 16) as load, Peer(it) as idle:
        it.eventually(lambda: load.calls > 500, "calls")
        where = (it.host, it.port)
        it.systemctl("stop")
        assert idle.rest() == b""
    assert load.calls == executed(it.folder) > 500, load
    assert it.show("ActiveState") == "inactive"
    assert it.show("Result") == "success"
    assert not it.found("connections_kept"), "nobody will take them"
    assert not it.found("worker_killed")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(where, PATIENCE)


def test_a_stop_is_a_stop_when_only_the_unit_s_own_command_can_ask(service: Make) -> None:
    """As with DynamicUser."""
    it = service()
    command = it.machine.run("grep", "^ExecStart=", f"/etc/systemd/system/{it.template}").stdout.removeprefix(
        "ExecStart="
    )
    it.drop_in(it.unit, f"[Service]\nExecStart=\nExecStart=/usr/bin/env PATH=/nowhere {command}")
    it.systemctl("start")
    with Peer(it) as idle, Peer(it) as busy:
        assert ask_add(idle) == 42
        busy.send(message("nap", field(4, 1, struct.pack(">d", -1)) + b"\0"))
        it.eventually(lambda: "napping" in [each["event"] for each in it.journal()], "nap")
        stop = threading.Thread(target=it.systemctl, args=("stop",))
        stop.start()
        assert idle.rest() == b"", "though another call still runs"
        (it.folder / "wake").touch()
        assert busy.answer() is not None
        stop.join()
    assert not it.found("connections_kept")
    it.systemctl("start")
    with Peer(it) as peer:
        assert ask_add(peer) == 42
        it.systemctl("restart")
        assert ask_add(peer) == 42


def test_a_stop_that_looks_like_a_restart_answers_what_was_executed_too(service: Make) -> None:
    """Nobody but root can ask systemd without a message bus."""
    it = service(HANDLER + COUNTING, unit="[Service]\nEnvironment=PATH=/nowhere\n")
    it.systemctl("start")
    with Load(it, 16) as load, Peer(it) as idle:
        it.eventually(lambda: load.calls > 500, "calls")
        it.systemctl("stop")
        assert idle.rest() == b""
    assert load.calls == executed(it.folder) > 500, load
    assert it.found("connections_kept")
    assert it.show("NFileDescriptorStore") == "0"


def test_what_the_store_has_no_room_for_is_closed_and_told_once(service: Make) -> None:
    it = service(unit="[Service]\nFileDescriptorStoreMax=2\nEnvironment=FDSTORE=2\n")
    it.systemctl("start")
    kept = kept_over_a_restart(it, 700)
    assert kept > 100, "one descriptor for the listener, and one for a queue"
    assert len(it.found("connections_not_kept")) == 1


def test_what_the_user_s_limit_has_no_room_for_is_closed_and_told_before(service: Make) -> None:
    """The kernel counts the descriptors under way per user, and what the store keeps is under way."""
    it = service(unit="[Service]\nLimitNOFILE=120\n", config=CONFIG + "max_connections = 90\n")
    it.systemctl("start")
    (told,) = it.found("connections_kept_limited")
    assert (told["most"], told["max_connections"]) == (120, 180)
    kept = kept_over_a_restart(it, 160)
    assert 60 < kept <= 121


def kept_over_a_restart(it: Service, size: int) -> int:
    """Restart with so many connections; how many were kept. All others are closed cleanly, and counted."""
    where = (it.host, it.port)
    with ExitStack() as stack:
        crowd = [stack.enter_context(socket.create_connection(where, PATIENCE)) for _ in range(size)]
        for each in crowd:
            each.sendall(message("add", add(20, 22)))
        length = len(crowd[0].recv(4096))
        assert all(len(each.recv(length, socket.MSG_WAITALL)) == length for each in crowd[1:])
        it.systemctl("restart")
        (kept,) = it.found("connections_kept")
        refused = sum(each["connections"] for each in it.found("connections_not_kept"))
        assert kept["connections"] + refused == size
        gone = 0
        for each in crowd:
            each.sendall(message("add", add(20, 22)))
            gone += each.recv(length, socket.MSG_WAITALL) == b""
        assert gone == refused
        assert not it.found("calls_cut")
    count: int = kept["connections"]
    return count


def test_without_a_store_a_restart_closes_connections_politely(service: Make) -> None:
    it = service(HANDLER + COUNTING, unit="[Service]\nFileDescriptorStoreMax=0\nUnsetEnvironment=FDSTORE\n")
    it.systemctl("start")
    with Load(it, 4) as load:
        it.eventually(lambda: load.calls > 100, "calls")
        it.systemctl("restart")
    assert load.dropped == 4
    assert load.calls == executed(it.folder)
    assert not it.found("connections_kept")
    assert not [line for line in it.manager() if "descriptor" in line], (
        "nothing is offered to a store that is not there"
    )


def test_the_limit_is_asked_for_where_systemd_does_not_say_it(service: Make) -> None:
    it = service(unit="[Service]\nUnsetEnvironment=FDSTORE\n")
    it.systemctl("start")
    with Peer(it) as peer:
        assert ask_add(peer) == 42
        it.systemctl("restart")
        assert ask_add(peer) == 42


def test_a_start_that_fails_leaves_the_connections_to_the_next_one(service: Make) -> None:
    failing = "import os\ntry:\n    os.unlink('bad')\nexcept FileNotFoundError:\n    pass\nelse:\n    os._exit(9)\n"
    it = service(failing + HANDLER)
    it.systemctl("start")
    with Peer(it) as idle, Peer(it) as half:
        assert ask_add(idle) == ask_add(half) == 42
        half.send(message("add", add(20, 22))[:9])
        (it.folder / "bad").touch()
        it.systemctl("restart", check=False)
        it.eventually(lambda: it.show("ActiveState") == "active", "second start")
        half.send(message("add", add(20, 22))[9:])
        assert half.answer() is not None
        assert ask_add(idle) == 42
    assert it.show("NRestarts") == "1"


def test_a_killed_master_s_listener_is_used_again_and_its_connections_are_gone(service: Make) -> None:
    it = service()
    it.systemctl("start")
    with Peer(it) as peer, Newcomers(it) as newcomers:
        assert ask_add(peer) == 42
        it.systemctl("restart")
        port = it.port
        assert ask_add(peer) == 42
        it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", it.unit)
        assert peer.rest() == b"", "one whose state nobody knows is never served by another master"
        it.eventually(lambda: it.show("NRestarts") == "1" and it.show("ActiveState") == "active", "restart")
        assert it.port == port
    # What the dead one's workers had accepted may have been lost; nobody was refused.
    assert not [each for each in newcomers.failures if "Refused" in each]


def test_an_address_that_is_not_wanted_any_more_is_dropped_from_the_store(service: Make) -> None:
    it = service(config=CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:old", "unix:kept"'))
    it.systemctl("start")
    assert it.show("NFileDescriptorStore") == "3"
    port = it.port
    with connected(it.folder / "old") as old, connected(it.folder / "kept") as kept:
        it.configure(CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:kept"'))
        it.systemctl("restart")
        assert it.port == port
        (unused,) = it.found("socket_unused")
        assert "old" in unused["address"]
        assert it.show("NFileDescriptorStore") == "2"
        assert not (it.folder / "old").exists()
        # What listens no more has clients still.
        for sock in (old, kept):
            sock.sendall(message("add", add(20, 22)))
            assert sock.recv(4096)
    with connected(it.folder / "kept") as again:
        again.sendall(message("add", add(20, 22)))
        assert again.recv(4096)
    it.systemctl("stop")
    assert not (it.folder / "kept").exists()


def test_a_unix_socket_whose_file_is_gone_is_bound_anew(service: Make) -> None:
    it = service(config=CONFIG.replace("127.0.0.1:0", "unix:here"))
    it.systemctl("start")
    (it.folder / "here").unlink()
    it.systemctl("restart")
    with connected(it.folder / "here") as sock:
        sock.sendall(message("add", add(20, 22)))
        assert sock.recv(4096)


def test_a_restart_waits_for_the_calls_that_run(service: Make) -> None:
    it = service()
    it.systemctl("start")
    with Peer(it) as busy, Peer(it) as idle:
        busy.send(message("nap", field(4, 1, struct.pack(">d", -1)) + b"\0"))
        it.eventually(lambda: "napping" in [each["event"] for each in it.journal()], "nap")
        restart = threading.Thread(target=it.systemctl, args=("restart",))
        restart.start()
        it.eventually(lambda: it.show("StatusText") == "finishing what runs", "status")
        idle.send(message("add", add(20, 22)))
        (it.folder / "wake").touch()
        assert busy.answer() is not None
        assert idle.answer() is not None
        restart.join()


@contextmanager
def connected(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(str(path))
        yield sock


def test_a_restart_ends_tls_connections_between_calls_and_refuses_nobody(service: Make) -> None:
    it = service(HANDLER + COUNTING)
    pki = Pki(it.folder)
    it.configure(CONFIG + 'certfile = ["server.pem"]\nkeyfile = ["server.key"]\n')
    it.systemctl("start")
    with Load(it, 8, reconnect=True, tls=pki.client()) as load:
        for _ in range(3):
            calls = load.calls
            it.eventually(lambda calls=calls: load.calls > calls + 100, "calls")  # type: ignore[misc]
            it.systemctl("restart")
        calls = load.calls
        it.eventually(lambda: load.calls > calls + 100, "calls of the last master's")
    assert (load.wrong, load.refused) == ([], 0)
    assert load.calls == executed(it.folder), "a call that was executed was answered"
    assert len(load.lost) <= 3 * 8 * 2, "each connection at a restart; twice, when it was being made anew"
    assert sum(each["connections"] for each in it.found("tls_connections_ended")) >= 3
    assert not it.found("connections_kept")
