"""Apache's test services as SEMANTICS.md beside their IDL has them, with the classes of whichever library serves."""

# ruff: noqa: N815 - the methods have the names of the IDL

from __future__ import annotations

from typing import Any


def handlers(types: Any) -> tuple[Any, Any]:
    """Those of ThriftTest and of SecondService."""

    class ThriftTest:
        def testVoid(self) -> None:
            pass

        def _echo(self, thing: Any) -> Any:
            return thing

        testString = testBool = testByte = testI32 = testI64 = testDouble = testBinary = testTypedef = _echo
        testStruct = testNest = testMap = testStringMap = testSet = testList = testEnum = _echo

        def testMapMap(self, hello: int) -> dict[int, dict[int, int]]:
            return {-4: {n: n for n in range(-4, 0)}, 4: {n: n for n in range(1, 5)}}

        def testInsanity(self, argument: Any) -> dict[int, dict[int, Any]]:
            return {1: {2: argument, 3: argument}, 2: {6: types.Insanity()}}

        def testMulti(self, arg0: int, arg1: int, arg2: int, arg3: dict[int, str], arg4: int, arg5: int) -> Any:
            return types.Xtruct(string_thing="Hello2", byte_thing=arg0, i32_thing=arg1, i64_thing=arg2)

        def testException(self, arg: str) -> None:
            if arg == "Xception":
                raise types.Xception(errorCode=1001, message=arg)
            if arg == "TException":
                raise RuntimeError("an exception that the IDL does not declare")

        def testMultiException(self, arg0: str, arg1: str) -> Any:
            if arg0 == "Xception":
                raise types.Xception(errorCode=1001, message="This is an Xception")
            if arg0 == "Xception2":
                thing = types.Xtruct(string_thing="This is an Xception2")
                raise types.Xception2(errorCode=2002, struct_thing=thing)
            return types.Xtruct(string_thing=arg1)

        def testOneway(self, secondsToSleep: int) -> None:
            pass

    class SecondService:
        def secondtestString(self, thing: str) -> str:
            return f'testString("{thing}")'

    return ThriftTest(), SecondService()
