"""Monitoring tools find fb303 in a real server: clients of other libraries, with an fb303.thrift that is not ours."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.harness import Server
from tests.interop.counterparts import LIBRARIES, methods_of

#: The service as it is known on the wire.
FB303 = """
enum fb_status { DEAD = 0, STARTING = 1, ALIVE = 2, STOPPING = 3, STOPPED = 4, WARNING = 5 }
service FacebookService {
  string getName(), string getVersion(), fb_status getStatus(), string getStatusDetails(),
  map<string, i64> getCounters(), i64 getCounter(1: string key),
  void setOption(1: string key, 2: string value), string getOption(1: string key), map<string, string> getOptions(),
  string getCpuProfile(1: i32 profileDurationInSec), i64 aliveSince(),
  oneway void reinitialize(), oneway void shutdown()
}
"""
IDL = 'include "fb303.thrift"\nservice Greeter extends fb303.FacebookService { string greet(1: string name) }\n'
HANDLER = """
class Greeter:
    def greet(self, name):
        return f"Hello, {name}!"

    def getVersion(self):
        return "7"
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "greeter.thrift").write_text(IDL)
    (folder / "app.py").write_text(HANDLER)
    with Server("--idl", "greeter.thrift", "--handler", "app:Greeter", "--workers", "2", cwd=folder) as server:
        yield server


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_method(library: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "fb303.thrift").write_text(FB303)
    (tmp_path / "greeter.thrift").write_text(IDL)
    counterpart = LIBRARIES[library](tmp_path, "greeter", tmp_path / "generated")
    with closing(counterpart), counterpart.client(server.host, server.port) as client:
        assert client.greet("Ada") == "Hello, Ada!"
        assert client.greet("Bob") == "Hello, Bob!"
        assert (client.getName(), client.getVersion()) == ("Greeter", "7")
        assert client.getStatus() == 2
        assert client.getStatusDetails() == ""
        counters = client.getCounters()
        assert (counters["Greeter.greet.success"], counters["Greeter.getVersion.success"]) == (2, 1)
        assert (counters["connections"], counters["inflight"]) == (1, 1)
        assert (client.getCounter("Greeter.getCounters.success"), client.getCounter("nothing")) == (1, 0)
        client.setOption("depth", "3")
        assert (client.getOption("depth"), client.getOptions()) == ("3", {"depth": "3"})
        assert isinstance(client.getCpuProfile(1), str)
        started = client.aliveSince()
        assert os.stat(f"/proc/{server.pid}").st_ctime - 5 < started <= time.time()
        client.reinitialize()  # what any peer may ask for, and only an operator may do
        client.shutdown()
        server.wait("fb303_ignored", asked="reinitialize")
        server.wait("fb303_ignored", asked="shutdown")
        server.signal(signal.SIGHUP)
        server.wait("worker_exit", count=2, code=0)
        assert client.aliveSince() == started
        assert client.getCounter("Greeter.greet.success") == 2
    assert client.called == methods_of(tmp_path / "greeter.thrift", "Greeter")
