"""Goes through a server from the outside, step by step, and writes down what it finds.

What that means is ``findings``' to say.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

from msgspec import Struct

from thriftserver.client.sync import Client
from thriftserver.client.tls import Tls
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.discovery.addresses import Address
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.doctor import limits
from thriftserver.doctor.probe import THRIFT, UNREACHABLE, Answer, Patient, ask, exchange
from thriftserver.errors import ThriftServerError
from thriftserver.reflection.asking import ask as ask_for_idl
from thriftserver.tls.certificate import certificate_of

#: Each dialect once: ``header`` and ``http`` are other names of the first one of their kind.
DIALECTS = tuple(name for name in SPEAKABLE if name not in ("header", "http"))
#: Calls that are timed.
_TIMES = 10
#: What a proxy says that passes on who its client is.
_PROXY = b"PROXY UNKNOWN\r\n"
#: How SASL begins: START, and a mechanism.
_SASL = b"\x01\0\0\0\x05PLAIN\x02\0\0\0\x00"


class Handshake(Struct, frozen=True):
    """What a handshake has shown: ``problem`` is why a client that trusts what it should does not trust this server.

    ``expires`` is in seconds since 1970, 0 if nobody knows.
    """

    version: str
    subject: str = ""
    names: tuple[str, ...] = ()
    expires: float = 0.0
    problem: str = ""


class Facts(Struct, frozen=True):
    """All that was found. ``latency`` are seconds of calls, the fastest, the middle and the slowest one.

    ``idle`` is after how many seconds an idle connection was closed; None if it was open after ``idle_tried``.
    ``told`` are the server and the services that it tells of itself; ``untold`` why it tells nothing.
    """

    address: str
    plain: tuple[Answer, ...]
    secure: tuple[Answer, ...] = ()
    tls: Handshake | None = None
    proxied: Answer | None = None
    sasl: bytes = b""
    latency: tuple[float, float, float] | None = None
    limit: limits.Limit | None = None
    idle: float | None = None
    idle_tried: float = 0.0
    told: tuple[str, tuple[str, ...]] | None = None
    untold: str = ""

    @property
    def best(self) -> Answer | None:
        """The first way in which Thrift is spoken: without TLS, framed and binary before others."""
        return next((each for each in (*self.plain, *self.secure) if each.kind == THRIFT), None)


def examine(
    address: Address, path: str, timeout: float, idle: float, tls: Tls | None, say: Callable[[str], None]
) -> Facts:
    """Everything that can be learned of a server; ``say`` hears of each step. Each may take ``timeout`` seconds.

    ``tls`` is how a client means to meet it, None for one that trusts whom the system does.
    """
    patient = Patient(resolver_of(str(address)), path, timeout, tls or Tls())
    plain = _each(patient, False, say)
    if plain[0].kind == UNREACHABLE:
        return Facts(str(address), plain)
    say("TLS")
    shaken = None if address.is_unix else _handshake(patient)
    if shaken and shaken.problem:
        patient = Patient(patient.where, path, timeout, Tls(insecure=True))
    secure = _each(patient, True, say) if shaken else ()
    facts: dict[str, Any] = {"address": str(address), "plain": plain, "tls": shaken, "secure": secure}
    best = Facts(**facts).best
    if best is None:
        return Facts(**facts, **_last_resorts(patient, say))
    return Facts(**facts, **_closer(patient, best, idle, str(address), say))


def _each(patient: Patient, tls: bool, say: Callable[[str], None]) -> tuple[Answer, ...]:
    """An answer for each dialect; one is enough from who cannot be reached."""
    answers: list[Answer] = []
    for name in DIALECTS:
        say(f"{name}{' over TLS' if tls else ''}")
        answers.append(ask(patient, name, tls))
        if answers[-1].kind == UNREACHABLE:
            break
    return tuple(answers)


def _handshake(patient: Patient) -> Handshake | None:
    """What TLS there is; None if none is."""
    try:
        return _shaken(patient)
    except ThriftServerError as error:
        problem = str(error)
    try:
        shaken = _shaken(Patient(patient.where, patient.path, patient.timeout, Tls(insecure=True)))
    except ThriftServerError:
        return None
    problem = problem.rpartition("TLS handshake: ")[2].removeprefix("the server's certificate is refused: ")
    return Handshake(shaken.version, problem=problem)


def _shaken(patient: Patient) -> Handshake:
    line, _ = patient.open(True)
    connection = line.encryption.connection
    line.close()
    version, certificate = connection.version() or "TLS", certificate_of(connection)
    if certificate is None:
        return Handshake(version)
    return Handshake(version, certificate.subject, certificate.sans, certificate.not_after)


def _last_resorts(patient: Patient, say: Callable[[str], None]) -> dict[str, Any]:
    """Nothing that clients speak is understood: is something expected before it?"""
    say("the PROXY protocol")
    proxied = ask(patient, DIALECTS[0], False, _PROXY)
    say("SASL")
    return {"proxied": proxied if proxied.kind == THRIFT else None, "sasl": _said_to(patient, _SASL)}


def _said_to(patient: Patient, words: bytes) -> bytes:
    try:
        line, _ = patient.open(False)
    except (OSError, ThriftServerError):
        return b""
    try:
        line.send(words, patient.timeout)
        data: bytes = line.receive(1 << 12, patient.timeout)
    except OSError:
        return b""
    finally:
        line.close()
    return data


def _closer(patient: Patient, best: Answer, idle: float, address: str, say: Callable[[str], None]) -> dict[str, Any]:
    """What can be learned of who speaks Thrift."""
    found: dict[str, Any] = {}
    say("how long a call takes")
    try:
        found["latency"] = latency = _latency(patient, best)
        say("how large a message may be")
        found["limit"] = limits.largest(patient, best.dialect, best.tls, latency[1])
        if idle:
            say(f"an idle connection, {idle:g} s")
            found["idle"] = limits.closes_after(patient, best.dialect, best.tls, idle)
            found["idle_tried"] = idle
    except (OSError, ThriftServerError):
        pass  # it has gone meanwhile: what was found is told
    say("its IDL")
    try:
        told = ask_for_idl(lambda kind, service: _client(patient, best, kind, service), address)
        found["told"] = (told.server, told.services)
    except (OSError, ThriftServerError) as error:
        found["untold"] = str(error)
    return found


def _client(patient: Patient, best: Answer, kind: type[Client], service: str) -> Client:
    address = patient.where.addresses(patient.timeout)[0]
    path = patient.path if best.dialect.startswith("http") else "/"
    tls = patient.tls if best.tls else None
    return kind(str(address), service=service, timeout=patient.timeout, dialect=best.dialect, path=path, tls=tls)


def _latency(patient: Patient, best: Answer) -> tuple[float, float, float]:
    """Of some calls on one connection: the fastest, the middle and the slowest one."""
    took = [best.seconds]
    conversation = patient.speech(best.dialect)
    line, _ = patient.open(best.tls)
    try:
        while len(took) < _TIMES and not conversation.over():
            answer = exchange(line, conversation, patient.timeout, best.dialect, best.tls)
            if answer.kind != THRIFT:
                break
            took.append(answer.seconds)
    finally:
        line.close()
    return min(took), median(took), max(took)
