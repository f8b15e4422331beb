"""Why a handshake came to nothing: what OpenSSL says of it, in words for who has to mend it.

Each reason has a kind, under which the scoreboard counts it.
"""

from __future__ import annotations

import ssl
from typing import Final, NamedTuple

from thriftserver.dialect.strangers import beginning
from thriftserver.peers import Certificate
from thriftserver.proxied import BrokenHeader, begins


class Refusal(NamedTuple):
    """``kind`` is one of ``scoreboard.layout.TLS_REFUSALS``."""

    kind: str
    reason: str


SLOW: Final = Refusal("slow", "the handshake took too long")
UNANNOUNCED: Final = Refusal("proxy", "the PROXY protocol's header took too long")
HUNG_UP: Final = Refusal("hung_up", "the peer hung up during the handshake")

#: What OpenSSL calls it, and what that means here.
_KNOWN: Final = {
    "UNSUPPORTED_PROTOCOL": Refusal("version", "the peer speaks no TLS newer than 1.1; 1.2 is the least"),
    "VERSION_TOO_LOW": Refusal("version", "the peer speaks no TLS newer than 1.1; 1.2 is the least"),
    "WRONG_VERSION_NUMBER": Refusal("broken", "the peer sent something else than TLS during the handshake"),
    "NO_SHARED_CIPHER": Refusal("cipher", "the peer takes none of the ciphers that are offered; see --ciphers"),
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": Refusal(
        "no_certificate", "the peer has shown no certificate, which --cert-reqs required asks for"
    ),
    "UNEXPECTED_EOF_WHILE_READING": HUNG_UP,
}
#: Alerts of a peer, by the end of their names.
_ALERTS: Final = {
    "ALERT_UNKNOWN_CA": "it does not know who vouches for it; give the peer the issuer's certificate",
    "ALERT_BAD_CERTIFICATE": "it takes it for wrong: another name, or a chain that is not complete",
    "ALERT_CERTIFICATE_EXPIRED": "it has expired",
    "ALERT_CERTIFICATE_REVOKED": "it was revoked",
    "ALERT_CERTIFICATE_UNKNOWN": "it takes it for wrong: another name, or nobody that it knows vouches for it",
    "ALERT_UNSUPPORTED_CERTIFICATE": "it cannot use one of this kind",
}


def plain(start: bytes) -> Refusal:
    """A peer that does not begin with a TLS handshake."""
    if len(start) > 4 and begins(start):
        advice = "the peer is in none of the networks that --proxy-protocol names"
        return Refusal("proxy", f"a header of the PROXY protocol, but {advice}")
    return Refusal("plain", f"this port speaks TLS alone, and the peer sent {beginning(start)}; connect with TLS")


def proxy(problem: BrokenHeader) -> Refusal:
    """A proxy that has not said whose connection it is."""
    return Refusal("proxy", f"the PROXY protocol's header {problem}")


def not_allowed(certificate: Certificate | None) -> Refusal:
    """A peer whose certificate is good, and has none of the names that are let in."""
    names = ", ".join(certificate.sans if certificate else ()) or "no names"
    return Refusal("not_allowed", f"the peer's certificate has {names}, and --allow-san lets none of them in")


def explain(error: OSError) -> Refusal:
    """What has ended a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "") or "it cannot be verified"
        return Refusal("bad_certificate", f"the peer's certificate is refused: {why}")
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return HUNG_UP
    name = error.reason or ""
    if name in _KNOWN:
        return _KNOWN[name]
    for end, why in _ALERTS.items():
        if name.endswith(end):
            return Refusal("refused_ours", f"the peer refuses our certificate: {why}")
    words = name.replace("_", " ").lower() or str(error.args[-1])
    return Refusal("broken", f"the handshake failed: {words}")
