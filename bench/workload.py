"""The workload: plain Python data, request frames and the replies expected.

Everything here is independent of any Thrift library: a small binary-protocol
writer driven by the type tables below.  The load generator replays the frames
made here and compares each reply byte for byte with the reply expected, so
every server under test must do exactly the same work.

    python workload.py OUTDIR      writes <method>.req and <method>.rep
"""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

STOP, BOOL, BYTE, DOUBLE, I16, I32, I64, STRING = 0, 2, 3, 4, 6, 8, 10, 11
STRUCT, MAP, SET, LIST = 12, 13, 14, 15
CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4

# A type is a code, or (code, detail): STRUCT -> table name, LIST -> element,
# MAP -> (key, value).  "binary" and "string" share the wire type STRING.
TEXT, BINARY = (STRING, "text"), (STRING, "binary")

TABLES: dict[str, list[tuple[int, str, Any]]] = {
    "Address": [
        (1, "street", TEXT),
        (2, "city", TEXT),
        (3, "zip", TEXT),
        (4, "country", I32),
        (5, "lat", DOUBLE),
        (6, "lon", DOUBLE),
    ],
    "User": [
        (1, "id", I32),
        (2, "name", TEXT),
        (3, "email", TEXT),
        (4, "role", I32),
        (5, "active", BOOL),
        (6, "score", DOUBLE),
        (7, "created_at", I64),
        (8, "avatar", BINARY),
        (9, "address", (STRUCT, "Address")),
        (10, "tags", (LIST, TEXT)),
        (11, "counters", (MAP, (TEXT, I32))),
        (12, "level", I16),
        (13, "nickname", TEXT),
        (14, "flags", BYTE),
    ],
    "Users": [(1, "users", (LIST, (STRUCT, "User")))],
    "Numbers": [(1, "values", (LIST, I64))],
    "Blob": [(1, "data", BINARY)],
    "Texts": [(1, "values", (LIST, TEXT))],
    "Leaf": [(1, "a", I32), (2, "b", TEXT), (3, "c", DOUBLE)],
    "L6": [(1, "n", I32), (2, "s", TEXT), (3, "leaves", (LIST, (STRUCT, "Leaf")))],
    "ping_args": [],
    "ping_result": [],
    "echo_args": [(1, "text", TEXT)],
    "echo_result": [(0, "success", TEXT)],
    "add_args": [(1, "a", I64), (2, "b", I64)],
    "add_result": [(0, "success", I64)],
    "get_user_args": [(1, "id", I32)],
    "get_user_result": [(0, "success", (STRUCT, "User"))],
    "batch_args": [(1, "users", (LIST, (STRUCT, "User")))],
    "batch_result": [(0, "success", (LIST, (STRUCT, "User")))],
    "burn_args": [(1, "microseconds", I32)],
    "burn_result": [],
    "notify_args": [(1, "code", I32), (2, "text", TEXT)],
}
for _n in (5, 4, 3, 2):
    TABLES[f"L{_n}"] = [
        (1, "n", I32),
        (2, "s", TEXT),
        (3, "left", (STRUCT, f"L{_n + 1}")),
        (4, "right", (STRUCT, f"L{_n + 1}")),
    ]
_WIDE = [I32, I64, DOUBLE, BOOL, TEXT, I16]
TABLES["DeepWide"] = [(1, "tree", (STRUCT, "L2"))] + [(_i + 2, f"w{_i:02d}", _WIDE[_i % 6]) for _i in range(48)]


def code_of(t: Any) -> int:
    return t if isinstance(t, int) else t[0]


_FIXED = {BYTE: struct.Struct(">b"), I16: struct.Struct(">h"), I32: struct.Struct(">i"), I64: struct.Struct(">q")}
_FIXED |= {DOUBLE: struct.Struct(">d"), BOOL: struct.Struct(">?")}


def write_value(out: list[bytes], t: Any, value: Any) -> None:
    code = code_of(t)
    if code in _FIXED:
        out.append(_FIXED[code].pack(value))
    elif code == STRING:
        raw = value.encode() if isinstance(value, str) else value
        out.append(struct.pack(">i", len(raw)) + raw)
    elif code == STRUCT:
        write_struct(out, t[1], value)
    elif code == LIST:
        out.append(struct.pack(">bi", code_of(t[1]), len(value)))
        for element in value:
            write_value(out, t[1], element)
    else:
        key_type, value_type = t[1]
        out.append(struct.pack(">bbi", code_of(key_type), code_of(value_type), len(value)))
        for key, element in value.items():
            write_value(out, key_type, key)
            write_value(out, value_type, element)


def write_struct(out: list[bytes], name: str, data: dict[str, Any]) -> None:
    for fid, key, t in TABLES[name]:
        v = data.get(key)
        if v is not None:
            out.append(struct.pack(">bh", code_of(t), fid))
            write_value(out, t, v)
    out.append(b"\x00")


def encode(name: str, data: dict[str, Any]) -> bytes:
    out: list[bytes] = []
    write_struct(out, name, data)
    return b"".join(out)


def message(method: str, mtype: int, body: bytes, seqid: int = 0) -> bytes:
    raw = method.encode()
    return struct.pack(">Ii", 0x80010000 | mtype, len(raw)) + raw + struct.pack(">i", seqid) + body


def frame(payload: bytes) -> bytes:
    return struct.pack(">i", len(payload)) + payload


def user(i: int) -> dict[str, Any]:
    """User number i as a dict; the same rule is coded in handlers/bench_handler.py and native/make_user.h."""
    u: dict[str, Any] = {
        "id": i,
        "name": f"User Number {i}",
        "email": f"user{i}@example.org",
        "role": 1,
        "active": True,
        "score": i * 0.5,
        "created_at": 1700000000000 + i,
        "avatar": b"\x89PNG\x0d\x0a\x1a\x0a" + bytes(range(24)),
        "address": {
            "street": f"{i} Main Street",
            "city": "Z\u00fcrich",
            "zip": "8001",
            "country": 756,
            "lat": 47.3769,
            "lon": 8.5417,
        },
        "tags": ["alpha", "beta", "gamma"],
        "counters": {"likes": i, "logins": 42, "posts": 7},
        "level": 3,
        "flags": 5,
    }
    if i % 2:
        u["nickname"] = f"nick{i}"
    return u


ECHO_TEXT = "The quick brown fox jumps over the lazy dog."
ADD = (1234567890123, 987654321)
USER_ID = 4711
BATCH = 100
BURN_US = 1000


def users(n: int = BATCH) -> list[dict[str, Any]]:
    return [user(1000 + i) for i in range(n)]


def deep_wide() -> dict[str, Any]:
    def node(level: int, n: int) -> dict[str, Any]:
        d: dict[str, Any] = {"n": n, "s": f"node {n} of level {level}"}
        if level == 6:
            d["leaves"] = [{"a": n * 4 + k, "b": f"leaf {k}", "c": k * 0.25} for k in range(4)]
        else:
            d["left"] = node(level + 1, 2 * n)
            d["right"] = node(level + 1, 2 * n + 1)
        return d

    data = {"tree": node(2, 1)}
    values = [12345, 1 << 40, 2.75, True, "a wide field", 321]
    for i in range(48):
        data[f"w{i:02d}"] = values[i % 6]
    return data


def codec_cases() -> dict[str, tuple[str, dict[str, Any]]]:
    """name -> (table, data)"""
    return {
        "User": ("User", user(1)),
        "Users100": ("Users", {"users": users()}),
        "DeepWide": ("DeepWide", deep_wide()),
        "I64x10k": ("Numbers", {"values": [(i * 2654435761) << 8 for i in range(10000)]}),
        "Text1k": ("Texts", {"values": [f"text number {i}" for i in range(1000)]}),
        "Blob1MiB": ("Blob", {"data": bytes(range(256)) * 4096}),
    }


def requests() -> dict[str, tuple[list[bytes], list[bytes]]]:
    """The request payloads of each method and the replies expected; a oneway call expects the empty reply."""
    calls: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
        "ping": ({}, {}),
        "echo": ({"text": ECHO_TEXT}, {"success": ECHO_TEXT}),
        "add": ({"a": ADD[0], "b": ADD[1]}, {"success": sum(ADD)}),
        "get_user": ({"id": USER_ID}, {"success": user(USER_ID)}),
        "batch": ({"users": users()}, {"success": users()}),
        "burn": ({"microseconds": BURN_US}, {}),
    }
    out = {
        method: (
            [message(method, CALL, encode(method + "_args", args))],
            [message(method, REPLY, encode(method + "_result", result))],
        )
        for method, (args, result) in calls.items()
    }
    # A oneway has no reply: it is measured as a pair (oneway, ping).
    notify = message("notify", ONEWAY, encode("notify_args", {"code": 7, "text": "something happened"}))
    out["oneway"] = ([notify, *out["ping"][0]], [b"", *out["ping"][1]])
    return out


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for method, (asked, answered) in requests().items():
        (directory / f"{method}.req").write_bytes(b"".join(map(frame, asked)))
        (directory / f"{method}.rep").write_bytes(b"".join(map(frame, answered)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
