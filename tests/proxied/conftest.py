"""What the tests of this folder share: a service that says who asks, and certificates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.server.raw import Peer, version
from tests.server.services import HANDLER, write_demo
from tests.tls.pki import Pki

#: Added to the demo's handler: ``version`` says who asks, and what a proxy knows of that.
WHO = """
    def version(self):
        call = thriftserver.current_call()
        proxy, shown = call.peer_proxy, call.peer_certificate
        return json.dumps({
            "peer": call.peer,
            "proxy": proxy and [proxy.address, proxy.server_name, proxy.common_name, proxy.version],
            "certificate": shown and shown.sans,
        })
"""

LOCAL = ("--proxy-protocol", "127.0.0.0/8")
#: Loopback is in none of its networks.
ELSEWHERE = ("--proxy-protocol", "10.0.0.0/8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + WHO)


@pytest.fixture
def pki(folder: Path) -> Pki:
    return Pki(folder)


def who(peer: Peer) -> Any:
    return json.loads(version(peer))
