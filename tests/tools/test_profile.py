"""``thriftserver ctl profile``: where the CPU of a real worker goes, and the page that shows it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.support import ROOT, need
from thriftserver.profiling.page import page
from thriftserver.profiling.profile import OURS, OUTSIDE, Frame, Profile, Stack
from thriftserver.profiling.speedscope import speedscope

IDL = """
service Busy {
  i32 spin(1: string until)
  i32 thread(1: string until)
  i32 task(1: string until)
  double turn()
  i32 add(1: i32 a, 2: i32 b)
}
"""
HANDLER = """
import os, sys
import thriftserver

def burn(until):
    rounds = 0
    while not os.path.exists(until):
        rounds = sum(range(100_000)) and rounds + 1  # here
    return min(rounds, 1000)

class Impl:
    def spin(self, until):
        open(until + "-began", "w").close()
        return burn(until)

    @thriftserver.blocking
    def thread(self, until):
        open(until + "-began", "w").close()
        return burn(until)

    async def task(self, until):
        open(until + "-began", "w").close()
        return burn(until)

    def turn(self):
        return sys.getswitchinterval()

    def add(self, a, b):
        return a + b
"""
HERE = HANDLER[: HANDLER.index("# here")].count("\n") + 1
ARGS = ("--idl", "busy.thrift", "--handler", "busy:Impl", "--control", "control", "-w", "1", "--timeout", "0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "busy.thrift").write_text(IDL)
    (tmp_path / "busy.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, cwd=folder) as server:
        yield server


def client(server: Server) -> Any:
    api = thriftserver.load("busy.thrift", files={"busy.thrift": IDL})
    return api.Busy.Client(server.host, server.port, timeout=PATIENCE)


class Burning:
    """A call of ``method`` that computes all the time, until it is left."""

    def __init__(self, server: Server, folder: Path, method: str) -> None:
        self._until = folder / f"{method}-over"
        self._thread = threading.Thread(target=self._call, args=(server, method))
        self._thread.start()
        server.eventually((folder / f"{method}-over-began").exists, "call")

    def _call(self, server: Server, method: str) -> None:
        with client(server) as busy:
            getattr(busy, method)(str(self._until))

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        self._until.touch()
        self._thread.join()


@pytest.mark.parametrize("method", ["spin", "thread", "task"])
def test_a_method_that_computes_is_found_with_its_line(server: Server, folder: Path, method: str) -> None:
    with Burning(server, folder, method):  # for ``spin`` the loop stands still meanwhile
        done = ctl(folder, "--json", "profile", "1", "--seconds", "1s", "-o", "cpu.html", "-o", "cpu.json")
    assert done.returncode == 0, done.stderr
    profile = Profile.parse(done.stdout.encode())
    assert (profile.pid, profile.samples > 10) == (server.workers()[0], True)
    (name, cpu), *_ = profile.methods()
    assert (name, cpu > 0.8 * profile.total) == (f"Busy.{method}", True)
    in_burn = sum(
        stack.cpu
        for stack in profile.stacks
        if any((profile.frames[each].name, profile.frames[each].line) == ("burn", HERE) for each in stack.frames)
    )
    assert in_burn > 0.5 * profile.total
    shared = json.loads((folder / "cpu.json").read_text())
    (sampled,) = shared["profiles"]
    assert sum(sampled["weights"]) == sampled["endValue"] == profile.total
    assert len(sampled["samples"]) == len(sampled["weights"]) == len(profile.stacks)
    assert {"name": "burn", "file": str(folder / "busy.py"), "line": HERE} in shared["shared"]["frames"]
    assert f"Busy.{method}" in (folder / "cpu.html").read_text()


def test_text_for_people_and_a_worker_by_its_pid(server: Server, folder: Path) -> None:
    with Burning(server, folder, "spin"):
        done = ctl(folder, "profile", str(server.workers()[0]), "--seconds", "500ms", "--rate", "200")
    lines = done.stdout.splitlines()
    assert "s of CPU in 0.5 s" in lines[0]
    assert lines[3].split()[1] == "Busy.spin"
    assert f"busy.py:{HERE}" in done.stdout


def test_a_worker_that_rests_uses_nothing(server: Server, folder: Path) -> None:
    done = ctl(folder, "--json", "profile", "1", "--seconds", "300ms", "-o", "cpu.html")
    profile = Profile.parse(done.stdout.encode())
    assert profile.total < 0.2e9
    assert all(name == OUTSIDE for name, _ in profile.methods())


def test_nothing_stays_of_it_whoever_ends_it(server: Server, folder: Path) -> None:
    with client(server) as busy:
        before = busy.turn()
        words = [sys.executable, "-m", "thriftserver", "ctl", "--control", "control", "profile", "1", "--seconds", "1h"]
        tool = subprocess.Popen(words, cwd=folder, env={"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
        server.eventually(lambda: busy.turn() != before, "profile")
        second = ctl(folder, "profile", "1", "--seconds", "100ms")
        assert (second.returncode, "somebody else looks at it" in second.stderr) == (3, True), "one at a time"
        tool.send_signal(signal.SIGKILL)
        tool.wait()
        server.eventually(lambda: busy.turn() == before, "end of the profile")
        assert ctl(folder, "profile", "1", "--seconds", "100ms").returncode == 0


def test_a_worker_that_ends_meanwhile(server: Server, folder: Path) -> None:
    words = [sys.executable, "-m", "thriftserver", "ctl", "--control", "control", "profile", "1", "--seconds", "1h"]
    with client(server) as busy:
        before = busy.turn()
        tool = subprocess.Popen(
            words,
            cwd=folder,
            env={"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
            stdout=subprocess.DEVNULL,
        )
        server.eventually(lambda: busy.turn() != before, "profile")
    assert ctl(folder, "reload").returncode == 0
    _, said = tool.communicate(timeout=PATIENCE)
    assert (tool.returncode, "has ended before it was done" in said) == (3, True), said


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("9",), 1, "there is no worker 9"),
        (("one",), 2, "WORKER"),
        (("1", "--rate", "100000"), 1, "rate must be"),
        (("1", "--seconds", "0"), 1, "seconds must be"),
        (("1", "-o", "cpu.svg"), 2, ".html"),
        (("1", "--seconds", "100ms", "-o", "none/cpu.html"), 2, "cannot write"),
    ],
)
def test_what_makes_no_sense(server: Server, folder: Path, words: tuple[str, ...], code: int, said: str) -> None:
    done = ctl(folder, "profile", *words)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr


def test_a_profile_is_not_believed() -> None:
    whole = sample().written()
    assert Profile.parse(whole) == sample()
    for broken in (b"", b"{}", b"[]", whole[:-5], whole.replace(b"[[0,1,2]", b"[[0,1,99]")):
        with pytest.raises(ValueError, match="no profile"):
            Profile.parse(broken)


def sample() -> Profile:
    """A profile with names that a page must not take for markup."""
    frames = (
        Frame("Shop.find"),
        Frame("Impl.find", "/app/shop.py", 12),
        Frame("</script><b>&<!--data-->", "/app/shop.py", 30),
        Frame("loads", "/usr/lib/python3.13/json/__init__.py", 346),
        Frame(OUTSIDE),
        Frame(OURS),
    )
    stacks = (
        Stack((0, 1, 2), 600_000_000, 60),
        Stack((0, 1, 3), 200_000_000, 20),
        Stack((0, 5), 100_000_000, 10),
        Stack((4, 5), 100_000_000, 10),
    )
    return Profile(1234, "thriftserver 1", 10.0, 100.0, 1_000_000_000, 1000, frames, stacks)


def test_the_page_holds_all_and_ends_no_element_early() -> None:
    made = page(sample())
    assert made.count("</script>") == 2
    assert "<!--" not in made.replace("<!--data-->", "", 0).split('type="application/json">')[0]
    data = made.partition('type="application/json">')[2].partition("</script>")[0]
    assert json.loads(data)["frames"][2][0] == "</script><b>&<!--data-->"
    assert "http" not in made.replace("https://www.w3.org", ""), "it loads nothing"


def test_speedscope_of_nothing() -> None:
    nothing = Profile(1, "s", 1.0, 100.0, 0, 100, (), ())
    assert json.loads(speedscope(nothing))["profiles"][0]["samples"] == []
    assert "CPU of worker 1" in page(nothing)


@pytest.mark.browser
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    need(shutil.which("chromium") and shutil.which("chromedriver"), "chromium (apt install chromium chromium-driver)")
    from tests.admin.test_page import Browser

    (tmp_path / "cpu.html").write_text(page(sample()))
    browser = Browser(tmp_path / "profile")
    try:
        browser.driver.get(f"file://{tmp_path}/cpu.html")
        assert browser.texts(".node.method") == ["Shop.find", OUTSIDE]
        assert browser.texts("#lines tbody tr:first-child td")[1] == "</script><b>&<!--data-->"
        browser.find("#search").send_keys("SHOP.PY")
        assert len(browser.all(".node.found")) == 2
        assert browser.texts("#status") == ["80.0 % of the CPU time is in what was found."]
        browser.find(".node.handler").click()
        assert browser.texts(".node.above") == ["Shop.find"]
        widths = {each.text: each.size["width"] for each in browser.all(".node")}
        assert abs(widths["loads"] * 3 - widths["</script><b>&<!--data-->"]) < 5
        browser.find("#reset").click()
        assert not browser.all(".node.above")
        for width in (1400, 420):
            browser.driver.set_window_size(width, 900)
            assert not browser.driver.execute_script(
                "return document.documentElement.scrollWidth > document.documentElement.clientWidth"
            )
        assert browser.complaints() == []
    finally:
        browser.driver.quit()
