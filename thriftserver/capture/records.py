"""What is kept of overheard calls, and how it stands in a stream: what a worker sends is what a file holds.

A record is its length, four bytes in network order, and so many bytes of MessagePack: an array that begins with the
record's kind. Whoever reads a stream may not trust it: code in a worker can write into it, and a file is a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

#: Bytes of a record: nothing that is larger was ever written.
LARGEST: Final = (1 << 31) - 1
_LENGTH: Final = 4


class File(msgspec.Struct, array_like=True, frozen=True):
    """A file of an IDL."""

    path: str
    text: str


class Schema(msgspec.Struct, array_like=True, frozen=True, tag="schema"):
    """The IDL that calls are read with: what a server tells of itself (``reflection.contract``).

    ``id`` is what calls refer to it by; it comes before the first of them.
    """

    id: str
    files: tuple[File, ...]
    served: tuple[str, ...]
    services: tuple[str, ...]
    server: str


class Heard(msgspec.Struct, array_like=True, frozen=True, tag="call"):
    """A call and its reply.

    ``at`` is when it arrived, in nanoseconds since 1970; ``duration`` the nanoseconds until its reply was ready, of
    which it has waited for its turn ``queued``. ``request`` and ``reply`` are the messages in ``protocol``, without
    what ``dialect`` packs them in; a oneway call has no reply. Where something in one must not be shown, it is empty,
    and ``arguments`` (by their names) or ``answer`` is the rest as JSON data. ``headers`` came beside the call, where
    they were asked for.
    """

    schema: str
    worker: int
    at: int
    duration: int
    queued: int
    service: str
    method: str
    peer: str
    dialect: str
    protocol: str
    oneway: bool
    outcome: str
    request_bytes: int
    reply_bytes: int
    request: bytes
    reply: bytes
    arguments: dict[str, Any] | None = None
    answer: dict[str, Any] | None = None
    headers: dict[str, str] | None = None


class Began(msgspec.Struct, array_like=True, frozen=True, tag="began"):
    """From here on this worker's calls are heard."""

    worker: int


class Lost(msgspec.Struct, array_like=True, frozen=True, tag="lost"):
    """So many calls of this worker were not kept, because whoever asked for them did not keep up."""

    worker: int
    count: int


Record: TypeAlias = Schema | Began | Heard | Lost

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)


def written(record: Record) -> bytes:
    """The bytes of a record, with their length."""
    body = _encoder.encode(record)
    return len(body).to_bytes(_LENGTH, "big") + body


class Unreadable(ValueError):
    """These bytes are no record of ours."""


def parse(body: bytes | memoryview) -> Record:
    """The record in these bytes, without their length. Raises Unreadable."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unreadable(f"no record of a call: {error}") from None


def split(data: bytearray) -> Iterator[Record]:
    """The whole records that ``data`` begins with, which are taken out. Raises Unreadable."""
    at = 0
    try:
        while len(data) - at >= _LENGTH:
            size = int.from_bytes(data[at : at + _LENGTH], "big")
            if size > LARGEST:
                raise Unreadable(f"a record of {size} bytes")
            if len(data) - at - _LENGTH < size:
                break
            at += _LENGTH + size
            yield parse(bytes(data[at - size : at]))
    finally:
        del data[:at]
