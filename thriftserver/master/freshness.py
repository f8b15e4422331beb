"""``--cert-watch``: whether the files of certificates have changed, and have been left alone since.

It finds changes, wherever symbolic links lead (certbot, volumes of Kubernetes), and reads nothing. What is read then
may still be half of a pair: that is tried again before it counts as broken.
"""

from __future__ import annotations

from thriftserver.config import Settings
from thriftserver.master.changes import Stamp, stamp

#: Seconds between two looks. A change counts when it has stood as it is from one look to the next.
PERIOD = 2.0
#: Seconds for whoever writes a pair, from the last change on: what does not fit together then is broken.
GRACE = 10.0

Stamps = dict[str, Stamp]


def stamps(settings: Settings) -> Stamps:
    """The files of certificates and keys as they are now."""
    kind, _, path = settings.key_passphrase.partition(":")
    names = [*settings.certfile, *settings.keyfile, settings.ca_certs, path if kind == "file" else ""]
    return {name: stamp(name) for name in names if name}


class Freshness:
    """``known`` is what the files were like when they were read."""

    def __init__(self, known: Stamps) -> None:
        self.known = known
        self._due = 0.0
        self._seen = known
        self._since = 0.0
        self._tried: Stamps | None = None

    def look(self, now: float, settings: Settings) -> list[str]:
        """Names of files that are to be read now, because they have changed; empty for none."""
        if now < self._due:
            return []
        self._due = now + PERIOD
        found = stamps(settings)
        if found == self.known:
            self._seen, self._tried = found, None
            return []
        if found != self._seen:
            self._seen, self._since, self._tried = found, now, None
            return []
        if found == self._tried and not self._is_late(now):
            return []
        self._tried = found
        return sorted(name for name in found if found[name] != self.known.get(name, ()))

    def took(self) -> None:
        """They were good."""
        self.known = self._seen

    def failed(self, now: float) -> bool:
        """They could not be used; are they broken? Else they are tried once more."""
        late = self._is_late(now)
        if late:
            self.known = self._seen  # told once; the next change is another try
        return late

    def _is_late(self, now: float) -> bool:
        return now >= self._since + GRACE

    def renew(self, known: Stamps) -> None:
        """A reload has read them."""
        self.known, self._seen, self._tried = known, known, None
