"""What TLS keeps while things change: certificates, workers, masters, the keeper itself."""

from __future__ import annotations

import os
import select
import signal
import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from tests.harness import Server
from tests.load import Load, Newcomers
from tests.server.raw import Peer, message, note, version
from tests.server.services import ARGS, HANDLER, write_demo
from tests.server.test_systemd import Systemd
from tests.tls.pki import Pki, TlsPeer
from thriftserver.cli.ctl import CommandRefused, ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER)


def keeper_of(server: Server, count: int = 1) -> int:
    """The pid of the keeper that has loaded its certificates as the ``count``-th."""
    pid: int = server.wait("certificates_loaded", count)["pid"]
    return pid


def shown(server: Server, pki: Pki) -> bytes:
    """The certificate that a new client sees."""
    with TlsPeer(server, pki.client()) as peer:
        assert version(peer)
        return peer.shown


# Reloads.


def reload_often(pki: Pki, times: int) -> None:
    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server:
        keeper = keeper_of(server)
        with Load(server, 16, tls=pki.client()) as load, Newcomers(server, pki.client()) as newcomers:
            for number in range(1, times + 1):
                server.signal(signal.SIGHUP)
                server.wait("reloaded", number)
        assert load.clean(), load
        assert load.calls > 100
        assert newcomers.served
        assert newcomers.failures == []
        assert {each["pid"] for each in server.found("certificates_loaded")} == {keeper}


def test_reloads_under_load_lose_no_tls_connection(pki: Pki) -> None:
    reload_often(pki, 3)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_fifty_reloads_under_load_lose_no_tls_connection(pki: Pki) -> None:
    reload_often(pki, 50)


def test_a_reload_brings_new_certificates_to_new_connections(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, TlsPeer(server, pki.client()) as early:
        with Load(server, 8, tls=pki.client()) as load, Newcomers(server, pki.client()) as newcomers:
            before = shown(server, pki)
            pki.issue("server", "localhost", "127.0.0.1")
            assert shown(server, pki) == before
            server.signal(signal.SIGHUP)
            server.wait("certificates_loaded", 2)
            assert shown(server, pki) != before
        assert load.clean(), load
        assert newcomers.failures == []
        assert version(early) == b"1"


def test_a_broken_pair_is_a_rejected_reload_and_the_old_one_goes_on(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "--control", "control", cwd=pki.folder) as server:
        before = shown(server, pki)
        pki.issue("other", "other.example.com")
        (pki.folder / "other.key").rename(pki.folder / "server.key")
        said = "the key in server.key does not belong to the certificate in server.pem"
        with pytest.raises(CommandRefused, match=said):
            ask(str(pki.folder / "control"), command="reload")
        assert said in server.wait("reload_rejected")["reason"]
        assert shown(server, pki) == before
        os.kill(keeper_of(server), signal.SIGKILL)  # the next one has the pair in force, not the one on disk
        server.wait("certificates_loaded", 2)
        assert shown(server, pki) == before


def test_a_reload_that_fails_for_another_reason_brings_no_certificates(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        before = shown(server, pki)
        pki.issue("server", "localhost")
        write_demo(pki.folder, "def broken(:\n")
        server.signal(signal.SIGHUP)
        server.wait("reload_rejected")
        assert shown(server, pki) == before
        write_demo(pki.folder)
        server.signal(signal.SIGHUP)
        server.wait("certificates_loaded", 2)
        assert shown(server, pki) != before


def test_a_reload_changes_who_is_let_in_but_not_whether_there_is_tls(pki: Pki) -> None:
    config = pki.folder / "config.toml"
    pair = 'certfile = ["server.pem"]\nkeyfile = ["server.key"]\n'
    config.write_text(pair)
    with Server(*ARGS, "--config", "config.toml", cwd=pki.folder) as server:
        assert shown(server, pki)
        config.write_text(pair + 'tls = "auto"\n')
        server.signal(signal.SIGHUP)
        server.wait("certificates_loaded", 2)
        with Peer(server) as plain:
            assert version(plain) == b"1"
        config.write_text("")
        server.signal(signal.SIGHUP)
        assert server.wait("reload_ignores")["option"] == "certfile"
        server.wait("reloaded", 2)
        assert shown(server, pki)


# Workers and masters.


def test_workers_that_come_and_go_lose_no_tls_connection(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "-w", "2", "--control", "control", cwd=pki.folder) as server:
        keeper = keeper_of(server)
        with Load(server, 16, tls=pki.client()) as load:
            for number in range(1, 4):
                server.signal(signal.SIGTTIN)
                server.wait("worker_ready", 2 + number)
                server.signal(signal.SIGTTOU)
                server.wait("worker_exit", number, code=0)
            pid = next(each for each in server.workers() if each != keeper)
            ask(str(pki.folder / "control"), command="drain", pid=pid)
            server.wait("worker_exit", pid=pid, code=0)
        assert load.clean(), load


def test_a_worker_that_is_killed_takes_its_own_connections_alone_with_it(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server:
        peers = [TlsPeer(server, pki.client()) for _ in range(8)]
        places = {each: each.ask(message("pid")) for each in peers}
        pids = {each: int.from_bytes(answer.body[3:7], "big") for each, answer in places.items() if answer}
        victim = pids[peers[0]]
        assert len(set(pids.values())) == 2
        os.kill(victim, signal.SIGKILL)
        assert server.wait("connections_lost")["count"] == list(pids.values()).count(victim)
        for each, pid in pids.items():
            if pid == victim:
                assert each.sock.recv(1) == b""  # with a good-bye inside TLS
            else:
                assert version(each) == b"1"
            each.sock.close()


def upgrade_often(pki: Pki, times: int) -> None:
    with Server(*ARGS, *pki.options(), "-w", "2", cwd=pki.folder) as server:
        with Load(server, 16, tls=pki.client()) as load, Newcomers(server, pki.client()) as newcomers:
            for _ in range(times):
                server.upgrade()
        assert load.clean(), load
        assert load.calls > 100
        assert newcomers.served
        assert newcomers.failures == []
        assert server.stop() == 0


def test_upgrades_under_load_lose_no_tls_connection(pki: Pki) -> None:
    upgrade_often(pki, 2)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_twenty_upgrades_under_load_lose_no_tls_connection(pki: Pki) -> None:
    upgrade_often(pki, 20)


def test_an_upgrade_leaves_the_old_keeper_with_its_connections_until_they_end(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        with TlsPeer(server, pki.client()) as early:
            old = os.pidfd_open(keeper_of(server))
            pki.issue("server", "localhost")
            server.upgrade()
            assert keeper_of(server, 2) != keeper_of(server)
            assert shown(server, pki) != early.shown
            assert version(early) == b"1"
            assert not ends(old, 0)
        assert ends(old, 60)
        os.close(old)


def test_an_upgrade_to_a_broken_pair_changes_nothing(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server:
        before = shown(server, pki)
        (pki.folder / "server.pem").write_text("nothing")
        server.signal(signal.SIGUSR2)
        assert "server.pem holds no certificate in PEM" in server.wait("upgrade_failed")["reason"]
        assert shown(server, pki) == before


def ends(process: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def test_a_master_that_is_killed_leaves_what_runs_to_its_end_and_the_port_free(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), cwd=pki.folder) as server, TlsPeer(server, pki.client()) as busy:
        busy.send(message("nap", b"\x04\0\1\xbf\xf0" + bytes(6) + b"\0"))
        server.wait("napping")
        keeper = os.pidfd_open(keeper_of(server))
        address = ("-b", server.addresses[0])
        server.process.kill()
        server.process.wait()
        with Server(*ARGS, *pki.options(), *address, cwd=pki.folder) as another:
            assert shown(another, pki)
        assert not ends(keeper, 0)
        (pki.folder / "wake").touch()
        assert busy.answer() is not None
        assert busy.sock.recv(1) == b""
        busy.sock.close()
        assert ends(keeper, 60)
        os.close(keeper)


# The keeper itself.


def test_a_keeper_that_is_killed_is_one_event_and_there_again_at_once(pki: Pki) -> None:
    addresses = ("-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0")
    with Server(*ARGS, *pki.options(), *addresses, cwd=pki.folder) as server:
        peers = [TlsPeer(server, pki.client()) for _ in range(3)]
        assert all(version(each) for each in peers)
        os.kill(keeper_of(server), signal.SIGKILL)
        gone = server.wait("auxiliary_exit")
        assert (gone["auxiliary"], gone["code"], gone["connections"]) == ("keeper", -signal.SIGKILL, 3)
        server.wait("certificates_loaded", 2)
        assert shown(server, pki)
        assert [each["event"] for each in server.events if each["level"] == "error"] == ["auxiliary_exit"]
        for each in peers:
            with suppress(ssl.SSLError):  # no good-bye inside TLS
                assert each.rest() == b""
            each.sock.close()


def test_calls_of_a_killed_keeper_s_clients_are_over_and_others_go_on(pki: Pki) -> None:
    addresses = ("-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0")
    with Server(*ARGS, *pki.options(), *addresses, cwd=pki.folder) as server:
        where = server.addresses[1]
        plain = Plain(where)
        with Load(plain, 4) as load, TlsPeer(server, pki.client()) as peer:
            assert version(peer)
            os.kill(keeper_of(server), signal.SIGKILL)
            server.wait("certificates_loaded", 2)
        assert load.clean(), load
        note(plain, "over")


class Plain:
    """One of a server's addresses."""

    def __init__(self, address: str) -> None:
        self.host, _, port = address.rpartition(":")
        self.port = int(port)


# systemd.


def test_a_restart_by_systemd_ends_tls_connections_between_calls_and_keeps_the_others(pki: Pki, tmp_path: Path) -> None:
    """Without systemctl a stop looks like a restart."""
    addresses = ("-b", "127.0.0.1:0", "-b", "plain:127.0.0.1:0")
    with Systemd(str(tmp_path / "notify")) as systemd:
        env = systemd.env | {"FDSTORE": "9", "PATH": "/nowhere"}
        with Server(*ARGS, *pki.options(), *addresses, "-w", "2", cwd=pki.folder, env=env) as server:
            secured = [TlsPeer(server, pki.client()) for _ in range(3)]
            with Peer(Plain(server.addresses[1])) as plain:
                assert all(version(each) for each in (*secured, plain))
                busy = secured[0]
                busy.send(message("nap", b"\x04\0\1\xbf\xf0" + bytes(6) + b"\0"))
                server.wait("napping")
                server.signal(signal.SIGTERM)
                for each in secured[1:]:
                    assert each.sock.recv(1) == b""  # a good-bye inside TLS
                (pki.folder / "wake").touch()
                assert busy.answer() is not None
                assert busy.sock.recv(1) == b""
                systemd.wait(lambda found: "BARRIER" in found)
                assert server.exit_code() == 0
                assert server.wait("connections_kept")["connections"] == 1
                assert server.wait("tls_connections_ended")["connections"] == 3
            for each in secured:
                each.sock.close()
            for _, descriptor in systemd.stored:
                os.close(descriptor)
