"""Apache's cross-language test services, answered as SEMANTICS.md beside the IDL says."""

# ruff: noqa: N815 - the methods have the names of the IDL

from __future__ import annotations

import time
from typing import Any

import thriftserver
from tests.support import SHARED

api = thriftserver.load(SHARED / "interop" / "ThriftTest.thrift")


class ThriftTest:
    def testVoid(self) -> None:
        pass

    def _echo(self, thing: Any) -> Any:
        return thing

    testString = testBool = testByte = testI32 = testI64 = testDouble = testBinary = testUuid = _echo
    testStruct = testNest = testMap = testStringMap = testSet = testList = testEnum = testTypedef = _echo

    def testMapMap(self, hello: int) -> dict[int, dict[int, int]]:
        return {-4: {n: n for n in range(-4, 0)}, 4: {n: n for n in range(1, 5)}}

    def testInsanity(self, argument: Any) -> dict[int, dict[int, Any]]:
        numberz = api.Numberz
        return {1: {numberz.TWO: argument, numberz.THREE: argument}, 2: {numberz.SIX: api.Insanity()}}

    def testMulti(self, arg0: int, arg1: int, arg2: int, arg3: dict[int, str], arg4: int, arg5: int) -> Any:
        return api.Xtruct(string_thing="Hello2", byte_thing=arg0, i32_thing=arg1, i64_thing=arg2)

    def testException(self, arg: str) -> None:
        if arg == "Xception":
            raise api.Xception(errorCode=1001, message=arg)
        if arg == "TException":
            raise RuntimeError("an exception that the IDL does not declare")

    def testMultiException(self, arg0: str, arg1: str) -> Any:
        if arg0 == "Xception":
            raise api.Xception(errorCode=1001, message="This is an Xception")
        if arg0 == "Xception2":
            raise api.Xception2(errorCode=2002, struct_thing=api.Xtruct(string_thing="This is an Xception2"))
        return api.Xtruct(string_thing=arg1)

    def testOneway(self, secondsToSleep: int) -> None:
        time.sleep(secondsToSleep)


class Second:
    def secondtestString(self, thing: str) -> str:
        return f'testString("{thing}")'
