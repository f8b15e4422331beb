"""Registries for tests: real ZooKeeper and etcd, and a stand-in for Consul, of which no package registry has a binary.

Each listens on a port of its own, keeps what it knows in a folder of its own, and can be killed, started again with
nothing, and asked what it knows without any code of ours.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, NamedTuple

from kazoo.client import KazooClient
from kazoo.exceptions import NoNodeError

from tests.discovery.consul import Consul
from tests.harness import PATIENCE
from tests.support import need

ZOOKEEPER = Path("/usr/share/java/zookeeper.jar")


class Entry(NamedTuple):
    """What a registry knows of one server."""

    address: str
    weight: int
    version: str


class Registry:
    """One registry: ``url`` of a service in it, and its ``entries``."""

    scheme = ""

    def __init__(self, folder: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder = folder
        self.host = host
        self.port = port or free_port()
        self.data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/{path}"

    def start(self, *, empty: bool = False) -> None:
        """Start it, with what it knew when it was killed or with nothing, and wait until it answers."""
        if empty:
            shutil.rmtree(self.data, ignore_errors=True)
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                self.command(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        wait_until(self.answers, f"{self.scheme} answers")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """It takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def command(self) -> list[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def entries(self, path: str) -> list[Entry]:
        raise NotImplementedError

    def spoil(self, path: str) -> None:
        """Enter what is no server."""
        raise NotImplementedError


class ZooKeeper(Registry):
    scheme = "zk"

    def command(self) -> list[str]:
        need(ZOOKEEPER.exists() and shutil.which("java"), "zookeeper (apt install zookeeper)")
        (self.folder / "zoo.cfg").write_text(
            f"tickTime=250\ndataDir={self.data}\nclientPort={self.port}\nclientPortAddress=127.0.0.1\n"
            "admin.enableServer=false\nmaxClientCnxns=0\n"
        )
        java = ["java", "-Xmx96m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", str(ZOOKEEPER)]
        return [*java, "org.apache.zookeeper.server.quorum.QuorumPeerMain", "zoo.cfg"]

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            sock.settimeout(5)
            sock.sendall(b"srvr")  # the one word that is always allowed
            return b"Mode: standalone" in sock.recv(4096)
        return False

    def entries(self, path: str) -> list[Entry]:
        with self._client() as client:
            try:
                names = client.get_children(f"/{path}")
                members = [json.loads(client.get(f"/{path}/{name}")[0]) for name in names if name.startswith("member_")]
            except NoNodeError:
                return []
        return sorted(
            Entry(
                f"{each['serviceEndpoint']['host']}:{each['serviceEndpoint']['port']}",
                int(each["metadata"]["weight"]),
                each["metadata"].get("version", ""),
            )
            for each in members
            if each["status"] == "ALIVE"
        )

    def spoil(self, path: str) -> None:
        with self._client() as client:
            for data in (b"", b"\xff", b"[]", b'{"serviceEndpoint": {"host": 3, "port": "x"}}'):
                client.create(f"/{path}/member_", data, sequence=True, makepath=True)
            client.create(f"/{path}/vector_1", b"{}")  # Finagle's, of weights

    @contextlib.contextmanager
    def _client(self) -> Any:
        client = KazooClient(f"127.0.0.1:{self.port}")
        client.start(PATIENCE)
        try:
            yield client
        finally:
            client.stop()
            client.close()


class Etcd(Registry):
    scheme = "etcd"
    _token = ""

    def protect(self, password: str) -> None:
        """From now on it answers nobody but root, who has this password; and forgets tokens when it is killed."""
        self._ask("auth/user/add", name="root", password=password)
        self._ask("auth/role/add", name="root")
        self._ask("auth/user/grant", user="root", role="root")
        self._ask("auth/enable")
        self.log_in(password)

    def log_in(self, password: str) -> None:
        self._token = self._ask("auth/authenticate", name="root", password=password)["token"]

    def command(self) -> list[str]:
        need(shutil.which("etcd"), "etcd (apt install etcd-server)")
        here, nowhere = f"http://{self.host}:{self.port}", "http://127.0.0.1:0"
        clients = [f"--listen-client-urls={here}", f"--advertise-client-urls={here}"]
        peers = [f"--listen-peer-urls={nowhere}", f"--initial-advertise-peer-urls={nowhere}"]
        return ["etcd", f"--data-dir={self.data}", f"--initial-cluster=default={nowhere}", *clients, *peers]

    def answers(self) -> bool:
        try:
            self._ask("kv/range", key="Lw==")
        except urllib.error.HTTPError:  # it wants a login
            return True
        except OSError:
            return False
        return True

    def entries(self, path: str) -> list[Entry]:
        found = self._ask("kv/range", key=_base64(f"{path}/"), range_end=_base64(f"{path}0")).get("kvs", [])
        values = [json.loads(base64.b64decode(each["value"])) for each in found]
        return sorted(
            Entry(each["Addr"], int(each["Metadata"]["weight"]), each["Metadata"].get("version", "")) for each in values
        )

    def spoil(self, path: str) -> None:
        for place, data in enumerate(("", "[]", '{"Addr": 3}', '{"Addr": "nowhere"}', '{"Addr": "x:99999"}')):
            self._ask("kv/put", key=_base64(f"{path}/{place}"), value=_base64(data))

    def _ask(self, what: str, **body: object) -> Any:
        url = f"http://{self.host}:{self.port}/v3/{what}"
        headers = {"Authorization": self._token} if self._token else {}
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        request = urllib.request.Request(url, json.dumps(body).encode(), headers)
        with direct.open(request, timeout=PATIENCE) as answer:
            return json.load(answer)


class StandIn(Registry):
    """What tests.discovery.consul makes of Consul's documentation; not Consul."""

    scheme = "consul"

    def __init__(self, folder: Path, token: str = "") -> None:
        super().__init__(folder)
        self._token = token
        self._consul: Consul | None = None

    def start(self, *, empty: bool = True) -> None:
        self._consul = Consul(self.port, self._token)

    def kill(self) -> None:
        if self._consul is not None:
            self._consul.close()
            self._consul = None

    def freeze(self) -> None:
        assert self._consul is not None
        self._consul.frozen.clear()

    def thaw(self) -> None:
        assert self._consul is not None
        self._consul.frozen.set()

    def entries(self, path: str) -> list[Entry]:
        assert self._consul is not None
        return sorted(
            Entry(f"{each['Address']}:{each['Port']}", each["Weights"]["Passing"], each["Meta"].get("version", ""))
            for each in self._consul.passing(path)
        )

    def spoil(self, path: str) -> None:
        assert self._consul is not None
        for place, port in enumerate((0, "x", 99999)):
            self._consul.register({"Name": path, "ID": f"spoilt-{place}", "Address": "127.0.0.1", "Port": port})


KINDS: dict[str, type[Registry]] = {"zk": ZooKeeper, "etcd": Etcd, "consul": StandIn}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


def wait_until(happened: Any, what: str) -> None:
    """Wait for what no line of a log tells."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, f"not: {what}"
        time.sleep(0.02)


def registrar(master: int) -> int:
    """The pid of a master's registrar."""
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    (found,) = (int(pid) for pid in children if "registrar" in Path(f"/proc/{pid}/comm").read_text())
    return found


def kill(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
