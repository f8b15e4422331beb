"""conf/container/Dockerfile, built and run: who the processes are, what TERM and leftovers of handlers come to.

Built by buildah on a Debian that debootstrap makes, as no registry may be in reach; run as an engine would run it, from
what the image says of itself: in namespaces of its own, read-only, without capabilities.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import Server
from tests.server.test_process_one import children
from tests.support import ROOT, need

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]

#: A file system with Debian and Python, made before: saves minutes when this is run again.
BASE = os.environ.get("CONTAINER_BASE", "")
MIRROR = "http://deb.debian.org/debian"
IDL = "service Service { i32 uid(), oneway void leave() }\n"
HANDLER = """
import os, subprocess
class Service:
    def uid(self):
        return os.getuid()
    def leave(self):
        subprocess.run(["sh", "-c", "sleep 0.5 &"], check=True)
"""
#: A root that is not written to, with the file systems that every engine gives a container.
ENTER = """
mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev"
mount -t tmpfs tmpfs "$0/tmp"
who=(--reuid="${1%:*}" --regid="${1#*:}" --clear-groups)
exec chroot "$0" setpriv "${who[@]}" --bounding-set=-all --no-new-privs env -i "${@:2}"
"""


class Image:
    """What buildah has made of the Dockerfile."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        base = Path(BASE or folder / "base")
        if not BASE:
            what = "--include=python3,python3-venv,ca-certificates"
            self._logged(["debootstrap", "--variant=minbase", what, "bookworm", base, MIRROR])
        made = self.buildah("from", "scratch")
        self.buildah("add", "-q", made, str(base), "/")
        self.buildah("commit", "-q", made, "base")
        wheel = self._wheel()
        here = [*self._seen("/etc/xdg", "/etc/ssl/certs"), "-v", f"{wheel.parent}:/wheels:ro"]
        what = f"thriftserver[admin,http,title] @ file:///wheels/{wheel.name}"
        arguments = ["--build-arg", "BASE=localhost/base", "--build-arg", f"THRIFTSERVER={what}"]
        how = ["-q", "--format", "docker", "--isolation", "chroot", "--network", "host", *here, *arguments]
        file = ROOT / "conf" / "container" / "Dockerfile"
        self.buildah("bud", *how, "-f", str(file), "-t", "service", str(folder / "context"))
        self.config: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", "service"))["Docker"][
            "config"
        ]
        self.root = self.buildah("mount", self.buildah("from", "service"))

    def _logged(self, command: list[str | Path], **env: str) -> str:
        done = subprocess.run(
            command, cwd=self._folder, env=os.environ | env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        return done.stdout.strip()

    def buildah(self, *words: str) -> str:
        store = [f"--{name}={self._folder / 'store' / name}" for name in ("root", "runroot")]
        return self._logged(["buildah", "--storage-driver", "vfs", *store, *words])

    def _wheel(self) -> Path:
        """Without compiled parts, as for the image it need not be fast."""
        source, wheels = self._folder / "source", self._folder / "wheels"
        shutil.copytree(
            ROOT,
            source,
            ignore=shutil.ignore_patterns(".git", ".venv", "build", "tests", "bench", "*.so", "*.c", "__pycache__"),
        )
        command = [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            wheels,
            source,
        ]
        self._logged(command, CC="/bin/false")
        (wheel,) = wheels.iterdir()
        return wheel

    @staticmethod
    def _seen(*places: str) -> list[str]:
        """What pip is configured with on this machine, in the build."""
        return [word for place in places if Path(place).is_dir() for word in ("-v", f"{place}:{place}:ro")]

    def entering(self, *command: str) -> list[str]:
        return ["bash", "-ec", ENTER, self.root, self.config["User"], *self.config["Env"], *command]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    need(os.geteuid() == 0, "root, to build and run a container")
    need(shutil.which("buildah") and (BASE or shutil.which("debootstrap")), "apt install buildah debootstrap")
    folder = tmp_path_factory.mktemp("container")
    context = folder / "context"
    context.mkdir()
    (context / "service.thrift").write_text(IDL)
    (context / "service.py").write_text(HANDLER)
    config = (ROOT / "conf" / "kubernetes" / "thriftserver.toml").read_text()
    config = config.replace('"0.0.0.0:9090"', '"127.0.0.1:0"').replace(
        'control = "/run/thriftserver/', 'control = "/tmp/'
    )
    (context / "thriftserver.toml").write_text(config)
    yield Image(folder)
    shutil.rmtree(folder / "store", ignore_errors=True)


class Container(Server):
    """The image's own command, as process 1."""

    def __init__(self, image: Image, *more: str) -> None:
        entry, command = image.config["Entrypoint"], image.config["Cmd"]
        assert entry == ["thriftserver", "run"]
        namespaces = ["unshare", "--fork", "--kill-child", "--pid", "--mount", "--propagation", "private"]
        enter = image.entering("THRIFTSERVER_ADMIN=127.0.0.1:0", *entry, *command, *more)
        # `Server` adds what starts this checkout's server; here it is but words after the image's own.
        super().__init__(
            prefix=[*namespaces, "bash", "-ec", f'exec "${{@:1:{len(enter)}}}"', "container", *enter], bind=False
        )


def test_it_runs_as_nobody_in_particular_is_checked_and_drains(image: Image) -> None:
    with Container(image) as server:
        assert server.found("starting", pid=1)
        (master,) = children(server.pid)
        status = Path(f"/proc/{master}/status").read_text()
        assert "\nUid:\t65532\t65532\t65532\t65532\n" in status
        assert "\nCapEff:\t0000000000000000\n" in status
        api: Any = thriftserver.load("service.thrift", files={"service.thrift": IDL})
        with api.Service.Client("127.0.0.1", server.port, timeout=60) as client:
            assert client.uid() == 65532
            client.leave()
            server.eventually(lambda: "sleep" in children(master).values(), "an orphan")
            server.eventually(lambda: "sleep" not in children(master).values(), "its end, not left as a zombie")
            self_check(image, server)
            os.kill(master, 1)
            server.wait("reloaded")
            assert client.uid() == 65532
        os.kill(master, 15)  # which STOPSIGNAL says
        assert server.exit_code() == 0
        assert server.found("stopped", pid=1)
    assert not server.other, server.other


def self_check(image: Image, server: Server) -> None:
    """The image's health check, at this container's port: well, and not where nobody is."""
    kind, *command = image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        nowhere = f"127.0.0.1:{nobody.getsockname()[1]}"
    for address, code in ((server.wait("admin_listening")["addresses"][0], 0), (nowhere, 1)):
        asked = [each.replace("127.0.0.1:9091", address) for each in command]
        done = subprocess.run(
            ["unshare", "--mount", *image.entering(*asked)], capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr


def test_it_has_what_runs_and_no_more(image: Image) -> None:
    root = Path(image.root)
    assert {path.name for path in (root / "srv").iterdir()} == {"service.thrift", "service.py", "thriftserver.toml"}
    assert not list((root / "root").glob(".cache/pip/*"))
    assert image.config["ExposedPorts"].keys() == {"9090/tcp", "9091/tcp"}
