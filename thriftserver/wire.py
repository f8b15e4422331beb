"""The numbers of the Thrift protocols, and nothing that acts on them.

Source: Apache Thrift's protocol specification; ``APPLICATION`` types 11 and 12 are used as fbthrift uses them.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

# Wire types of the binary protocol, as they stand in a field header. All codecs name types by them.
STOP: Final = 0
BOOL: Final = 2
BYTE: Final = 3
DOUBLE: Final = 4
I16: Final = 6
I32: Final = 8
I64: Final = 10
STRING: Final = 11
STRUCT: Final = 12
MAP: Final = 13
SET: Final = 14
LIST: Final = 15
UUID: Final = 16

# Message kinds.
CALL: Final = 1
REPLY: Final = 2
EXCEPTION: Final = 3
ONEWAY: Final = 4

#: First two bytes of a strict binary message; the low byte of the word is the message kind.
VERSION_1: Final = 0x80010000
VERSION_MASK: Final = 0xFFFF0000
#: First byte of a compact message, and the low five bits of the second; the others are the message kind.
COMPACT_ID: Final = 0x82
COMPACT_VERSION: Final = 1

#: Bytes a method name may have; longer ones are refused before they are read as text.
MAX_NAME: Final = 256
#: Bytes one frame may have unless configured otherwise (16,384,000, Apache's own default).
MAX_FRAME: Final = 16_384_000
#: Containers and structs that may be nested within each other.
MAX_DEPTH: Final = 64

#: What a message may be packed and written in, in the order of their numbers (``dialect.table`` has the rest).
DIALECTS: Final = (
    "framed-binary",
    "framed-compact",
    "framed-json",
    "unframed-binary",
    "unframed-compact",
    "unframed-json",
    "header",
    "http",
)

#: The info header, or header field, in which a client says how many milliseconds its caller waits; fbthrift's name.
TIMEOUT_HEADER: Final = "client_timeout"


class Application(IntEnum):
    """Types of a TApplicationException: what a server answers when it has no result to give."""

    UNKNOWN = 0
    UNKNOWN_METHOD = 1
    INVALID_MESSAGE_TYPE = 2
    WRONG_METHOD_NAME = 3
    BAD_SEQUENCE_ID = 4
    MISSING_RESULT = 5
    INTERNAL_ERROR = 6
    PROTOCOL_ERROR = 7
    INVALID_TRANSFORM = 8
    INVALID_PROTOCOL = 9
    UNSUPPORTED_CLIENT_TYPE = 10
    LOADSHEDDING = 11
    TIMEOUT = 12
