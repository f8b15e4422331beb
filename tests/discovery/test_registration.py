"""--register: when a server is in a registry, with what, and when it is not; with real ZooKeeper and etcd."""

from __future__ import annotations

import json
import os
import pwd
import signal
import socket
from pathlib import Path

import pytest

import thriftserver
from tests.discovery.programs import Entry, Registry, kill, registrar, wait_until
from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.server.test_identity import open_folder
from tests.tls.pki import Pki
from thriftserver.discovery.records import Record
from thriftserver.discovery.registries import read_url
from thriftserver.log import Logger
from thriftserver.registrar.enrolment import Enrolment

__all__ = ["open_folder"]
DEMO = ("--idl", "demo.thrift", "--handler", "demo:Impl")


def server(folder: Path, *args: str, ttl: str = "2s", ready: bool = True) -> Server:
    return Server(*DEMO, "--register-ttl", ttl, "--control", "control", *args, cwd=folder, ready=ready)


def test_a_server_is_entered_when_it_is_ready_and_gone_before_it_drains(folder: Path, registry: Registry) -> None:
    url = registry.url("drain")
    with server(folder, "--register", url, "--register-weight", "3", "--register-version", "1.4.2") as running:
        said = running.wait("registered", registry=url)
        names = [each["event"] for each in running.events]
        assert names.index("ready") < names.index("registered")
        here = f"127.0.0.1:{running.port}"
        assert (said["address"], said["weight"], said["version"]) == (here, 3, "1.4.2")
        assert registry.entries("drain") == [Entry(here, 3, "1.4.2")]
        with socket.create_connection((running.host, running.port)) as idle:
            idle.settimeout(PATIENCE)
            running.signal(signal.SIGTERM)
            assert idle.recv(1) == b""  # the worker drains
            assert registry.entries("drain") == []
        running.wait("stopped")
        assert len(running.found("deregistered", registry=url)) == 1


def test_status_and_metrics_tell_of_registries(folder: Path, registry: Registry) -> None:
    url = registry.url("told")
    with server(folder, "--register", url, "--admin", "127.0.0.1:0") as running:
        running.wait("registered", registry=url)
        shown: list[object] = []

        def registered() -> bool:
            shown[:] = json.loads(ctl(folder, "--json", "status").stdout)["registries"]
            return shown == [{"registry": url, "registered": True, "problem": ""}]

        wait_until(registered, "ctl status tells of it")
        assert f"registries   {url} registered\n" in ctl(folder, "status").stdout
        (admin,) = running.wait("admin_listening")["addresses"]
        host, _, port = admin.rpartition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = sock.makefile().read()
    for line in ("registries 1.0", "registered 1.0", "registrations_total 1.0", "registry_losses_total 0.0"):
        assert f"\nthriftserver_{line}\n" in text


def test_one_entry_whoever_is_killed_or_takes_over(folder: Path, registry: Registry) -> None:
    url = registry.url("taken")
    with server(folder, "--register", url, ttl="30s") as running:
        running.wait("registered", registry=url)
        kill(registrar(running.pid), signal.SIGKILL)
        running.wait("registered", 2, registry=url)
        assert _known(registry, "taken") == [f"127.0.0.1:{running.port}"]
        running.upgrade()
        running.wait("registered", 3, registry=url)
        assert _known(registry, "taken") == [f"127.0.0.1:{running.port}"]
        assert running.found("deregistered") == []
        running.signal(signal.SIGTERM)
        running.wait("deregistered", registry=url)
        assert _known(registry, "taken") == []


def test_a_master_that_is_killed_is_taken_out(folder: Path, registry: Registry) -> None:
    url = registry.url("orphan")
    with server(folder, "--register", url, ttl="30s") as running:
        running.wait("registered", registry=url)
        running.process.kill()
        running.wait("deregistered", registry=url)
        assert registry.entries("orphan") == []
        assert running.found("registrar_failed") == []


def test_again_after_a_lost_session(folder: Path, registry: Registry) -> None:
    """The registrar stands still for longer than the registry waits for it."""
    url = registry.url("asleep")
    with server(folder, "--register", url, ttl="1s") as running:
        running.wait("registered", registry=url)
        here = registry.entries("asleep")
        pid = registrar(running.pid)
        kill(pid, signal.SIGSTOP)
        try:
            wait_until(lambda: registry.entries("asleep") == [], "the session is over")
        finally:
            kill(pid, signal.SIGCONT)
        wait_until(lambda: registry.entries("asleep") == here, "it is entered again")


@pytest.mark.parametrize("empty", [False, True], ids=["as it was", "empty"])
def test_again_after_a_restart_of_the_registry(folder: Path, registry: Registry, empty: bool) -> None:
    url = registry.url("restart")
    with server(folder, "--register", url) as running:
        running.wait("registered", registry=url)
        here = registry.entries("restart")
        registry.kill()
        try:
            said = running.wait("registry_unreachable", registry=url)
            assert said["reason"]
            with thriftserver.load(folder / "demo.thrift").Demo.Client(running.host, running.port) as client:
                assert client.add(1, 2) == 3
            wait_until(lambda: "not registered" in ctl(folder, "status").stdout, "its time is over")
        finally:
            registry.start(empty=empty)
        wait_until(lambda: registry.entries("restart") == here, "it is entered again")


def test_a_registry_that_hangs_delays_no_stop_for_long(folder: Path, registry: Registry) -> None:
    url = registry.url("hangs")
    with server(folder, "--register", url, ttl="3s") as running:
        running.wait("registered", registry=url)
        registry.freeze()
        try:
            running.signal(signal.SIGTERM)
            running.wait("stopped")
        finally:
            registry.thaw()
        assert running.found("deregister_failed", registry=url)[0]["reason"]
        wait_until(lambda: registry.entries("hangs") == [], "the registry forgets it")


def test_a_reload_tells_what_has_changed_and_a_rest_takes_it_out(folder: Path, registry: Registry) -> None:
    url, other = registry.url("reload"), registry.url("other")
    config = folder / "server.toml"
    config.write_text(f'register = ["{url}"]\n')
    with server(folder, "--config", "server.toml") as running:
        running.wait("registered", registry=url)
        here = f"127.0.0.1:{running.port}"
        config.write_text(f'register = ["{url}", "{other}"]\nregister-weight = 7\n')
        running.signal(signal.SIGHUP)
        running.wait("registered", registry=url, weight=7)
        running.wait("registered", registry=other, weight=7)
        assert registry.entries("reload") == [Entry(here, 7, "")]
        assert not running.found("deregistered")

        config.write_text("")
        running.signal(signal.SIGHUP)
        running.wait("deregistered", registry=url)
        running.wait("deregistered", registry=other)
        assert registry.entries("reload") == registry.entries("other") == []

        config.write_text(f'register = ["{url}"]\n')
        running.signal(signal.SIGHUP)
        running.wait("registered", 2, registry=url, weight=1)
        running.signal(signal.SIGWINCH)
        running.wait("deregistered", 2, registry=url)
        assert registry.entries("reload") == []
        running.signal(signal.SIGTTIN)
        running.wait("registered", 3, registry=url, weight=1)
        assert registry.entries("reload") == [Entry(here, 1, "")]


def test_what_is_told_is_where_clients_reach_it(folder: Path, registry: Registry) -> None:
    url = registry.url("where")
    everywhere = server(folder, "--bind", "0.0.0.0:0", "--register", url)
    with everywhere as running:  # as the way to the registry has it
        assert running.wait("registered")["address"] == f"127.0.0.1:{running.port}"
    given = server(folder, "--register", url, "--register-address", "users.internal:81")
    with given as running:
        assert running.wait("registered")["address"] == "users.internal:81"
        assert registry.entries("where") == [Entry("users.internal:81", 1, "")]
    pki = Pki(folder)
    pki.issue("server", "localhost")
    both = ("--bind", "plain:127.0.0.1:0", "--bind", "127.0.0.1:0")
    secured = server(folder, *both, "--register", url, *pki.options())
    with secured as running:
        (tls,) = running.wait("listening")["tls"]
        assert running.wait("registered")["address"] == tls


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_registrar_gives_up_root(open_folder: Path, registry: Registry) -> None:
    """And reaches a registry all the same, where Python itself is readable for root alone."""
    url = registry.url("nobody")
    with server(open_folder, "--register", url, "--user", "nobody", "--bind", "0.0.0.0:0") as running:
        running.wait("registered", registry=url)
        status = Path(f"/proc/{registrar(running.pid)}/status").read_text()
        assert f"Uid:\t{pwd.getpwnam('nobody').pw_uid}\t" in status


def test_usr1_opens_the_log_anew_in_the_registrar_too(folder: Path, registry: Registry) -> None:
    url, log = registry.url("log"), folder / "log"
    config = folder / "server.toml"
    config.write_text("")
    running = server(folder, "--register", url, "--config", "server.toml", "--log-file", "log", ready=False)
    with running:
        wait_until(lambda: log.exists() and '"registered"' in log.read_text(), "it is registered")
        log.rename(folder / "old")
        running.signal(signal.SIGUSR1)
        wait_until(log.exists, "the log is opened anew")
        config.write_text("register-weight = 2\n")
        running.signal(signal.SIGHUP)
        wait_until(lambda: '"registered"' in log.read_text(), "the registrar writes there")
        assert (folder / "old").read_text().count('"registered"') == 1


def test_one_entry_for_a_machine_whose_address_changes(registry: Registry) -> None:
    """As where it listens on all interfaces, and gets another address."""
    news: list[str] = []
    enrolment = Enrolment(read_url(registry.url("moves")), 30.0, Logger(), news.append)
    for host in ("10.0.0.1", "10.0.0.2"):
        enrolment.want(Record(host, 9090))
        wait_until(lambda host=host: _known(registry, "moves") == [f"{host}:9090"], f"{host} is all that is known")
    enrolment.leave()
    assert enrolment.has_left(PATIENCE)
    assert _known(registry, "moves") == []
    assert news == ["registered", "registered", "deregistered"]


def _known(registry: Registry, path: str) -> list[str]:
    return [each.address for each in registry.entries(path)]
