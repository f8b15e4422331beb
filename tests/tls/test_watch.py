"""--cert-watch: files that change are read when they are whole; and the keeper is watched over."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.load import Load, Newcomers
from tests.server.raw import message, version
from tests.server.services import ARGS
from tests.tls.pki import Pki, TlsPeer
from tests.tls.test_changes import keeper_of, shown
from thriftserver.config import Settings
from thriftserver.master.freshness import GRACE, PERIOD, Freshness, stamps

WATCH = "--cert-watch"


def into(pki: Pki, folder: str) -> None:
    """A new pair, under the server's names, in a folder of its own."""
    pki.issue("fresh", "localhost")
    (pki.folder / folder).mkdir()
    for end in ("pem", "key"):
        (pki.folder / f"fresh.{end}").rename(pki.folder / folder / f"server.{end}")


def link(name: Path, to: str) -> None:
    """Put a symbolic link in the place of another one."""
    fresh = name.with_name(f".{name.name}.new")
    fresh.symlink_to(to)
    fresh.rename(name)


def like_certbot(pki: Pki, number: int) -> None:
    """``live/`` links each file to one in ``archive/``."""
    into(pki, f"archive{number}")
    for name in ("server.pem", "server.key"):
        link(pki.folder / name, f"archive{number}/{name}")


def like_a_volume(pki: Pki, number: int) -> None:
    """Kubernetes swaps a link to the folder that holds all files."""
    into(pki, f"..{number}")
    link(pki.folder / "..data", f"..{number}")
    if number == 1:
        for name in ("server.pem", "server.key"):
            link(pki.folder / name, f"..data/{name}")


def in_place(pki: Pki, number: int) -> None:
    pki.issue("server", "localhost")


@pytest.mark.parametrize("put", [like_certbot, like_a_volume, in_place])
def test_new_files_are_served_under_load_without_a_reload(pki: Pki, put: Callable[[Pki, int], None]) -> None:
    put(pki, 1)
    with Server(*ARGS, *pki.options(), WATCH, cwd=pki.folder) as server, TlsPeer(server, pki.client()) as early:
        keeper, before = keeper_of(server), shown(server, pki)
        with Load(server, 8, tls=pki.client()) as load, Newcomers(server, pki.client()) as newcomers:
            put(pki, 2)
            assert keeper_of(server, 2) == keeper
            assert shown(server, pki) != before
        assert load.clean(), load
        assert newcomers.failures == []
        assert version(early) == b"1"
        assert sorted(server.wait("certificates_changed")["files"]) == ["server.key", "server.pem"]
        assert not server.found("reloading")


def test_a_broken_pair_is_one_rejected_reload_and_the_old_one_goes_on(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), WATCH, cwd=pki.folder) as server:
        before = shown(server, pki)
        good = (pki.folder / "server.key").read_bytes()
        pki.issue("other", "other.example.com")
        (pki.folder / "other.key").rename(pki.folder / "server.key")
        told = server.wait("reload_rejected")
        assert "the key in server.key does not belong to the certificate in server.pem" in told["reason"]
        assert told["files"] == ["server.key"]
        assert shown(server, pki) == before
        os.kill(keeper_of(server), signal.SIGKILL)
        server.wait("certificates_loaded", 2)
        assert shown(server, pki) == before
        (pki.folder / "server.key").write_bytes(good)
        pki.issue("server", "localhost")
        server.wait("certificates_loaded", 3)
        assert shown(server, pki) != before
        assert len(server.found("reload_rejected")) == 1


def test_a_reload_reads_what_has_changed_and_it_is_not_read_twice(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), WATCH, cwd=pki.folder) as server:
        before = shown(server, pki)
        pki.issue("server", "localhost")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("certificates_loaded", 2)
        assert shown(server, pki) != before
        pki.issue("server", "localhost")
        server.wait("certificates_loaded", 3)
        assert len(server.found("certificates_changed")) <= 2


def test_without_tls_there_is_nothing_to_watch(folder: Path) -> None:
    assert "--cert-watch needs --certfile" in run(folder, "run", *ARGS, WATCH).stderr


# When a change counts, by a clock of the test's own.


class Watched:
    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, 1000.0
        self.settings = Settings(
            certfile=(str(folder / "a"),), keyfile=(str(folder / "b"),), key_passphrase=f"file:{folder / 'c'}"
        )
        for name in "abc":
            self.write(name, "1")
        self.freshness = Freshness(stamps(self.settings))

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.with_suffix(".new").write_text(text)
        path.with_suffix(".new").rename(path)

    def looks(self, seconds: float = PERIOD) -> str:
        """The names of the files that have to be read within this time, as soon as they have to be."""
        end = self.now + seconds
        while self.now < end:
            self.now += PERIOD / 2
            if found := self.freshness.look(self.now, self.settings):
                return "".join(Path(path).name for path in found)
        return ""


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


def test_what_has_not_changed_is_never_read(watched: Watched) -> None:
    assert watched.looks(1000) == ""


def test_a_change_is_read_once_it_has_stood_for_a_look(watched: Watched) -> None:
    watched.write("a", "2")
    watched.write("c", "2")
    assert watched.looks() == ""
    assert watched.looks() == "ac"
    watched.freshness.took()
    assert watched.looks(1000) == ""


def test_files_that_go_on_changing_are_left_alone(watched: Watched) -> None:
    for number in range(10):
        watched.write("a", str(number))
        assert watched.looks() == ""
    assert watched.looks() == "a"


def test_half_of_a_pair_is_no_error_when_the_other_half_comes(watched: Watched) -> None:
    watched.write("a", "2")
    assert watched.looks(2 * PERIOD) == "a"
    assert not watched.freshness.failed(watched.now)
    watched.write("b", "2")
    assert watched.looks() == ""
    assert watched.looks() == "ab"
    watched.freshness.took()
    assert watched.looks(1000) == ""


def test_a_broken_pair_is_tried_twice_and_told_once(watched: Watched) -> None:
    watched.write("a", "2")
    assert watched.looks(2 * PERIOD) == "a"
    assert not watched.freshness.failed(watched.now)
    assert watched.looks(GRACE) == "a"
    assert watched.freshness.failed(watched.now)
    assert watched.looks(1000) == ""
    (watched.folder / "a").unlink()
    assert watched.looks(2 * PERIOD) == "a"


def test_what_was_put_back_meanwhile_is_no_change(watched: Watched) -> None:
    (watched.folder / "a").rename(watched.folder / "kept")
    assert watched.looks() == ""
    (watched.folder / "kept").rename(watched.folder / "a")
    assert watched.looks(1000) == ""


def test_what_a_reload_has_read_is_known(watched: Watched) -> None:
    watched.write("a", "2")
    watched.freshness.renew(stamps(watched.settings))
    assert watched.looks(1000) == ""


# The keeper.


def test_a_hung_keeper_is_noticed_and_replaced(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "--timeout", "2", cwd=pki.folder) as server:
        with TlsPeer(server, pki.client()) as lost:
            assert version(lost)
            os.kill(keeper_of(server), signal.SIGSTOP)
            hung = server.wait("auxiliary_hung")
            assert (hung["auxiliary"], hung["keeper"]) == ("keeper", keeper_of(server))
            assert hung["silence_s"] > 2
            gone = server.wait("auxiliary_exit")
            assert (gone["code"], gone["connections"]) == (-signal.SIGKILL, 1)
        server.wait("certificates_loaded", 2)
        with TlsPeer(server, pki.client()) as peer:
            assert peer.ask(message("pid"))
        assert len(server.found("auxiliary_hung")) == 1


def test_a_keeper_that_has_nothing_to_do_is_not_hung(pki: Pki) -> None:
    with Server(*ARGS, *pki.options(), "--timeout", "2", "--control", "control", cwd=pki.folder) as server:
        keeper = keeper_of(server)
        os.kill(next(each for each in server.workers() if each != keeper), signal.SIGSTOP)
        server.wait("worker_exit")  # the hung worker was noticed, with the same limit: time enough has passed
        assert not server.found("auxiliary_hung")
        with TlsPeer(server, pki.client()) as peer:
            assert version(peer)
