"""One codec in a process of its own: ``python -m bench.codecs NAME``.

Reads lines ``CASE encode|decode COUNT`` and answers each with the CPU nanoseconds of one operation. Every codec of
Thrift must write and read exactly the bytes of workload.py before anything is timed.
"""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable
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


def thriftserver(table: str, data: dict[str, Any], raw: bytes) -> Pair:
    import thriftserver

    module: Any = thriftserver.load(str(servers.IDL))
    value, cls = of_classes(module, table, data), getattr(module, table)
    serialize, deserialize = thriftserver.serialize, thriftserver.deserialize
    return Pair(lambda: serialize(value), lambda: deserialize(cls, raw), serialize)


def _thriftpy2(table: str, data: dict[str, Any], raw: bytes, protocol: Any, memory: Any) -> Pair:
    import thriftpy2

    module = thriftpy2.load(str(servers.IDL), module_name="codec_thrift")
    value, cls = of_classes(module, table, data), getattr(module, table)

    def encode(value: Any = value) -> bytes:
        buffer = memory()
        protocol(buffer).write_struct(value)
        written: bytes = buffer.getvalue()
        return written

    def decode() -> Any:
        found = cls()
        protocol(memory(raw)).read_struct(found)
        return found

    return Pair(encode, decode, encode)


def thriftpy2(table: str, data: dict[str, Any], raw: bytes) -> Pair:
    from thriftpy2.protocol.cybin import TCyBinaryProtocol
    from thriftpy2.transport.memory import TCyMemoryBuffer

    return _thriftpy2(table, data, raw, TCyBinaryProtocol, TCyMemoryBuffer)


def thriftpy2_pure(table: str, data: dict[str, Any], raw: bytes) -> Pair:
    from thriftpy2.protocol.binary import TBinaryProtocol
    from thriftpy2.transport.memory import TMemoryBuffer

    return _thriftpy2(table, data, raw, TBinaryProtocol, TMemoryBuffer)


def apache(table: str, data: dict[str, Any], raw: bytes) -> Pair:
    """Apache's library with generated classes; an error if its C++ extension is missing."""
    sys.path.insert(0, str(servers.BUILD / "gen-py"))
    from bench_gen import ttypes
    from thrift.protocol import fastbinary  # noqa: F401
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.transport.TTransport import TMemoryBuffer

    value, cls = of_classes(ttypes, table, data), getattr(ttypes, table)

    def encode(value: Any = value) -> bytes:
        buffer = TMemoryBuffer()
        value.write(TBinaryProtocolAccelerated(buffer, fallback=False))
        written: bytes = buffer.getvalue()
        return written

    def decode() -> Any:
        found = cls()
        found.read(TBinaryProtocolAccelerated(TMemoryBuffer(raw), fallback=False))
        return found

    return Pair(encode, decode, encode)


def msgspec(table: str, data: dict[str, Any], raw: bytes) -> Pair:
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


#: name -> (what makes its operations, whether it runs without thriftserver's compiled code).
CODECS: dict[str, tuple[Callable[[str, dict[str, Any], bytes], Pair], bool]] = {
    "thriftserver": (thriftserver, False),
    "msgspec": (msgspec, False),
    "thriftpy2": (thriftpy2, False),
    "apache": (apache, False),
    "thriftserver_pure": (thriftserver, True),
    "thriftpy2_pure": (thriftpy2_pure, False),
}


def checked(name: str) -> dict[tuple[str, str], Operation]:
    """Every operation of a codec, after its bytes have been compared."""
    operations: dict[tuple[str, str], Operation] = {}
    for case, (table, data) in workload.codec_cases().items():
        raw = workload.encode(table, data)
        pair = CODECS[name][0](table, data, raw)
        if name != "msgspec" and not bytes(pair.encode()) == bytes(pair.again(pair.decode())) == raw:
            raise SystemExit(f"{name} and workload.py differ on {case}")
        operations[case, "encode"], operations[case, "decode"] = pair.encode, pair.decode
    return operations


def timed(operation: Operation, count: int) -> float:
    """CPU nanoseconds of one operation; the cyclic collector stays on, as in a server."""
    start = time.thread_time_ns()
    for _ in range(count):
        operation()
    return (time.thread_time_ns() - start) / count


def main(name: str) -> None:
    if name.startswith("thriftserver") and CODECS[name][1] == NATIVE:
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
