"""What follows from the facts, in sentences with advice: pure functions, one for each matter."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct

from thriftserver.doctor.examination import Facts, Handshake
from thriftserver.doctor.probe import CLOSED, OTHER, REFUSED, SILENT, THRIFT, UNREACHABLE, Answer
from thriftserver.doctor.strangers import read_http, recognise

#: Levels: as it should be; worth knowing; wrong.
OK, NOTE, BAD = "ok", "note", "bad"
#: Seconds from which on a call that does nothing is slow, days in which a certificate should be renewed, and bytes that
#: a message should be allowed to have.
SLOW, SOON, SMALL = 0.5, 14, 1 << 20
_REFUSED, _UNREACHABLE = os.strerror(errno.ECONNREFUSED), os.strerror(errno.EHOSTUNREACH)


class Finding(Struct, frozen=True):
    level: str
    text: str
    advice: str = ""

    def plain(self) -> dict[str, Any]:
        """As JSON data."""
        return {"level": self.level, "text": self.text} | ({"advice": self.advice} if self.advice else {})


def findings(facts: Facts, now: float) -> list[Finding]:
    """All there is to say; ``now`` is in seconds since 1970."""
    if facts.plain[0].kind == UNREACHABLE:
        return [_unreachable(facts.plain[0].text)]
    found = [*_spoken(facts), *_tls(facts, now), *_http(facts)]
    if facts.best is None:
        return [*found, *_nothing_spoken(facts)]
    return [*found, *_time(facts), *_size(facts), *_idle(facts), *_idl(facts)]


def exit_code(facts: Facts, found: Sequence[Finding]) -> int:
    """7 where nobody answers, 1 where something is wrong, else 0."""
    if facts.plain[0].kind == UNREACHABLE:
        return 7
    return int(any(each.level == BAD for each in found))


def _unreachable(text: str) -> Finding:
    advice = "is it the right address?"
    if _REFUSED in text:
        advice = "nobody listens there: is the server up, on this port, and on more than its own loopback interface?"
    elif "timed out" in text or _UNREACHABLE in text:
        advice = "a firewall that drops packets, or a machine that is off or elsewhere"
    elif "No such file" in text:
        advice = "there is no such socket: is the server up, and does --bind say the same path?"
    elif "Permission denied" in text:
        advice = "see --unix-mode, and the permissions of the directory"
    return Finding(BAD, text, advice)


def _spoken(facts: Facts) -> Iterator[Finding]:
    for answers, how in ((facts.plain, "without TLS"), (facts.secure, "over TLS")):
        names = [each.dialect for each in answers if each.kind == THRIFT]
        if names:
            yield Finding(OK, f"{how} it speaks {_grouped(names)}")
        reasons = dict.fromkeys(each.text for each in answers if each.kind == REFUSED)
        for reason in reasons:
            refused = [each.dialect for each in answers if each.kind == REFUSED and each.text == reason]
            yield Finding(NOTE, f"{how} it refuses {_grouped(refused)}: {reason}")
    best = facts.best
    if best is not None and best.dialect != "framed-binary":
        text = "it does not speak framed-binary, which clients speak that are not told otherwise"
        yield Finding(NOTE, text, f"dialect={best.dialect!r} for our clients, --dialect {best.dialect} for the tools")


def _grouped(names: Sequence[str]) -> str:
    """``framed binary, compact; http json``: dialects of one kind together."""
    kinds: dict[str, list[str]] = {}
    for name in names:
        kind, _, protocol = name.partition("-")
        kinds.setdefault(kind, []).append(protocol)
    return "; ".join(f"{kind} {', '.join(protocols)}" for kind, protocols in kinds.items())


def _tls(facts: Facts, now: float) -> Iterator[Finding]:
    tls = facts.tls
    if tls is None:
        return
    yield from _certificate(tls, now)
    if any(each.kind == THRIFT for each in facts.plain):
        return
    if any(each.kind == THRIFT for each in facts.secure):
        yield Finding(NOTE, "it speaks TLS only", "connect with it (--tls, tls= of clients); else every call fails")
    elif any("certificate" in each.text.lower().replace("_", " ") for each in facts.secure):
        yield Finding(BAD, "it asks clients for a certificate, and hangs up on who shows none", "show one (--cert)")


def _certificate(tls: Handshake, now: float) -> Iterator[Finding]:
    if tls.problem:
        level, advice = NOTE, "give clients the certificate of who vouches for it (--ca, Tls(ca=))"
        if "expired" in tls.problem:
            level, advice = BAD, "renew it, and reload the server"
        elif "mismatch" in tls.problem:
            advice = "connect by a name that stands in it"
        yield Finding(level, f"it speaks {tls.version}, and is not trusted: {tls.problem}", advice)
        return
    if not tls.expires:
        yield Finding(NOTE, f"it speaks {tls.version}, and its certificate was not looked at")
        return
    days = int((tls.expires - now) // 86400)
    until = datetime.fromtimestamp(tls.expires, UTC).date()
    names = f" for {', '.join(tls.names)}" if tls.names else ""
    text = f"it speaks {tls.version} with a certificate of {tls.subject}{names}, until {until} ({days} days)"
    yield Finding(BAD, text, "renew it, and reload the server") if days < SOON else Finding(OK, text)


def _http(facts: Facts) -> Iterator[Finding]:
    """An HTTP server, or a proxy, where its answers show one."""
    heads = [head for each in (*facts.plain, *facts.secure) if (head := read_http(each.start))]
    for server in dict.fromkeys(head.server for head in heads if head.server):
        yield Finding(NOTE, f"over HTTP {server} answers", "it has limits of its own: size, time, idle connections")
    for via in dict.fromkeys(head.via for head in heads if head.via):
        yield Finding(NOTE, f"over HTTP there is a proxy in between: {via}", "it has limits of its own")
    if facts.best is not None:
        return
    asked = [each for each in (*facts.plain, *facts.secure) if each.dialect.startswith("http")]
    for status in dict.fromkeys(head.status for each in asked if (head := read_http(each.start))):
        advice = "is the service at another --path, or on another port?"
        if status.startswith("400") and any("HTTPS" in each.start.decode("latin-1") for each in asked):
            advice = "it wants TLS"
        yield Finding(BAD, f"it is an HTTP server, and answers a call with {status}", advice)


def _nothing_spoken(facts: Facts) -> Iterator[Finding]:
    answers = (*facts.plain, *facts.secure)
    if facts.proxied is not None:
        advice = "connect through the proxy in front of it, or have it not expect one"
        yield Finding(BAD, "it expects the PROXY protocol before each connection", advice)
        return
    starts = [each.start for each in answers if each.start] + ([facts.sasl] if facts.sasl else [])
    strangers = {known.name: known for start in starts if (known := recognise(start))}
    if facts.tls is not None:
        strangers.pop("TLS", None)
    for known in strangers.values():
        yield Finding(BAD, f"it speaks {known.name}, and no Thrift that is known here", known.advice)
    if strangers or any(read_http(start) for start in starts) or (facts.tls and not _unexplained(facts)):
        return
    yield _quiet(answers) if not starts else _odd(starts)


def _unexplained(facts: Facts) -> bool:
    return not any("certificate" in each.text.lower().replace("_", " ") for each in facts.secure)


def _quiet(answers: Sequence[Answer]) -> Finding:
    kinds = {each.kind for each in answers}
    if SILENT in kinds and CLOSED not in kinds and OTHER not in kinds:
        advice = "it hangs, or is busy: a server with one thread has one client at a time"
        return Finding(BAD, "it takes connections, and answers nothing in any dialect", advice)
    advice = (
        "a proxy whose server is away, a server that lets only some addresses in, or one that serves several services "
        "and hangs up on who names none: call it with --idl and Service:method. Its log may know"
    )
    return Finding(BAD, "it takes connections, and closes them without an answer in any dialect", advice)


def _odd(starts: Sequence[bytes]) -> Finding:
    start = starts[0][:12]
    return Finding(
        BAD, f"its answers are no Thrift; they begin with {start.hex(' ')} ({start!r})", "is it the right port?"
    )


def _time(facts: Facts) -> Iterator[Finding]:
    best = facts.best
    if facts.latency is None or best is None:
        return
    least, middle, most = map(_milliseconds, facts.latency)
    text = f"a call takes {middle} (from {least} to {most}), a connection {_milliseconds(best.connecting)}"
    if facts.latency[1] >= SLOW:
        advice = "the call does nothing there: the network, or a server whose loop or threads are busy"
        yield Finding(BAD, text, advice)
        return
    yield Finding(OK, text)


def _size(facts: Facts) -> Iterator[Finding]:
    limit = facts.limit
    if limit is None:
        return
    if limit.refused == 0:
        text = f"it takes messages of {_bytes(limit.taken)} and more"
        yield Finding(NOTE, text, "whoever announces such a message may cost it as much memory; set a limit")
        return
    text = f"it takes messages of {_bytes(limit.taken)}, and refuses those of {_bytes(limit.refused)}"
    if limit.taken >= SMALL:
        yield Finding(OK, text)
        return
    yield Finding(BAD, text, "larger requests end their connection; raise its limit (--max-frame of a thriftserver)")


def _idle(facts: Facts) -> Iterator[Finding]:
    if facts.idle is not None:
        advice = (
            "have clients keep idle connections for less than that (idle= of a pool), or raise --idle-timeout there"
        )
        yield Finding(NOTE, f"it closes a connection that is idle for {facts.idle:.1f} s", advice)
    elif facts.idle_tried:
        yield Finding(OK, f"an idle connection is open after {facts.idle_tried:g} s")


def _idl(facts: Facts) -> Iterator[Finding]:
    if facts.told is not None:
        server, services = facts.told
        yield Finding(OK, f"{server} serves {', '.join(services)}, and tells its IDL")
    elif facts.untold:
        yield Finding(NOTE, "it does not tell its IDL", "give the tools --idl FILE")


def _milliseconds(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.0f} ms" if seconds >= 0.01 else f"{seconds * 1000:.2g} ms"


def _bytes(size: int) -> str:
    for unit, word in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit:
            return f"{size / unit:.3g} {word}"
    return f"{size} bytes"
