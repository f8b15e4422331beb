"""Files without a name whose size nobody can change: memory that processes share and one of them may not trust.

Who maps a file dies by SIGBUS when somebody else cuts it, and who reads one has to hold what somebody else has made of
it. It knows nothing of what stands in them.
"""

from __future__ import annotations

import fcntl
import os

_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


def sealed(name: str, size: int) -> int:
    """The descriptor of a file of ``size`` zero bytes, which take no memory until they are written."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
