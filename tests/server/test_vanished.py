"""A peer that is there no more and never said so: the machine is off, the cable out, a firewall has forgotten it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.harness import Server
from tests.server.services import HANDLER, write_demo
from tests.support import need

#: A network of its own, which the test may break.
ALONE = ("unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh")
CLIENT = """
import socket, sys
peer = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
print("here", flush=True)
sys.stdin.read()
"""


def test_a_vanished_peer_does_not_keep_its_place_and_a_silent_one_does(tmp_path: Path) -> None:
    need(os.geteuid() == 0, "to be run by root")
    write_demo(tmp_path, HANDLER)
    args = ("--idl", "demo.thrift", "--handler", "demo:Impl", "--keepalive", "1s", "--workers", "1")
    with Server(*args, cwd=tmp_path, prefix=ALONE) as server:
        within = ("nsenter", f"--net=/proc/{server.pid}/ns/net")
        command = [*within, sys.executable, "-c", CLIENT, str(server.port)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            assert client.stdout.readline() == "here\n"

            def connections() -> str:
                asked = [*within, "ss", "-Htnpo", "state", "established", "sport", f"= :{server.port}"]
                return subprocess.run(asked, capture_output=True, text=True, check=True).stdout

            server.eventually(lambda: "thriftserver" in connections(), "connection")
            # The kernel answers for a client that is silent: the timer begins anew, again and again.
            server.eventually(lambda: "keepalive" in connections(), "probe")
            server.signal(signal.SIGHUP)  # the answer holds for a connection that was handed over
            server.wait("reloaded")
            server.eventually(lambda: "thriftserver" in connections(), "connection of the new worker")
            subprocess.run([*within, "ip", "link", "set", "lo", "down"], check=True)
            server.eventually(lambda: not connections(), "end of the connection")
            client.kill()
