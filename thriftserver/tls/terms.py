"""On which terms TLS is spoken: what the options and the files that they name say, as one value that can be passed on.

It reads and encodes; ``contexts`` knows whether it makes sense. The master reads none of it: that is done in a child,
from which keys go to the keeper in a file without a name.
"""

from __future__ import annotations

import os

import msgspec
from msgspec import Struct

from thriftserver.config import Settings
from thriftserver.errors import ConfigError
from thriftserver.sans import closest_scope

#: Bytes of a file that certificates or keys may come from: a bundle of all the world's authorities has a quarter of it.
LARGEST = 1 << 20


class Pair(Struct, frozen=True):
    """A certificate with its chain, and its key, both in PEM; and the names of their files."""

    certfile: str
    keyfile: str
    chain: bytes
    key: bytes


class Terms(Struct, frozen=True):
    """All that the keeper has to know of the settings. Durations are seconds, 0 for none."""

    pairs: tuple[Pair, ...]
    """The first one is for clients that ask for no name, or for one that no certificate has."""
    passphrase: bytes | None
    authorities: bytes
    """Certificates, in PEM, of who vouches for clients."""
    cert_reqs: str
    """``none``, ``optional`` or ``required``: whether clients show a certificate."""
    allowed: tuple[str, ...]
    """Patterns over the names in clients' certificates, of which one has to match; none: all are let in."""
    ciphers: str
    proxies: tuple[str, ...]
    """Networks of those who say in front of a connection whose it is."""
    plain_too: bool
    """Clients that do not begin with TLS are served without it."""
    keepalive: float
    write_timeout: float
    most: int
    """Connections that all workers hold at most."""

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Terms:
        return msgspec.msgpack.decode(data, type=cls)


def require(settings: Settings) -> None:
    """Raise ConfigError for options that contradict each other. Reads nothing."""
    if not settings.certfile:
        _require_absent(settings)
    elif settings.keyfile and len(settings.keyfile) != len(settings.certfile):
        raise ConfigError(
            f"--keyfile: there are {len(settings.keyfile)} for {len(settings.certfile)} of --certfile; "
            "give one for each, in the same order, or none where each key stands beside its certificate"
        )
    elif settings.cert_reqs != "none" and not settings.ca_certs:
        advice = "the certificates of who vouches for clients"
        raise ConfigError(f"--cert-reqs {settings.cert_reqs} needs --ca-certs: {advice}")
    elif settings.ca_certs and settings.cert_reqs == "none":
        raise ConfigError("--ca-certs asks no client for a certificate; add --cert-reqs required, or optional")
    elif settings.allow_san and settings.cert_reqs == "none":
        raise ConfigError("--allow-san: no client is asked for a certificate; add --cert-reqs required, or optional")
    _source(settings.key_passphrase)


def _require_absent(settings: Settings) -> None:
    for name in ("keyfile", "key_passphrase", "ca_certs", "allow_san", "cert_watch", "ciphers"):
        if getattr(settings, name):
            raise ConfigError(f"--{name.replace('_', '-')} needs --certfile: there is no TLS without a certificate")
    if settings.cert_reqs != "none" or settings.tls == "auto":
        name = "--tls auto" if settings.tls == "auto" else f"--cert-reqs {settings.cert_reqs}"
        raise ConfigError(f"{name} needs --certfile: there is no TLS without a certificate")


def read(settings: Settings) -> Terms:
    """The terms by the files as they are now. Raises ConfigError, which says which option and file."""
    keyfiles = settings.keyfile or settings.certfile
    pairs = tuple(
        Pair(certfile, keyfile, _file("--certfile", certfile), _file("--keyfile", keyfile))
        for certfile, keyfile in zip(settings.certfile, keyfiles, strict=True)
    )
    return Terms(
        pairs,
        _passphrase(settings.key_passphrase),
        _file("--ca-certs", settings.ca_certs) if settings.ca_certs else b"",
        settings.cert_reqs,
        tuple(closest_scope(settings.allow_san, [""])),
        settings.ciphers,
        settings.proxy_protocol,
        settings.tls == "auto",
        settings.keepalive,
        settings.write_timeout,
        settings.workers * settings.max_connections,
    )


def _file(option: str, path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        raise ConfigError(f"{option}: cannot read {path}: {error.strerror}") from None
    if len(data) > LARGEST:
        raise ConfigError(f"{option}: {path} has more than {LARGEST >> 20} MiB, too much for certificates")
    return data


def _source(text: str) -> tuple[str, str]:
    kind, colon, name = text.partition(":")
    if text and (kind not in ("file", "env") or not colon or not name):
        # The text is not shown: somebody may have written the passphrase itself.
        raise ConfigError("--key-passphrase: say where it stands: file:PATH, or env:NAME for an environment variable")
    return kind, name


def _passphrase(text: str) -> bytes | None:
    kind, name = _source(text)
    if kind == "file":
        return _file("--key-passphrase", name).partition(b"\n")[0].rstrip(b"\r")
    if kind == "env":
        value = os.environb.get(os.fsencode(name))
        if value is None:
            raise ConfigError(f"--key-passphrase: there is no environment variable {name}")
        return value
    return None
