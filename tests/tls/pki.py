"""Certificates for tests, from an authority that lives as long as the test, and peers that speak TLS."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path

import trustme

from tests.harness import Listening
from tests.server.raw import Peer

NAME = "localhost"


class Pki:
    """An authority, and in ``folder``: its certificate (ca.pem), and the server's pair (server.pem, server.key)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = trustme.CA()
        self.authority.cert_pem.write_to_path(folder / "ca.pem")
        self.issue("server", NAME)

    def issue(self, stem: str, *names: str, by: trustme.CA | None = None, until: datetime | None = None) -> None:
        """``stem``.pem and ``stem``.key, for these names."""
        made = (by or self.authority).issue_cert(*names, not_after=until)
        (self.folder / f"{stem}.pem").write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
        made.private_key_pem.write_to_path(self.folder / f"{stem}.key")

    def options(self, stem: str = "server") -> list[str]:
        return ["--certfile", f"{stem}.pem", "--keyfile", f"{stem}.key"]

    def mutual(self, how: str = "required") -> list[str]:
        return [*self.options(), "--ca-certs", "ca.pem", "--cert-reqs", how]

    def client(self, stem: str = "") -> ssl.SSLContext:
        """For a client that trusts the authority, with this certificate of its own."""
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if stem:
            context.load_cert_chain(self.folder / f"{stem}.pem", self.folder / f"{stem}.key")
        return context


class TlsPeer(Peer):
    """One connection over TLS."""

    sock: ssl.SSLSocket

    def __init__(self, server: Listening, context: ssl.SSLContext, name: str = NAME) -> None:
        super().__init__(server)
        try:
            self.sock = context.wrap_socket(self.sock, server_hostname=name)
        except BaseException:
            self.sock.close()
            raise

    @property
    def shown(self) -> bytes:
        """The certificate that the server has shown."""
        return self.sock.getpeercert(binary_form=True) or b""


#: Added to the demo's handler: ``version`` says who asks.
WHO = """
    def version(self):
        call = thriftserver.current_call()
        shown, process = call.peer_certificate, call.peer_credentials
        return json.dumps({
            "peer": call.peer,
            "certificate": shown and [shown.subject, shown.issuer, shown.sans, shown.fingerprint],
            "credentials": process and [process.pid, process.uid, process.gid],
        })
"""
