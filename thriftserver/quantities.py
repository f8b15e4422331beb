"""How people write numbers, times, sizes and choices: a text to a value, or a ValueError that says how it is written.

It knows no option, and every value that it gives is one that the kernel, C and a clock can take.
"""

from __future__ import annotations

import re

#: The largest whole number: what a C int holds, as the kernel takes it. The longest time in seconds: thirty years, so
#: that every clock can add it to now. The largest size in bytes.
MOST, LONGEST, LARGEST = (1 << 31) - 1, 1_000_000_000, 1 << 62

#: The most workers: each costs a core's worth of work, so a larger number is a slip.
PROCESSES = 1024

_UNITS_OF_TIME = {"ms": 0.001, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0}
_UNITS_OF_SIZE = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def whole(text: str, most: int = MOST) -> int:
    """A number of decimal digits. ``int`` has no end but that of its patience, the kernel and C have."""
    if len(text) > len(str(most)) + 20 or (number := int(text)) > most:
        raise ValueError(f"{_short(text)} is too large; {most} is the most")
    return number


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:20]}...")


def duration(text: str) -> float:
    """Seconds from ``30``, ``1.5s``, ``200ms``, ``2m``, ``1h``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|)", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a duration; write seconds (30) or a unit (200ms, 1.5s, 2m)")
    seconds = float(match[1]) * _UNITS_OF_TIME[match[2]]
    if seconds > LONGEST:
        raise ValueError(f"{_short(text)} is longer than 30 years; where it is allowed, 0 is for ever")
    return seconds


def duration_or_off(text: str) -> float:
    """As ``duration``; 0 for ``off``."""
    return 0.0 if text.strip().lower() == "off" else duration(text)


def size(text: str) -> int:
    """Bytes from ``4096``, ``64k``, ``16m``, ``1g`` (powers of 1024)."""
    match = re.fullmatch(r"(\d+)\s*([kmg]?)(?:i?b)?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a size; write bytes (4096) or a unit (64k, 16m)")
    bytes_ = whole(match[1], LARGEST) * _UNITS_OF_SIZE[match[2]]
    return whole(str(bytes_), LARGEST)


def positive(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d*", text.strip()):
        raise ValueError(f"{_short(text)} is not a whole number of 1 or more")
    return whole(text.strip())


def processes(text: str) -> int:
    """Each has room on the scoreboard and descriptors of the master's."""
    return whole(str(positive(text)), PROCESSES)


def count(text: str) -> int:
    if not re.fullmatch(r"\d+", text.strip()):
        raise ValueError(f"{_short(text)} is not a whole number of 0 or more")
    return whole(text.strip())


def boolean(text: str) -> bool:
    """``true``, ``false``, and what people write for them."""
    values = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    if text.strip().lower() not in values:
        raise ValueError(f"{text!r} is neither true nor false")
    return values[text.strip().lower()]


def method_timeout(text: str) -> tuple[str, float]:
    """``add=200ms`` or ``Calculator.add=200ms``."""
    name, equals, limit = text.partition("=")
    if not name.strip() or not equals:
        raise ValueError(f"{text!r} is no method with its limit; write [SERVICE.]METHOD=DURATION")
    return name.strip(), duration(limit)


def octal(text: str) -> str:
    """Permission bits: ``0660``, ``660``, ``0o660``; nothing for what is there already."""
    if not re.fullmatch(r"((0o)?0?[0-7]{1,3})?", text.strip().lower()):
        raise ValueError(f"{text!r} is no mode; write it in octal (0660)")
    return text.strip().lower()


class one_of:  # noqa: N801 - it is called as the functions beside it
    """One of ``words``, in whatever case it is written."""

    def __init__(self, *words: str) -> None:
        self.words = words

    def __call__(self, text: str) -> str:
        if text.lower() not in self.words:
            raise ValueError(f"{text!r} is not one of {', '.join(self.words)}")
        return text.lower()


def host_name(text: str) -> str:
    """A name as it stands in a Host header, without its port."""
    name = text.strip().lower().rstrip(".")
    if not re.fullmatch(r"\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*", name):
        raise ValueError(f"{text!r} is no host name; write admin.example.com, or .example.com for all that end so")
    return name


def origin(text: str) -> str:
    """An origin as browsers send it, ``*`` for every one; empty for none."""
    found = text.strip().lower()
    if not re.fullmatch(r"|\*|[a-z][a-z0-9+.-]*://[^/\s]+", found):
        raise ValueError(f"{text!r} is no origin; write https://example.com, without a path, or * for every one")
    return found


def network(text: str) -> str:
    """A network of IP addresses, or one of them: ``10.0.0.0/8``, ``10.0.0.7``, ``2001:db8::/32``."""
    import ipaddress  # most servers have no option of that kind

    try:
        found = ipaddress.ip_network(text.strip(), strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network; write 10.0.0.0/8, 2001:db8::/32, or an address") from None
    mapped = getattr(found.network_address, "ipv4_mapped", None)  # IPv4 in IPv6 clothes
    return f"{mapped}/{found.prefixlen - 96}" if mapped and found.prefixlen >= 96 else str(found)


def share(text: str) -> float:
    """A part of one from ``0.01`` or ``1%``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%?)", text.strip())
    if match is None or (value := float(match[1]) / (100 if match[2] else 1)) > 1:
        raise ValueError(f"{text!r} is not a share between 0 and 1; write 0.01 or 1%")
    return value
