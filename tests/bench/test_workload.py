"""The workload's own encoder and thriftserver's write the same bytes, with the benchmark's own handler."""

from __future__ import annotations

from typing import Any

import pytest

import thriftserver
from bench import codecs, servers, workload
from bench.handlers.bench_handler import handler_class
from thriftserver.codec.plan import method_plan
from thriftserver.codec.protocols import binary
from thriftserver.loading import Api


@pytest.fixture(scope="module")
def api() -> Api:
    return thriftserver.load(str(servers.IDL))


@pytest.mark.parametrize("case", workload.codec_cases())
def test_structs(api: Api, case: str) -> None:
    table, data = workload.codec_cases()[case]
    raw = workload.encode(table, data)
    assert thriftserver.serialize(codecs.of_classes(api, table, data)) == raw
    assert thriftserver.serialize(thriftserver.deserialize(getattr(api, table), raw)) == raw


@pytest.mark.parametrize("method", sorted(workload.requests()))
def test_frames(api: Any, method: str) -> None:
    plans = {each.name: method_plan(each) for each in api.Bench.__thrift__.methods()}
    handler = handler_class(api.User, api.Address)()
    for asked, answered in zip(*workload.requests()[method], strict=True):
        header = binary.read_header(asked)
        plan = plans[header.name]
        args = binary.decode_args(plan, asked, header.body)
        assert binary.encode_call(plan, header.seqid, args) == workload.frame(asked)
        result = getattr(handler, header.name)(*args)
        if answered:
            assert binary.encode_result(plan, header, result) == workload.frame(answered)
        else:
            assert header.kind == workload.ONEWAY


@pytest.mark.parametrize("name", ["thriftserver", "thriftpy2", "thriftpy2_pure", "msgspec", "thriftserver_compact"])
def test_codecs_are_checked_before_they_are_timed(name: str) -> None:
    operations = codecs.checked(name)
    assert {case for case, _ in operations} == set(workload.codec_cases())
    assert codecs.timed(operations["User", "encode"], 3) > 0
