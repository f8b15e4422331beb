"""One codec in a process of its own: ``python -m bench.codecs NAME``.

Reads lines ``CASE encode|decode COUNT`` and answers each with the CPU nanoseconds of one operation. Every codec of
Thrift must write and read exactly the bytes of workload.py, in other protocols than the binary one those of Apache's
readable source, before anything is timed.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from bench import servers, workload
from thriftserver.compiled import NATIVE

Operation = Callable[[], Any]


class Pair(NamedTuple):
    encode: Operation
    decode: Operation
    #: What ``decode`` returned, encoded: equal to what it was decoded from.
    again: Callable[[Any], bytes]


def build(make: Callable[[str, dict[str, Any]], Any], table: str, data: dict[str, Any]) -> Any:
    """Plain data as objects, each made by ``make(name of the struct, fields)``."""

    def value(t: Any, plain: Any) -> Any:
        if isinstance(t, tuple) and t[0] == workload.STRUCT:
            return build(make, t[1], plain)
        if isinstance(t, tuple) and t[0] == workload.LIST:
            return [value(t[1], each) for each in plain]
        return plain

    return make(table, {name: value(t, data[name]) for _, name, t in workload.TABLES[table] if name in data})


def of_classes(module: Any, table: str, data: dict[str, Any]) -> Any:
    return build(lambda name, fields: getattr(module, name)(**fields), table, data)


def thriftserver(table: str, data: dict[str, Any], raw: bytes, protocol: str) -> Pair:
    import thriftserver
    from thriftserver.compiled import choose

    module: Any = thriftserver.load(str(servers.IDL))
    value, cls = of_classes(module, table, data), getattr(module, table)
    codec = choose(f"codec.{protocol}.message")
    serialize, deserialize = codec.encode_struct, codec.decode_struct
    return Pair(lambda: serialize(value), lambda: deserialize(cls, raw), serialize)


def _thriftpy2(table: str, data: dict[str, Any], raw: bytes, spoken: Any, memory: Any) -> Pair:
    import thriftpy2

    module = thriftpy2.load(str(servers.IDL), module_name="codec_thrift")
    value, cls = of_classes(module, table, data), getattr(module, table)

    def encode(value: Any = value) -> bytes:
        buffer = memory()
        spoken(buffer).write_struct(value)
        written: bytes = buffer.getvalue()
        return written

    def decode() -> Any:
        found = cls()
        spoken(memory(raw)).read_struct(found)
        return found

    return Pair(encode, decode, encode)


def thriftpy2(table: str, data: dict[str, Any], raw: bytes, protocol: str) -> Pair:
    from thriftpy2.protocol.cybin import TCyBinaryProtocol
    from thriftpy2.transport.memory import TCyMemoryBuffer

    return _thriftpy2(table, data, raw, TCyBinaryProtocol, TCyMemoryBuffer)


def thriftpy2_pure(table: str, data: dict[str, Any], raw: bytes, protocol: str) -> Pair:
    """Its readable source, which is all that it has of other protocols than the binary one."""
    from thriftpy2.protocol import binary, compact
    from thriftpy2.transport.memory import TMemoryBuffer

    spoken = {"binary": binary.TBinaryProtocol, "compact": compact.TCompactProtocol}[protocol]
    return _thriftpy2(table, data, raw, spoken, TMemoryBuffer)


def _apache(protocol: str, fastest: bool) -> Any:
    """What makes a protocol of Apache's library; an error if that is to be the fastest and its extension is missing."""
    from thrift.protocol import TBinaryProtocol, TCompactProtocol, TJSONProtocol

    readable = {
        "binary": TBinaryProtocol.TBinaryProtocol,
        "compact": TCompactProtocol.TCompactProtocol,
        "tjson": TJSONProtocol.TJSONProtocol,
    }
    compiled = {
        "binary": TBinaryProtocol.TBinaryProtocolAccelerated,
        "compact": TCompactProtocol.TCompactProtocolAccelerated,
    }
    if not fastest or protocol not in compiled:
        return readable[protocol]
    return partial(compiled[protocol], fallback=False)


def apache(table: str, data: dict[str, Any], raw: bytes, protocol: str) -> Pair:
    """Apache's library with generated classes."""
    sys.path.insert(0, str(servers.BUILD / "gen-py"))
    from bench_gen import ttypes
    from thrift.transport.TTransport import TMemoryBuffer

    value, cls, spoken = of_classes(ttypes, table, data), getattr(ttypes, table), _apache(protocol, True)

    def encode(value: Any = value) -> bytes:
        buffer = TMemoryBuffer()
        value.write(spoken(buffer))
        written: bytes = buffer.getvalue()
        return written

    def decode() -> Any:
        found = cls()
        found.read(spoken(TMemoryBuffer(raw)))
        return found

    return Pair(encode, decode, encode)


def msgspec(table: str, data: dict[str, Any], raw: bytes, protocol: str) -> Pair:
    """msgspec's msgpack with equal structs: the reference, and not Thrift."""
    import msgspec

    scalars: dict[Any, Any] = {workload.TEXT: str, workload.BINARY: bytes, workload.BOOL: bool, workload.DOUBLE: float}
    classes: dict[str, Any] = {}

    def annotation(t: Any) -> Any:
        if isinstance(t, int) or t in scalars:
            return scalars.get(t, int)
        code, detail = t
        if code == workload.STRUCT:
            return struct(detail)
        if code == workload.LIST:
            return list[annotation(detail)]  # type: ignore[misc]
        return dict[annotation(detail[0]), annotation(detail[1])]  # type: ignore[misc]

    def struct(name: str) -> Any:
        if name not in classes:
            fields = [(field, annotation(t) | None, None) for _, field, t in workload.TABLES[name]]
            classes[name] = msgspec.defstruct(name, fields, omit_defaults=True)
        return classes[name]

    cls = struct(table)
    value = build(lambda name, fields: struct(name)(**fields), table, data)
    encode, decode = msgspec.msgpack.Encoder().encode, msgspec.msgpack.Decoder(cls).decode
    packed = encode(value)
    assert decode(packed) == value
    return Pair(lambda: encode(value), lambda: decode(packed), lambda _: raw)


class Row(NamedTuple):
    """A codec: what makes its operations, in which protocol, whether it runs without thriftserver's compiled code."""

    make: Callable[[str, dict[str, Any], bytes, str], Pair]
    protocol: str = "binary"
    pure: bool = False


CODECS = {
    "thriftserver": Row(thriftserver),
    "msgspec": Row(msgspec),
    "thriftpy2": Row(thriftpy2),
    "apache": Row(apache),
    "thriftserver_pure": Row(thriftserver, pure=True),
    "thriftpy2_pure": Row(thriftpy2_pure),
    "thriftserver_compact": Row(thriftserver, "compact"),
    "thriftpy2_compact": Row(thriftpy2_pure, "compact"),
    "apache_compact": Row(apache, "compact"),
    "thriftserver_tjson": Row(thriftserver, "tjson"),
    "apache_tjson": Row(apache, "tjson"),
}


def reference(protocol: str, table: str, data: dict[str, Any]) -> bytes:
    """The bytes that a codec has to write and read."""
    if protocol == "binary":
        return workload.encode(table, data)
    from thrift.transport.TTransport import TMemoryBuffer

    buffer = TMemoryBuffer()
    _write(_apache(protocol, False)(buffer), (workload.STRUCT, table), data)
    written: bytes = buffer.getvalue()
    return written


_CALLS = {
    workload.BOOL: "writeBool",
    workload.BYTE: "writeByte",
    workload.DOUBLE: "writeDouble",
    workload.I16: "writeI16",
    workload.I32: "writeI32",
    workload.I64: "writeI64",
    workload.TEXT: "writeString",
    workload.BINARY: "writeBinary",
}


def _write(out: Any, t: Any, value: Any) -> None:
    """A value through Apache's generic protocol calls."""
    if t in _CALLS:
        getattr(out, _CALLS[t])(value)
    elif t[0] == workload.STRUCT:
        out.writeStructBegin(t[1])
        for id, name, inner in workload.TABLES[t[1]]:
            if value.get(name) is not None:
                out.writeFieldBegin(name, workload.code_of(inner), id)
                _write(out, inner, value[name])
                out.writeFieldEnd()
        out.writeFieldStop()
        out.writeStructEnd()
    elif t[0] == workload.LIST:
        out.writeListBegin(workload.code_of(t[1]), len(value))
        for each in value:
            _write(out, t[1], each)
        out.writeListEnd()
    else:
        out.writeMapBegin(*map(workload.code_of, t[1]), len(value))
        for pair in value.items():
            for inner, each in zip(t[1], pair, strict=True):
                _write(out, inner, each)
        out.writeMapEnd()


def checked(name: str) -> dict[tuple[str, str], Operation]:
    """Every operation of a codec, after its bytes have been compared."""
    operations: dict[tuple[str, str], Operation] = {}
    row = CODECS[name]
    for case, (table, data) in workload.codec_cases().items():
        raw = reference(row.protocol, table, data)
        pair = row.make(table, data, raw, row.protocol)
        written, again = bytes(pair.encode()), bytes(pair.again(pair.decode()))
        # Doubles of JSON have as many digits as each library likes.
        if name != "msgspec" and (written != again or (written != raw and row.protocol != "tjson")):
            raise SystemExit(f"{name} does not write or read the bytes of {case} that it should")
        operations[case, "encode"], operations[case, "decode"] = pair.encode, pair.decode
    return operations


def timed(operation: Operation, count: int) -> float:
    """CPU nanoseconds of one operation; the cyclic collector stays on, as in a server."""
    start = time.thread_time_ns()
    for _ in range(count):
        operation()
    return (time.thread_time_ns() - start) / count


def main(name: str) -> None:
    if name.startswith("thriftserver") and CODECS[name].pure == NATIVE:
        raise SystemExit(f"{name} would run {'compiled' if NATIVE else 'pure'}: is the package built?")
    operations = checked(name)
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        case, what, count = line.split()
        print(timed(operations[case, what], int(count)), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
