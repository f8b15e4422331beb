"""The half that tells: answers calls that no IDL of the server's own has, for those who may hear it.

Nothing is made before somebody asks, and nobody is asked about a call that the service itself has.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

import thriftserver
from thriftserver.codec.plan import method_plan
from thriftserver.idl import bundle
from thriftserver.idl.loader import Loader
from thriftserver.peers import UNIX
from thriftserver.reflection.contract import NAME, contract
from thriftserver.schema.model import Module

#: What answers.
SERVER = f"thriftserver {thriftserver.__version__}"
#: What proxies put beside a request of somebody else.
_PROXIED = ("forwarded", "x-forwarded-for", "x-real-ip")
#: Bytes of an answer beside the texts, a file and all.
_AROUND = 1024


class Telling:
    """What a processor has ``beyond`` its methods: ``who`` is ``local`` or ``on``, ``services`` the names served.

    An IDL that does not fit into ``max_frame`` bytes is not told.
    """

    def __init__(
        self, who: str, modules: Sequence[Module], services: Sequence[str], loader: Loader, max_frame: int
    ) -> None:
        self._everybody = who == "on"
        self._modules, self._services, self._loader = tuple(modules), tuple(services), loader
        self._max_frame = max_frame
        self._answer: tuple[Any, Any] | None = None

    def __call__(self, name: str, peer: str, headers: Mapping[str, str] | None) -> tuple[Any, Any] | None:
        """The method's plan and its result; None for what is another call, or not for this peer."""
        if name != NAME or not (self._everybody or is_local(peer, headers)):
            return None
        if self._answer is None:
            self._answer = self._made()
        schema = self._answer[1]
        size = sum(len(file.text.encode()) + len(file.path) + _AROUND for file in schema.files)
        return self._answer if size <= self._max_frame else None

    def _made(self) -> tuple[Any, Any]:
        api = contract()
        texts, served = told_of(self._modules, self._loader)
        files = [api.File(path, text) for path, text in texts.items()]
        schema = api.Schema(files, served, list(self._services), SERVER)
        (function,) = api.Reflection.__thrift__.functions
        return method_plan(function), schema


def told_of(modules: Sequence[Module], loader: Loader) -> tuple[dict[str, str], list[str]]:
    """The texts of these files and of all that they include, by their paths there, and the paths of these files."""
    every = bundle.nearest(*modules)
    places = bundle.places(every)
    texts = {_text(places[each.path]): _text(bundle.text(each, loader, places)) for each in every}
    return texts, [_text(places[each.path]) for each in modules]


def is_local(peer: str, headers: Mapping[str, str] | None = None) -> bool:
    """Is it a process of this machine, by what is known of it? Who comes through an HTTP proxy is not."""
    if headers is not None and any(name in headers for name in _PROXIED):
        return False
    if peer == UNIX:
        return True
    try:
        address = ipaddress.ip_address(peer.rpartition(":")[0].strip("[]"))
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _text(text: str) -> str:
    """Bytes that are not UTF-8, in a comment or a file's name, cannot travel in a string."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
