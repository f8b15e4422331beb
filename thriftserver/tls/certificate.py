"""What a verified certificate says of its owner, from what Python's ssl decodes.

It verifies nothing.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from typing import Any

from thriftserver.peers import Certificate

#: What is customary for the attributes of a name (RFC 4514).
_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}
_SPECIAL = re.compile(r'([,+"\\<>;=]|^[ #]| $)')
_KINDS = {"IP Address": "IP"}


def certificate_of(connection: ssl.SSLSocket | ssl.SSLObject) -> Certificate | None:
    """The certificate that the other end has shown, which was verified in the handshake; None if it has shown none."""
    facts: dict[str, Any] | None = connection.getpeercert()
    data = connection.getpeercert(binary_form=True)
    if not facts or data is None:
        return None
    return Certificate(
        _name(facts["subject"]),
        _name(facts["issuer"]),
        tuple(f"{_KINDS.get(kind, kind)}:{value}" for kind, value, *_ in facts.get("subjectAltName", ())),
        hashlib.sha256(data).hexdigest(),
        facts["serialNumber"],
        ssl.cert_time_to_seconds(facts["notAfter"]),
    )


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    """A distinguished name as RFC 4514 writes it, its last part first."""
    return ",".join(
        "+".join(f"{_SHORT.get(key, key)}={_SPECIAL.sub(_escape, value)}" for key, value in part)
        for part in reversed(parts)
    )


def _escape(match: re.Match[str]) -> str:
    return "\\" + match[0]
