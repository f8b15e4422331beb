"""The page in a real browser: Debian's chromium, driven as a person would drive it."""

from __future__ import annotations

import itertools
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from tests.admin.conftest import ADD, CALCULATE, DIVIDE, METHODS, MS, PEER, Admin, Script
from tests.harness import PATIENCE, Server
from tests.support import need
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
]


class Browser:
    """A chromium on the page. ``text`` and ``find`` wait until what is asked for is there."""

    def __init__(self, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium") or ""
        for flag in [*FLAGS, f"--user-data-dir={profile}"]:
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = webdriver.ChromeService(executable_path=shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(options=options, service=service)

    def open(self, admin: Admin, view: str = "overview") -> None:
        self.driver.get("about:blank")
        self.driver.get(f"{admin.url}/#{view}")
        self.find("main h1, main .tools")

    def find(self, selector: str) -> Any:
        return WebDriverWait(self.driver, PATIENCE).until(lambda d: d.find_element(By.CSS_SELECTOR, selector))

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        return WebDriverWait(self.driver, PATIENCE).until(lambda _: self.texts(selector))[0]

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText.trim())"
        found: list[str] = self.driver.execute_script(script, selector)
        return found

    def attributes(self, selector: str, name: str) -> list[str]:
        """At one moment: an element that was found may be gone by the time it is asked, as the page is drawn anew."""
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.getAttribute(arguments[1]))"
        found: list[str] = self.driver.execute_script(script, selector, name)
        return found

    def until(self, happened: Any, what: str) -> None:
        waiting = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=[StaleElementReferenceException])
        waiting.until(lambda _: happened(), what)

    def complaints(self) -> list[str]:
        """What the console has said, but for servers that a test has stopped while the page was open."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in said if "net::ERR_" not in message]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need(shutil.which("chromium") and shutil.which("chromedriver"), "chromium (apt install chromium chromium-driver)")
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.driver.quit()


@pytest.fixture(autouse=True)
def quiet(browser: Browser) -> Iterator[None]:
    """Whatever a test does, the console has nothing to complain about: no error, nothing that the policy forbids."""
    browser.complaints()
    yield
    assert browser.complaints() == []


def test_a_person_sees_which_worker_is_stuck_and_which_method_is_slow(
    browser: Browser, admin: Admin, script: Script
) -> None:
    script.beat()
    now = time.monotonic_ns()
    script.pens[2].begin(CALCULATE, 1, 1, now - 40_000 * MS, now, PEER)
    script.silence(2, 60)
    script.pens[1].note_error(DIVIDE, layout.UNDECLARED, "abcdefabcdef", "<b>no</b> markup", now)
    browser.open(admin)
    assert "no sign of life for 1 min" in browser.text(".worker.bad")
    assert "Worker 2" in browser.text(".worker.bad")
    assert "Calculator.calculate for 4" in browser.text(".worker.bad")
    assert "worker 2 (pid 1002) is stuck" in browser.text("#notice")
    browser.until(lambda: browser.all("td.slow.bad"), "a bad method")
    assert browser.texts("tr:has(td.slow.bad) th") == ["Calculator.calculate"]
    assert "in stuck worker 2" in browser.text("td.slow.bad")
    assert browser.texts("header .alarm") == ["▲", "▲"]
    script.beat(2)  # it goes round again: now it is the method that is slow
    browser.until(lambda: "waiting" in browser.text("td.slow.bad"), "a call that waits")
    assert "Calculator.calculate for 4" in browser.text(".worker .late")
    assert not browser.all(".worker.bad")
    assert "<b>no</b> markup" in browser.text("td.said")
    assert browser.all("td.said b") == []
    for link, heading in (("workers", "Workers"), ("calls", "Calls in flight"), ("errors", "Recent errors")):
        browser.find(f'nav a[href="#{link}"]').click()
        browser.until(lambda heading=heading: browser.texts("main h1") == [heading], heading)
    browser.open(admin, "calls")
    assert "127.0.0.1:4711" in browser.text("tr.bad")


def test_plots_move(browser: Browser, admin: Admin, script: Script) -> None:
    browser.open(admin)

    def drawn() -> bool:
        script.beat()
        for _ in range(50):
            script.pens[1].finish(ADD, layout.SUCCESS, -1, 3 * MS, 0, 10, 10)
        paths = browser.attributes("figure path.line", "d")
        return len(paths) == 4 and sum(path.count("L") >= 2 for path in paths) >= 3

    browser.until(drawn, "lines")
    labels = browser.attributes("figure svg", "aria-label")
    assert "p99 2.95 ms" in labels[1], "the middle of the bucket of 3 ms"
    assert "ms now" in labels[1]
    assert float(browser.texts(".figure dd")[0].removesuffix("k")) > 0


def test_a_thousand_methods_can_be_searched_sorted_and_paged(browser: Browser) -> None:
    script = Script()
    script.board = Board.create(2, 1100)
    pen = script.pen(1, 1, [*METHODS, *((f"Big{n % 7}", f"do_thing_{n}", []) for n in range(994))])
    pen.finish(700, layout.SUCCESS, -1, 3 * MS, 0, 1, 1)
    admin = Admin(script.board, [], {})
    try:
        browser.open(admin, "methods")
        assert len(browser.all("tbody tr")) == 50
        assert "1000 of 1000 methods" in browser.texts(".tools p")[0]
        search = browser.find("#search")
        search.send_keys("big3 thing_99")
        browser.until(lambda: browser.texts("tbody th") == ["Big3.do_thing_990"], "the one method")
        assert browser.driver.switch_to.active_element == search, "typing is not interrupted"
        search.send_keys(Keys.CONTROL, "a")
        search.send_keys(Keys.DELETE)
        browser.until(lambda: len(browser.all("tbody tr")) == 50, "all again")
        browser.find('[data-value="calls"]').click()
        assert browser.texts("tbody th")[0] == "Big1.do_thing_694"
        assert browser.text('[aria-sort="descending"]').startswith("Calls ever")
        browser.find('[data-value="name"]').send_keys(Keys.ENTER)
        browser.until(lambda: browser.texts("tbody th")[0] == "Big0.do_thing_0", "sorted by name with the keyboard")
        for page in range(2, 21):
            browser.find(".pages button:last-child").click()
            browser.until(lambda page=page: f"Page {page} of 20" in browser.texts(".pages")[0], f"page {page}")
        assert browser.find(".pages button:last-child").get_attribute("disabled")
    finally:
        admin.stop()


def test_the_idl_is_there_with_docs_and_links(browser: Browser, admin: Admin) -> None:
    browser.open(admin, "idl")
    browser.until(lambda: browser.texts("article h2") == ["Calculator"], "the service")
    assert "The sum or product of two i32 always fits an i64" in browser.text("article .doc")
    browser.find('article a[href="#idl/calculator.Work"]').click()
    browser.until(lambda: browser.texts("article h2") == ["Work"], "the struct")
    assert "Used by Calculator.calculate" in browser.text("article")
    browser.find('article a[href="#idl/calculator.Operation"]').click()
    browser.until(lambda: browser.texts("article h2") == ["Operation"], "the enum")
    browser.find("#search").send_keys("zero")
    browser.until(lambda: browser.texts(".contents li") == ["DivisionByZero"], "what was searched for")
    browser.open(admin, "method/Calculator.divide")
    browser.until(lambda: browser.all(".command"), "an example")
    command = browser.text(".command")
    assert """thriftserver call 127.0.0.1:1 Calculator.divide '{"a":1,"b":1}' --idl """ in command
    assert browser.all("form") == [], "no form where calls are not allowed"


def test_a_method_is_called_and_the_reply_shown(browser: Browser, script: Script) -> None:
    with Server("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator") as server:
        admin = Admin(script.board, server.addresses, {"admin_calls": "true"})
        try:
            browser.open(admin, "method/Calculator.divide")
            for arguments, answers in (
                ('{"a": 355, "b": 113}', ["result", "3.14159"]),
                ("[1, 0]", ["exception", "DivisionByZero"]),
            ):
                field = browser.find("form textarea")
                field.send_keys(Keys.CONTROL, "a")
                field.send_keys(arguments)
                browser.find("form button").click()
                browser.until(
                    lambda answers=answers: all(each in browser.texts(".answer")[0] for each in answers), answers[1]
                )
                assert field.get_property("value") == arguments, "what was typed stays"
        finally:
            admin.stop()


def test_it_says_when_the_server_is_gone_and_goes_on_when_it_is_back(browser: Browser, script: Script) -> None:
    first = Admin(script.board, [], {})
    browser.open(first)
    first.stop()
    browser.until(lambda: "No answer for" in browser.texts("#notice")[0], "a notice")
    assert browser.all(".figure"), "what was known is still shown"
    with socket.create_server(("127.0.0.1", first.port)) as listener:
        second = Admin(script.board, [], {}, listener)
        try:
            browser.until(lambda: "No answer for" not in browser.texts("#notice")[0], "no notice")
        finally:
            second.stop()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read_in_both_schemes(browser: Browser, admin: Admin, script: Script, scheme: str) -> None:
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    script.beat(1)
    script.silence(2, 60)
    script.pens[1].note_error(ADD, layout.UNDECLARED, "abcdefabcdef", "an error", time.monotonic_ns())
    script.pens[2].begin(CALCULATE, 1, 1, 1, 1, PEER)
    grounds = set()
    for view in ("overview", "methods", "workers", "calls", "errors", "idl", "method/Calculator.calculate"):
        browser.open(admin, view)
        browser.until(lambda: browser.all("main section, main article"), view)
        for text, ratio in browser.driver.execute_script(CONTRAST):
            assert ratio >= 4.5, f"{view}: {text!r} has a contrast of {ratio:.2f}"
        grounds.add(browser.driver.execute_script("return getComputedStyle(document.documentElement).backgroundColor"))
        assert browser.all(UNLABELLED) == []
    assert grounds == {"rgb(245, 246, 248)" if scheme == "light" else "rgb(18, 21, 26)"}


#: What a screen reader could not name.
UNLABELLED = "input:not(label input), textarea:not(label textarea), button:empty, svg[role=img]:not([aria-label])"
#: Every text that is shown, with its contrast against what is behind it (the formula of WCAG 2).
CONTRAST = """
const parse = (color) => {
  const numbers = color.match(/[0-9.]+/g).map(Number);
  return color.startsWith("color(") ? [...numbers.slice(0, 3).map((each) => each * 255), numbers[3] ?? 1] : numbers;
};
const light = (color) => {
  const [r, g, b] = color.map((each) => (each /= 255) <= 0.03928 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = parse(getComputedStyle(at).backgroundColor);
    if (color.length < 4 || color[3] === 1) return color.slice(0, 3);
  }
  return parse(getComputedStyle(document.documentElement).backgroundColor).slice(0, 3);
};
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement, style = getComputedStyle(element);
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("noscript, :disabled")) continue;
  const ink = parse(element.namespaceURI.includes("svg") ? style.fill : style.color).slice(0, 3);
  const [high, low] = [light(ink), light(behind(element))].sort((a, b) => b - a);
  found.push([walker.currentNode.data.trim().slice(0, 40), (high + 0.05) / (low + 0.05)]);
}
return found;
"""


def test_on_a_phone_the_text_of_an_error_can_be_read_and_equal_ones_are_one(
    browser: Browser, admin: Admin, script: Script
) -> None:
    script.beat()
    now = time.monotonic_ns()
    long = "Users.get (users.py:12): result.friends[3].address.street: expected string, got int 17"
    for n in range(12):
        script.pens[1].note_error(
            DIVIDE, layout.UNDECLARED, f"{n:012x}", "ZeroDivisionError: division by zero", now + n
        )
    script.pens[2].note_error(CALCULATE, layout.BAD_RESULT, "abcdefabcdef", long, now - MS)
    script.pens[2].note_error(DIVIDE, layout.TIMEOUT, "fedcbafedcba", "ZeroDivisionError: division by zero", now - 2)
    browser.driver.set_window_size(500, 900)  # chromium has no narrower window
    phone = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    try:
        browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
        for view in ("errors", "overview"):
            browser.open(admin, view)
            browser.until(lambda: len(browser.all("td.said")) >= 3, "three different errors")
            said = [text for text in browser.texts(".errors td.said") if text]
            assert len(said) == 3
            assert "12 times ZeroDivisionError" in " ".join(said[0].split())
            (cell,) = [each for each in browser.all(".errors td.said") if "friends[3]" in each.text]
            assert cell.rect["x"] >= 0
            assert cell.rect["x"] + cell.rect["width"] <= 390, "beside no edge"
            assert cell.rect["width"] > 300
            wide = browser.driver.execute_script("return document.documentElement.scrollWidth")
            assert wide <= 390, f"{view} is {wide} wide"
    finally:
        browser.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.driver.set_window_size(1280, 900)


def test_what_was_lost_is_on_the_page(browser: Browser, admin: Admin, script: Script) -> None:
    script.beat()
    browser.open(admin)
    assert browser.all(".troubles") == [], "nothing to tell"
    script.pens[2].begin(CALCULATE, 1, 1, time.monotonic_ns(), 1, PEER)
    script.pens[2].put(layout.CONNECTIONS, 7)
    script.pens[1].put(layout.ROOM, 3)
    script.pens[1].put(layout.CONNECTIONS, 3)
    script.pens[1].add(layout.COUNTER["bad_peer"], 5)
    script.board.fold(2, "killed")
    browser.until(lambda: len(browser.texts(".troubles tbody tr")) == 3, "what was lost")
    told = " ".join(browser.texts(".troubles")[0].split())
    assert "1 calls that died with their worker" in told
    assert "7 connections that died" in told
    assert "5 connections closed because no Thrift can be read" in told
    assert "worker 1 (pid 1001) is full: 3 connections" in browser.texts("#notice")[0]
    browser.open(admin, "workers")
    browser.until(lambda: "1 ended since the server started (1 killed)" in browser.texts("main")[0], "the reason")


def test_dialects_are_shown_once_there_is_more_than_one(browser: Browser, admin: Admin, script: Script) -> None:
    script.pens[1].add(layout.COUNTER[layout.SPOKEN["framed-binary"]], 3401)
    script.pens[1].put(layout.DIALECT, 12)
    browser.open(admin)
    browser.until(lambda: browser.all(".figures"), "the overview")
    assert browser.all(".dialects") == [], "framed binary alone is not worth a table"
    script.pens[2].add(layout.COUNTER[layout.SPOKEN["http"]], 20)
    browser.until(lambda: len(browser.texts(".dialects tbody tr")) == 2, "a table")
    assert [" ".join(text.split()) for text in browser.texts(".dialects tbody tr")] == [
        "framed-binary 12 3.4k",
        "http 0 20",
    ]


@pytest.mark.parametrize(("days", "said"), [(40, "expires in 40 days"), (1, "expires in 1 day"), (-2, "has expired")])
def test_tls_and_the_end_of_a_certificate_are_on_the_page(
    browser: Browser, admin: Admin, script: Script, days: int, said: str
) -> None:
    browser.open(admin)
    browser.until(lambda: browser.all(".figures"), "the overview")
    assert browser.all(".tls") == [], "there is none"
    script.board.words[layout.BOARD_TLS_CONNECTIONS] = 12
    script.board.words[layout.BOARD_TLS_REFUSED] = 3
    script.board.words[layout.BOARD_TLS_EXPIRY] = int(time.time()) + days * 86_400 + 3600
    browser.until(lambda: browser.texts(".tls tbody tr"), "a line")
    assert [" ".join(text.split()) for text in browser.texts(".tls tbody tr")] == [f"12 0 3 {said}"]
    assert (browser.all(".tls tr.bad") != []) == (days < 14)


def test_nothing_is_loaded_from_elsewhere(browser: Browser, admin: Admin) -> None:
    browser.driver.get_log("performance")
    browser.open(admin)
    entries = browser.driver.get_log("performance")
    urls = {part for entry in entries for part in _urls(entry["message"])}
    assert any(url.endswith("/main.js") for url in urls)
    assert {url for url in urls if not url.startswith((admin.url, "about:", "data:", "chrome"))} == set()


def _urls(message: str) -> Iterator[str]:
    if "Network.requestWillBeSent" in message:
        parts = message.split('"url":"')[1:]
        yield from itertools.chain(part.partition('"')[0] for part in parts)
