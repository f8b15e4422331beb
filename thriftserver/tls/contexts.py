"""Terms to what OpenSSL acts on: a context for each certificate, chosen by the name that a client asks for.

Each one is held against itself before anybody uses it. Nothing here has a socket.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thriftserver.errors import ConfigError
from thriftserver.tls.terms import Pair, Terms

#: X509_V_FLAG_NO_CHECK_TIME: a certificate that has expired is worth a warning; clients are the ones to refuse it.
_NO_CHECK_TIME = 0x200000
_CERTIFICATE = re.compile(b"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(b"-----BEGIN (?:[A-Z]+ )?(?:ENCRYPTED )?PRIVATE KEY-----")
_ENCRYPTED = re.compile(b"-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED", re.MULTILINE)
_REQUIREMENTS = {"none": ssl.CERT_NONE, "optional": ssl.CERT_OPTIONAL, "required": ssl.CERT_REQUIRED}


class Contexts:
    """Raises ConfigError where the terms cannot be kept. ``expiry`` is when the first certificate expires (since 1970).

    ``names`` are all that a client may ask for.
    """

    def __init__(self, terms: Terms) -> None:
        self._by_name: dict[str, ssl.SSLContext] = {}
        self.expiry = float("inf")
        made: dict[frozenset[str], ssl.SSLContext] = {}
        for pair in terms.pairs:
            context = _context(terms, pair)
            facts = _shake_hands(context, pair)
            self.expiry = min(self.expiry, ssl.cert_time_to_seconds(facts["notAfter"]))
            names = frozenset(_names(facts))
            if names in made:  # the same names with a key of another kind: OpenSSL chooses by what the client can
                _load(made[names], pair, terms.passphrase)
                continue
            made[names] = context
            for name in names:
                self._by_name.setdefault(name, context)
        for context in made.values():
            _ask_clients(context, terms)
        #: For clients that ask for no name, or for one that is nobody's.
        self.default = next(iter(made.values()))
        if len(made) > 1:
            self.default.sni_callback = self._on_name

    @property
    def names(self) -> list[str]:
        return sorted(self._by_name)

    def find(self, name: str | None) -> ssl.SSLContext:
        """The context for the name that a client asks for."""
        asked = (name or "").lower()
        found = self._by_name.get(asked)
        return found or self._by_name.get(f"*.{asked.partition('.')[2]}", self.default)

    def _on_name(self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self.find(name)


def _context(terms: Terms, pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The end of a stream without TLS's own good-bye is an end like another: a message that it cuts is none, and is not
    # served. Without the second option OpenSSL says nothing more to that peer, not even the replies that it waits for.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)  # new in OpenSSL 3, as is what it is against
    if terms.ciphers:
        try:
            context.set_ciphers(terms.ciphers)
        except ssl.SSLError:
            raise ConfigError(f"--ciphers: OpenSSL knows no cipher of {terms.ciphers!r}") from None
    _load(context, pair, terms.passphrase)
    return context


def _load(context: ssl.SSLContext, pair: Pair, passphrase: bytes | None) -> None:
    if not _CERTIFICATE.search(pair.chain):
        raise ConfigError(f"--certfile: {pair.certfile} holds no certificate in PEM")
    if not _KEY.search(pair.key):
        advice = "; give --keyfile" if pair.keyfile == pair.certfile else ""
        raise ConfigError(f"--keyfile: there is no private key in PEM in {pair.keyfile}{advice}")
    encrypted = _ENCRYPTED.search(pair.key)
    if encrypted and passphrase is None:
        advice = "say where its passphrase is: --key-passphrase"
        raise ConfigError(f"--keyfile: the key in {pair.keyfile} is encrypted; {advice}")
    try:
        with _named(pair.chain) as chain, _named(pair.key) as key:
            context.load_cert_chain(chain, key, lambda: passphrase or b"")
    except ssl.SSLError as error:
        raise ConfigError(_why(error, pair, bool(encrypted))) from None


def _why(error: ssl.SSLError, pair: Pair, encrypted: bool) -> str:
    both = pair.certfile if pair.certfile == pair.keyfile else f"{pair.certfile} and {pair.keyfile}"
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"):
        return f"--keyfile: the key in {pair.keyfile} does not belong to the certificate in {pair.certfile}"
    if encrypted and error.reason in (None, "BAD_DECRYPT", "BAD_PASSWORD_READ"):
        return f"--key-passphrase: it does not open the key in {pair.keyfile}"
    return f"--certfile: OpenSSL cannot use {both}: {said(error)}"


def said(error: ssl.SSLError) -> str:
    """What OpenSSL says in words: ``ee key too small``."""
    return error.reason.replace("_", " ").lower() if error.reason else str(error.args[-1])


def _ask_clients(context: ssl.SSLContext, terms: Terms) -> None:
    context.verify_mode = _REQUIREMENTS[terms.cert_reqs]
    if terms.authorities:
        try:
            with _named(terms.authorities) as path:
                context.load_verify_locations(path)
        except ssl.SSLError as error:
            raise ConfigError(f"--ca-certs: there are no certificates in PEM in it ({said(error)})") from None


@contextmanager
def _named(data: bytes) -> Iterator[str]:
    """A file name that leads to these bytes, which is what OpenSSL is given; they stand in no file system."""
    descriptor = os.memfd_create("thriftserver-pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _shake_hands(context: ssl.SSLContext, pair: Pair) -> dict[str, Any]:
    """What the certificate says, once a client has come to terms with it. Raises ConfigError when none could."""
    leaf = _CERTIFICATE.search(pair.chain)
    assert leaf is not None
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | _NO_CHECK_TIME
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        client.load_verify_locations(cadata=leaf[0].decode("ascii"))
        caller = client.wrap_bio(to_client, to_server)
        ends = [caller, context.wrap_bio(to_server, to_client, server_side=True)]
        while ends:
            ends = [end for end in ends if not _is_done(end)]
    except ssl.SSLError as error:
        why = getattr(error, "verify_message", "") or said(error)
        raise ConfigError(f"--certfile: no client could use {pair.certfile}: {why}") from None
    return caller.getpeercert() or {}


def _is_done(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _names(facts: dict[str, Any]) -> Iterator[str]:
    for kind, name in facts.get("subjectAltName", ()):
        if kind == "DNS":
            yield name.lower()
