"""The page of a load test in a real browser, wide and narrow, light and dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.admin.test_page import Browser
from tests.loadtest.test_shown import result
from tests.support import need
from thriftserver.loadtest.page import page

pytestmark = pytest.mark.browser

#: Pairs of marks of one axis that stand upon each other.
OVERLAPS = """
return [...document.querySelectorAll(".plot")].flatMap(plot => ["x", "y"].flatMap(axis => {
  const boxes = [...plot.querySelectorAll("." + axis)].map(each => each.getBoundingClientRect())
    .filter(each => each.width)
  return boxes.filter((one, at) => boxes.some((other, place) => place > at
    && one.left < other.right && other.left < one.right && one.top < other.bottom && other.top < one.bottom)).length
})).reduce((sum, each) => sum + each, 0)
"""
#: Elements that go beyond the right edge, but for what can be scrolled.
BEYOND = """
return [...document.querySelectorAll("body *")].filter(each => !each.closest(".wide")
  && each.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(each => each.outerHTML.slice(0, 80))
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    need(shutil.which("chromium") and shutil.which("chromedriver"), "chromium (apt install chromium chromium-driver)")
    made = Browser(tmp_path_factory.mktemp("profile"))
    yield made
    made.driver.quit()


def show(browser: Browser, path: Path, width: int, scheme: str) -> None:
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.driver.get(path.as_uri())


@pytest.mark.parametrize("width", [1280, 360])
def test_it_fits(browser: Browser, tmp_path: Path, width: int) -> None:
    path = tmp_path / "report.html"
    path.write_text(page(result(*range(1, 5000), refused=7, methods=3), result(*range(2, 900))))
    colours = []
    for scheme in ("light", "dark"):
        show(browser, path, width, scheme)
        assert browser.driver.execute_script(OVERLAPS) == 0
        assert browser.driver.execute_script(BEYOND) == []
        assert len(browser.all(".plot svg")) == 3
        assert all(each.size["height"] > 100 < each.size["width"] for each in browser.all(".plot svg"))
        colours.append(browser.find("body").value_of_css_property("color"))
    assert colours[0] != colours[1]
    assert "<script>" in browser.find("h1").text
    assert browser.complaints() == []
